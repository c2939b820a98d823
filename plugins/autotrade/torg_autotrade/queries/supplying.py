"""What supply and review runs read and lock, each by one statement for all dealers of a chunk.

Order of locks: dealers (those somebody else has are passed over), models (shared: dealers do not
wait for each other, only sales of the same models do), then accounts in the ledger.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text

from torg.db import session
from torg_autotrade.domain.prices import Tiers
from torg_autotrade.domain.supplying import Source
from torg_autotrade.queries import terms

_DEALERS = """
SELECT id, owner_id, account_id, (margin_percent * 100)::integer AS margin, spend_per_run_minor,
       target_stock, last_error
  FROM autotrade_dealer
 WHERE id > :cursor AND is_active AND currency = :currency AND id % :parts = :part
   AND (CAST(:only AS bigint) IS NULL OR id = :only) AND {slot} < :slot AND id <> ALL (:excluded)
 ORDER BY id LIMIT :limit
"""
_RUNS = {"supply": "supplied_slot", "review": "reviewed_slot"}
_PICK = {
    kind: text(f"{_DEALERS.format(slot=slot)} FOR NO KEY UPDATE SKIP LOCKED")
    for kind, slot in _RUNS.items()
}
_LOOK = {kind: text(_DEALERS.format(slot=slot)) for kind, slot in _RUNS.items()}
_DONE = {
    kind: text(f"""
UPDATE autotrade_dealer
   SET {slot} = :slot, updated_at = clock_timestamp(),
       last_error = CASE WHEN last_error LIKE '{kind}: %' THEN NULL ELSE last_error END
 WHERE id = ANY (:ids)
""")  # noqa: S608 - constants are put in
    for kind, slot in _RUNS.items()
}
_LOCK_MODELS = text("""
SELECT id FROM autotrade_car_model
 WHERE id IN (SELECT car_model_id FROM autotrade_dealer_stock
               WHERE dealer_id = ANY (:dealers) AND is_wanted)
 ORDER BY id FOR SHARE
""")
_LINES = text("""
SELECT s.id, s.dealer_id, s.car_model_id, s.quantity, s.is_price_fixed, s.price_minor,
       p.supplier_id AS chosen_id
  FROM autotrade_dealer_stock s
  LEFT JOIN autotrade_dealer_supplier p
         ON p.dealer_id = s.dealer_id AND p.car_model_id = s.car_model_id AND p.is_active
 WHERE s.dealer_id = ANY (:dealers) AND s.is_wanted AND s.is_active
 ORDER BY s.dealer_id, s.car_model_id
""")
_PRICES = text("""
SELECT p.supplier_id, u.owner_id, u.account_id, p.car_model_id, p.price_minor
  FROM autotrade_supplier_price p
  JOIN autotrade_supplier u ON u.id = p.supplier_id AND u.is_active AND u.account_id IS NOT NULL
 WHERE p.car_model_id = ANY (:models) AND p.is_active AND p.currency = :currency
 ORDER BY p.car_model_id, p.supplier_id
""")
_DEMAND = text("""
SELECT car_model_id, sum(units)::bigint AS units FROM (
    SELECT car_model_id, sum(quantity) AS units FROM autotrade_sale
     WHERE sold_at > :since AND sold_at <= :now AND car_model_id = ANY (:models)
     GROUP BY car_model_id
    UNION ALL
    SELECT car_model_id, sum(quantity) FROM autotrade_offer
     WHERE status = 'open' AND placed_at > :since AND car_model_id = ANY (:models)
     GROUP BY car_model_id
    UNION ALL
    SELECT m.id, sum(o.quantity) FROM autotrade_offer o
      JOIN autotrade_car_model m ON m.id = ANY (:models) AND autotrade_matches(o.criteria, m)
     WHERE o.status = 'open' AND o.criteria IS NOT NULL AND o.placed_at > :since
     GROUP BY m.id
) AS wanted GROUP BY car_model_id
""")
_SPENT = text("""
SELECT dealer_id, sum(total_minor)::bigint AS minor FROM autotrade_supply_deal
 WHERE slot = :slot AND dealer_id = ANY (:dealers) GROUP BY dealer_id
""")
_FAILED = text("""
UPDATE autotrade_dealer d
   SET last_error = r.message, last_error_at = :now, updated_at = clock_timestamp()
  FROM unnest(CAST(:ids AS bigint[]), CAST(:messages AS text[])) AS r (id, message)
 WHERE d.id = r.id
""")


def dealers(
    kind: str,
    *,
    cursor: int,
    limit: int,
    slot: int,
    currency: str,
    part: int,
    parts: int,
    only: int | None,
    excluded: Collection[int],
    lock: bool,
) -> Sequence[Row[Any]]:
    """Dealers above `cursor` whose turn of this slot has not been; locked, by id."""
    asked = {
        "cursor": cursor,
        "limit": limit,
        "slot": slot,
        "currency": currency,
        "part": part,
        "parts": parts,
        "only": only,
        "excluded": list(excluded),
    }
    return session.execute((_PICK if lock else _LOOK)[kind], asked).all()


def lock_models(dealer_ids: Collection[int]) -> None:
    """Keep sales out of the markets that these dealers trade in."""
    session.execute(_LOCK_MODELS, {"dealers": list(dealer_ids)})


def lines(dealer_ids: Collection[int]) -> Sequence[Row[Any]]:
    """The wanted stock lines of dealers with the chosen supplier of each."""
    return session.execute(_LINES, {"dealers": list(dealer_ids)}).all()


class Suppliers:
    """The suppliers of some models with their prices, tiers and promotions."""

    def __init__(
        self,
        dealer_ids: Collection[int],
        models: Collection[int],
        now: datetime | None,
        currency: str,
    ) -> None:
        """Read them.

        Args:
            dealer_ids: for whom.
            models: which cars.
            now: when promotions have to be in force; None leaves them out.
            currency: of the market.
        """
        asked = {"models": list(models), "currency": currency}
        rows = session.execute(_PRICES, asked).all()
        ids = {row.supplier_id for row in rows}
        self.accounts: dict[int, int] = {row.supplier_id: row.account_id for row in rows}
        self.promotions = {} if now is None else terms.promotions("supplier", ids, now, currency)
        self._tiers = terms.tiers("supplier", ids)
        self._bought = terms.supplied(dealer_ids)
        self._prices: defaultdict[int, list[Row[Any]]] = defaultdict(list)
        for row in rows:
            self._prices[row.car_model_id].append(row)

    def of(self, dealer_id: int, owner_id: int, car_model_id: int) -> list[Source]:
        """Who sells a model to a dealer; nobody deals with himself."""
        return [
            Source(
                row.supplier_id,
                row.owner_id,
                row.price_minor,
                self._tiers.get(row.supplier_id, Tiers()),
                self.promotions.get(row.supplier_id, ()),
                self._bought.get((dealer_id, row.supplier_id), 0),
            )
            for row in self._prices[car_model_id]
            if row.owner_id != owner_id
        ]


def demand(models: Collection[int], now: datetime, days: int) -> dict[int, int]:
    """Units sold and asked for of each model within the last days, over the whole market."""
    asked = {"models": list(models), "now": now, "since": now - timedelta(days=days)}
    return {row.car_model_id: row.units for row in session.execute(_DEMAND, asked)}


def spent(dealer_ids: Collection[int], slot: int) -> dict[int, int]:
    """What dealers have spent in this slot already."""
    rows = session.execute(_SPENT, {"dealers": list(dealer_ids), "slot": slot})
    return {row.dealer_id: row.minor for row in rows}


def mark_done(kind: str, dealer_ids: Collection[int], slot: int) -> None:
    """Their turn of this slot is over."""
    session.execute(_DONE[kind], {"ids": list(dealer_ids), "slot": slot})


def record_failures(errors: dict[int, str], now: datetime) -> None:
    """Write on dealers what stopped them."""
    if errors:
        ids = sorted(errors)
        asked = {"ids": ids, "messages": [errors[each] for each in ids], "now": now}
        session.execute(_FAILED, asked)
