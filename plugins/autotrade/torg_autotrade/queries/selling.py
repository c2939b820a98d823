"""What a sales run reads and locks, each by one statement.

Order of locks: offers (those somebody else has are passed over), models, buyers, then accounts
in the ledger. A model's row stands for its whole market: who sells, buys in or sets a price waits
here.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from torg.db import session
from torg_autotrade.domain.matching import Line, Lot

_OFFERS = """
SELECT o.id, o.buyer_id, b.identity_id, o.car_model_id, o.criteria, o.max_price_minor, o.quantity,
       o.expires_at, o.hold_reference, o.status, o.reason, o.best_price_minor
  FROM autotrade_offer o JOIN autotrade_buyer b ON b.id = o.buyer_id
 WHERE o.status = 'open' AND o.id > :cursor AND o.currency = :currency
   AND (CAST(:offer_id AS bigint) IS NULL OR o.id = :offer_id)
   AND coalesce(o.car_model_id, 0) % :parts = :part
 ORDER BY o.id LIMIT :limit
"""
_PICK = text(f"{_OFFERS} FOR UPDATE OF o SKIP LOCKED")
_LOOK = text(_OFFERS)
_WANTED = text("""
SELECT c.place::integer AS place, m.id
  FROM jsonb_array_elements(CAST(:criteria AS jsonb)) WITH ORDINALITY AS c (item, place)
  JOIN autotrade_car_model m ON autotrade_matches(c.item, m)
   AND (m.is_active OR EXISTS (SELECT FROM autotrade_dealer_stock s
                                WHERE s.car_model_id = m.id AND s.quantity > 0))
 ORDER BY c.place, m.id
""")
_LOCK_MODELS = text("""
SELECT id FROM autotrade_car_model WHERE id = ANY (:ids) ORDER BY id FOR NO KEY UPDATE
""")
_LOCK_BUYERS = text("""
SELECT id FROM autotrade_buyer WHERE id = ANY (:ids) ORDER BY id FOR NO KEY UPDATE
""")
_LINES = text("""
SELECT s.id, s.dealer_id, d.owner_id, d.account_id, s.car_model_id, s.price_minor,
       l.id AS lot_id, l.remaining, l.unit_cost_minor, l.stocked_at
  FROM autotrade_dealer_stock s
  JOIN autotrade_dealer d ON d.id = s.dealer_id AND d.is_active
  JOIN autotrade_stock_lot l ON l.stock_id = s.id AND l.remaining > 0
 WHERE s.car_model_id = ANY (:models) AND s.quantity > 0 AND s.is_active
   AND s.currency = :currency AND d.id <> ALL (:excluded)
 ORDER BY s.id, l.id
""")
_STOCKED = text("""
SELECT m.id FROM unnest(CAST(:models AS bigint[])) AS m (id)
 WHERE EXISTS (SELECT FROM autotrade_dealer_stock s JOIN autotrade_dealer d ON d.id = s.dealer_id
                WHERE s.car_model_id = m.id AND d.is_active AND (s.is_wanted OR s.quantity > 0))
""")


def offers(
    *,
    cursor: int,
    limit: int,
    currency: str,
    part: int,
    parts: int,
    offer_id: int | None,
    lock: bool,
) -> Sequence[Row[Any]]:
    """Open offers above `cursor`, by id; locked, and without those that another run has."""
    asked = {
        "cursor": cursor,
        "limit": limit,
        "currency": currency,
        "part": part,
        "parts": parts,
        "offer_id": offer_id,
    }
    return session.execute(_PICK if lock else _LOOK, asked).all()


def wanted_models(rows: Iterable[Row[Any]]) -> dict[int, tuple[int, ...]]:
    """The models that each offer may be served with, by offer."""
    found: dict[int, tuple[int, ...]] = {}
    waiting: defaultdict[str, list[int]] = defaultdict(list)
    for row in rows:
        if row.car_model_id is not None:
            found[row.id] = (row.car_model_id,)
        else:
            waiting[json.dumps(row.criteria, sort_keys=True)].append(row.id)
    if waiting:
        models: defaultdict[int, list[int]] = defaultdict(list)
        asked = {"criteria": f"[{','.join(waiting)}]"}
        for row in session.execute(_WANTED, asked):
            models[row.place].append(row.id)
        for place, ids in enumerate(waiting.values(), start=1):
            found.update(dict.fromkeys(ids, tuple(models[place])))
    return found


def lock_markets(models: Collection[int], buyers: Collection[int]) -> None:
    """Be alone with these models and these buyers' loyalty until the end of the transaction."""
    session.execute(_LOCK_MODELS, {"ids": sorted(models)})
    session.execute(_LOCK_BUYERS, {"ids": sorted(buyers)})


def lines(
    models: Collection[int], currency: str, excluded: Collection[int]
) -> tuple[list[Line], dict[int, int | None]]:
    """What dealers have of these models, with its lots; and the dealers' accounts."""
    found: dict[int, Line] = {}
    accounts: dict[int, int | None] = {}
    asked = {"models": list(models), "currency": currency, "excluded": list(excluded)}
    for row in session.execute(_LINES, asked):
        line = found.get(row.id)
        if line is None:
            accounts[row.dealer_id] = row.account_id
            line = found[row.id] = Line(
                row.id, row.dealer_id, row.owner_id, row.car_model_id, row.price_minor, []
            )
        line.lots.append(Lot(row.lot_id, row.remaining, row.unit_cost_minor, row.stocked_at))
    return list(found.values()), accounts


def stocked(models: Collection[int]) -> frozenset[int]:
    """Those of the models that a dealer trades in, whether it has one now or not."""
    return frozenset(session.execute(_STOCKED, {"models": list(models)}).scalars())


def has_expired(row: Any, now: datetime) -> bool:
    """Whether an offer's time is over."""
    return row.expires_at is not None and row.expires_at <= now
