"""The terms that runs reckon with: promotions in force, loyalty tiers, units bought so far.

Each is one statement for all dealers or suppliers of a run.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import text

from torg.db import session
from torg_autotrade.domain.prices import Promotion, Tiers

_PROMOTIONS = """
SELECT id, {side}_id AS side_id, (percent * 100)::integer AS percent, amount_minor, cap_minor,
       car_model_ids
  FROM autotrade_promotion
 WHERE {side}_id = ANY (:ids) AND is_active AND starts_at <= :now AND ends_at > :now
   AND currency = :currency
"""
_TIERS = """
SELECT {side}_id AS side_id, at_purchases, (percent * 100)::integer AS percent
  FROM autotrade_{side}_tier WHERE {side}_id = ANY (:ids) AND is_active
"""
_SIDES = ("dealer", "supplier")
_PROMOTIONS_OF = {side: text(_PROMOTIONS.format(side=side)) for side in _SIDES}
_TIERS_OF = {side: text(_TIERS.format(side=side)) for side in _SIDES}
_BOUGHT = text("""
SELECT buyer_id, dealer_id, units FROM autotrade_purchase_count
 WHERE buyer_id = ANY (:buyers) AND dealer_id = ANY (:dealers)
""")
_SUPPLIED = text("""
SELECT dealer_id, supplier_id, units FROM autotrade_supply_count WHERE dealer_id = ANY (:dealers)
""")


def promotions(
    side: str, ids: Iterable[int], now: datetime, currency: str
) -> dict[int, list[Promotion]]:
    """The promotions in force of dealers or suppliers, by whose they are, broken ones included."""
    found: defaultdict[int, list[Promotion]] = defaultdict(list)
    asked = {"ids": list(ids), "now": now, "currency": currency}
    for row in session.execute(_PROMOTIONS_OF[side], asked):
        models = frozenset(row.car_model_ids or ())
        found[row.side_id].append(
            Promotion(row.id, row.percent, row.amount_minor, row.cap_minor, models)
        )
    return dict(found)


def tiers(side: str, ids: Iterable[int]) -> dict[int, Tiers]:
    """The loyalty tiers of dealers or suppliers."""
    steps: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for row in session.execute(_TIERS_OF[side], {"ids": list(ids)}):
        steps[row.side_id][row.at_purchases] = row.percent
    return {each: Tiers.of(found) for each, found in steps.items()}


def bought(buyers: Iterable[int], dealers: Iterable[int]) -> dict[tuple[int, int], int]:
    """Units by (buyer, dealer)."""
    rows: Any = session.execute(_BOUGHT, {"buyers": list(buyers), "dealers": list(dealers)})
    return {(row.buyer_id, row.dealer_id): row.units for row in rows}


def supplied(dealers: Iterable[int]) -> dict[tuple[int, int], int]:
    """Units by (dealer, supplier)."""
    rows: Any = session.execute(_SUPPLIED, {"dealers": list(dealers)})
    return {(row.dealer_id, row.supplier_id): row.units for row in rows}
