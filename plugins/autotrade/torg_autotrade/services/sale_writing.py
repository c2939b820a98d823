"""What a sales run writes: each table by one statement for the whole chunk, out of JSON rows."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from torg import clock, outbox
from torg.db import session
from torg_autotrade.domain.matching import Deal, Reason, Unfilled
from torg_autotrade.domain.prices import Promotion
from torg_autotrade.services.market_context import Context, settings

_NUMBERS = text("""
SELECT nextval(pg_get_serial_sequence('autotrade_decision', 'id')) AS decision_id,
       nextval(pg_get_serial_sequence(:deals, 'id')) AS deal_id
  FROM generate_series(1, :count)
""")
_DECISIONS = text("""
INSERT INTO autotrade_decision (id, kind, dealer_id, car_model_id, buyer_id, supplier_id,
                                decided_at, candidates, considered)
SELECT r.* FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
    id bigint, kind text, dealer_id bigint, car_model_id bigint, buyer_id bigint,
    supplier_id bigint, decided_at timestamptz, candidates jsonb, considered integer)
""")
_SALES = text("""
INSERT INTO autotrade_sale (id, offer_id, buyer_id, dealer_id, car_model_id, quantity,
    list_price_minor, promotion_id, promotion_discount_minor, loyalty_percent,
    loyalty_discount_minor, unit_price_minor, total_minor, cost_minor, currency, stocked_at,
    stock_seconds, sold_at, transfer_reference, decision_id)
SELECT r.* FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
    id bigint, offer_id bigint, buyer_id bigint, dealer_id bigint, car_model_id bigint,
    quantity integer, list_price_minor bigint, promotion_id bigint,
    promotion_discount_minor bigint, loyalty_percent numeric, loyalty_discount_minor bigint,
    unit_price_minor bigint, total_minor bigint, cost_minor bigint, currency text,
    stocked_at timestamptz, stock_seconds numeric, sold_at timestamptz, transfer_reference text,
    decision_id bigint)
""")
_LOTS = text("""
UPDATE autotrade_stock_lot l SET remaining = l.remaining - r.taken
  FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id bigint, taken integer)
 WHERE l.id = r.id
""")
# The window gives each sale the quantity that it left, in the order of the decisions.
_STOCK = text("""
WITH sold AS (
    SELECT r.*, s.price_minor,
           s.quantity - sum(r.quantity) OVER (PARTITION BY r.stock_id ORDER BY r.place) AS rest
      FROM jsonb_to_recordset(CAST(:rows AS jsonb))
           AS r (stock_id bigint, place integer, quantity integer, deal_id bigint)
      JOIN autotrade_dealer_stock s ON s.id = r.stock_id
), noted AS (
    INSERT INTO autotrade_stock_move
        (stock_id, delta, quantity_after, reason, deal_id, price_minor, moved_at)
    SELECT stock_id, -quantity, rest, 'sale', deal_id, price_minor, :now FROM sold ORDER BY place
)
UPDATE autotrade_dealer_stock s
   SET quantity = s.quantity - each.quantity, updated_at = clock_timestamp()
  FROM (SELECT stock_id, sum(quantity) AS quantity FROM sold GROUP BY stock_id) AS each
 WHERE s.id = each.stock_id
""")
_COUNTS = text("""
INSERT INTO autotrade_purchase_count AS c (buyer_id, dealer_id, units)
SELECT buyer_id, dealer_id, sum(quantity)
  FROM jsonb_to_recordset(CAST(:rows AS jsonb))
       AS r (buyer_id bigint, dealer_id bigint, quantity integer)
 GROUP BY buyer_id, dealer_id ORDER BY buyer_id, dealer_id
ON CONFLICT (buyer_id, dealer_id) DO UPDATE SET units = c.units + excluded.units
""")
_OFFERS = text("""
UPDATE autotrade_offer o
   SET status = r.status, reason = r.reason, best_price_minor = r.best_price_minor,
       tried_at = :now, updated_at = clock_timestamp(),
       ended_at = CASE WHEN r.status <> 'open' THEN CAST(:now AS timestamptz) END
  FROM jsonb_to_recordset(CAST(:rows AS jsonb))
       AS r (id bigint, status text, reason text, best_price_minor bigint)
 WHERE o.id = r.id
""")
_BROKEN = text("""
UPDATE autotrade_promotion SET last_error = 'its discount makes no sense', last_error_at = :now
 WHERE id = ANY (:ids)
""")
# Supply and review clear theirs when a dealer's turn is over; a sale has no turns, only deals.
_SOUND = text("""
UPDATE autotrade_dealer SET last_error = NULL, updated_at = clock_timestamp()
 WHERE id = ANY (:ids) AND last_error LIKE 'sales: %'
""")
_STATUS = {Reason.EXPIRED: "expired", Reason.INSUFFICIENT_FUNDS: "refused"}


def numbers(deals_table: str, count: int) -> list[tuple[int, int]]:
    """So many fresh ids of decisions and of deals."""
    rows = session.execute(_NUMBERS, {"deals": deals_table, "count": count})
    return [(row.decision_id, row.deal_id) for row in rows]


def insert_decisions(rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep why."""
    session.execute(_DECISIONS, {"rows": json.dumps(rows)})


def candidates(deal: Deal) -> list[dict[str, Any]]:
    """The candidates of a sale as they are kept."""
    return [
        {
            "dealer_id": each.line.dealer_id,
            "car_model_id": each.line.car_model_id,
            "list_price_minor": each.price.listed,
            "promotion_id": each.price.promotion_id,
            "promotion_discount_minor": each.price.promotion_discount,
            "loyalty_percent": percent_text(each.price.loyalty_percent),
            "loyalty_discount_minor": each.price.loyalty_discount,
            "price_minor": each.price.unit,
            "stocked_at": clock.format_moment(each.stocked_at),
        }
        for each in deal.candidates
    ]


def percent_text(hundredths: int) -> str:
    """Hundredths of a per cent as the API writes them."""
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def write(context: Context, deals: Sequence[Deal], references: Sequence[str]) -> None:
    """Write the deals of a chunk; the ledger has given their transfers these references."""
    if not deals:
        return
    ids = numbers("autotrade_sale", len(deals))
    moment = clock.format_moment(context.now)
    insert_decisions(
        [_decision(deal, number, moment) for deal, (number, _) in zip(deals, ids, strict=True)]
    )
    rows = [
        _sale(deal, own, reference, context.now)
        for deal, own, reference in zip(deals, ids, references, strict=True)
    ]
    session.execute(_SALES, {"rows": json.dumps(rows)})
    taken: dict[int, int] = {}
    for deal in deals:
        for each in deal.lots:
            taken[each.lot_id] = taken.get(each.lot_id, 0) + each.quantity
    lots = [{"id": each, "taken": number} for each, number in taken.items()]
    session.execute(_LOTS, {"rows": json.dumps(lots)})
    moves = [
        {
            "stock_id": deal.chosen.line.id,
            "place": place,
            "quantity": deal.wish.quantity,
            "deal_id": ids[place][1],
        }
        for place, deal in enumerate(deals)
    ]
    session.execute(_STOCK, {"rows": json.dumps(moves), "now": context.now})
    session.execute(_COUNTS, {"rows": json.dumps(rows)})
    session.execute(_SOUND, {"ids": sorted({deal.chosen.line.dealer_id for deal in deals})})
    if context.is_told:
        outbox.enqueue("autotrade.tell_sold", {"sales": [deal_id for _, deal_id in ids]})


def note(context: Context, rows: Sequence[Any], verdicts: Sequence[Deal | Unfilled]) -> list[int]:
    """Write what became of offers, where it is news; returns those that ended unfilled."""
    changed = []
    ended = []
    for row, verdict in zip(rows, verdicts, strict=True):
        state: tuple[str, str | None, int | None] = ("filled", None, None)
        if isinstance(verdict, Unfilled):
            status = _STATUS.get(verdict.reason, "open")
            state = (status, str(verdict.reason), verdict.best_price)
            if status != "open":
                ended.append(row.id)
        if state != (row.status, row.reason, row.best_price_minor):
            names = ("id", "status", "reason", "best_price_minor")
            changed.append(dict(zip(names, (row.id, *state), strict=True)))
    if changed:
        session.execute(_OFFERS, {"rows": json.dumps(changed), "now": context.now})
    if ended and context.is_told:
        outbox.enqueue("autotrade.tell_ended", {"offers": ended})
    return ended


def note_broken_promotions(context: Context, promotions: Mapping[int, Sequence[Promotion]]) -> None:
    """Record on promotions that they make no sense; nothing else notices them."""
    broken = [each.id for found in promotions.values() for each in found if not each.is_sound]
    if broken and not context.is_dry:
        session.execute(_BROKEN, {"ids": broken, "now": context.now})


def _decision(deal: Deal, number: int, moment: str) -> dict[str, Any]:
    return {
        "id": number,
        "kind": "sale",
        "dealer_id": deal.chosen.line.dealer_id,
        "car_model_id": deal.chosen.line.car_model_id,
        "buyer_id": deal.wish.buyer_id,
        "decided_at": moment,
        "candidates": candidates(deal),
        "considered": deal.considered,
    }


def _sale(deal: Deal, ids: tuple[int, int], reference: str, now: datetime) -> dict[str, Any]:
    price, line = deal.chosen.price, deal.chosen.line
    # A simulation may run at a moment before that of another one's purchase.
    sold_at = max(now, deal.lots[0].stocked_at)
    return {
        "id": ids[1],
        "offer_id": deal.wish.offer_id,
        "buyer_id": deal.wish.buyer_id,
        "dealer_id": line.dealer_id,
        "car_model_id": line.car_model_id,
        "quantity": deal.wish.quantity,
        "list_price_minor": price.listed,
        "promotion_id": price.promotion_id,
        "promotion_discount_minor": price.promotion_discount,
        "loyalty_percent": percent_text(price.loyalty_percent),
        "loyalty_discount_minor": price.loyalty_discount,
        "unit_price_minor": price.unit,
        "total_minor": deal.total,
        "cost_minor": deal.cost,
        "currency": settings().currency,
        "stocked_at": clock.format_moment(deal.lots[0].stocked_at),
        "stock_seconds": _stock_seconds(deal, sold_at),
        "sold_at": clock.format_moment(sold_at),
        "transfer_reference": reference,
        "decision_id": ids[0],
    }


def _stock_seconds(deal: Deal, sold_at: datetime) -> str:
    """How long the cars of a deal stood in stock, added up; a decimal text, exact."""
    stood = (each.quantity * max(sold_at - each.stocked_at, timedelta()) for each in deal.lots)
    whole, rest = divmod(sum(stood, timedelta()), timedelta(seconds=1))
    return f"{whole}.{rest.microseconds:06d}"
