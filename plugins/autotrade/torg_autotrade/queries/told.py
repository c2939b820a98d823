"""What mails and events say of deals."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text

from torg.db import session

_CAR = "m.make || ' ' || m.model AS car"
_SALES = text(f"""
SELECT s.*, b.identity_id, d.name AS dealer, d.owner_id, o.max_price_minor, {_CAR}
  FROM autotrade_sale s
  JOIN autotrade_buyer b ON b.id = s.buyer_id
  JOIN autotrade_dealer d ON d.id = s.dealer_id
  JOIN autotrade_offer o ON o.id = s.offer_id
  JOIN autotrade_car_model m ON m.id = s.car_model_id
 WHERE s.id = ANY (:ids) ORDER BY s.id
""")  # noqa: S608 - a constant is put in
_OFFERS = text(f"""
SELECT o.*, b.identity_id, coalesce({_CAR.partition(" AS ")[0]}, '') AS car
  FROM autotrade_offer o
  JOIN autotrade_buyer b ON b.id = o.buyer_id
  LEFT JOIN autotrade_car_model m ON m.id = o.car_model_id
 WHERE o.id = ANY (:ids) AND o.status IN ('expired', 'refused') ORDER BY o.id
""")  # noqa: S608 - a constant is put in


def sales(ids: Sequence[int]) -> Sequence[Row[Any]]:
    """Sales with buyer, dealer and car."""
    return session.execute(_SALES, {"ids": list(ids)}).all()


def offers(ids: Sequence[int]) -> Sequence[Row[Any]]:
    """Offers that ended unfilled."""
    return session.execute(_OFFERS, {"ids": list(ids)}).all()
