"""What a supply run writes: each table by one statement for the whole chunk, out of JSON rows."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from torg import clock
from torg.db import session
from torg_autotrade.domain.prices import with_margin
from torg_autotrade.domain.supplying import Purchase
from torg_autotrade.services.market_context import Context, settings
from torg_autotrade.services.sale_writing import insert_decisions, numbers, percent_text

_DEALS = text("""
INSERT INTO autotrade_supply_deal (id, dealer_id, supplier_id, car_model_id, slot, quantity,
    list_price_minor, promotion_id, promotion_discount_minor, steps, total_minor, currency,
    bought_at, transfer_reference, decision_id)
SELECT r.* FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
    id bigint, dealer_id bigint, supplier_id bigint, car_model_id bigint, slot bigint,
    quantity integer, list_price_minor bigint, promotion_id bigint,
    promotion_discount_minor bigint, steps jsonb, total_minor bigint, currency text,
    bought_at timestamptz, transfer_reference text, decision_id bigint)
""")
_LOTS = text("""
INSERT INTO autotrade_stock_lot
    (stock_id, supply_deal_id, quantity, remaining, unit_cost_minor, stocked_at)
SELECT stock_id, deal_id, quantity, quantity, unit_cost_minor, :now
  FROM jsonb_to_recordset(CAST(:rows AS jsonb))
       AS r (stock_id bigint, deal_id bigint, place integer, quantity integer,
             unit_cost_minor bigint)
 ORDER BY place
""")
# One purchase for a line at most, so the quantity after it is what the update leaves.
_STOCK = text("""
WITH bought AS (
    UPDATE autotrade_dealer_stock s
       SET quantity = s.quantity + r.quantity, updated_at = clock_timestamp(),
           price_minor = CASE WHEN s.is_price_fixed THEN s.price_minor ELSE r.price_minor END,
           priced_at = CASE WHEN s.is_price_fixed OR s.price_minor = r.price_minor
                            THEN s.priced_at ELSE :now END
      FROM jsonb_to_recordset(CAST(:rows AS jsonb))
           AS r (stock_id bigint, deal_id bigint, quantity integer, price_minor bigint)
     WHERE s.id = r.stock_id
    RETURNING s.id, r.quantity AS delta, s.quantity, r.deal_id, s.price_minor
)
INSERT INTO autotrade_stock_move
    (stock_id, delta, quantity_after, reason, deal_id, price_minor, moved_at)
SELECT id, delta, quantity, 'supply', deal_id, price_minor, :now FROM bought ORDER BY id
""")
_COUNTS = text("""
WITH added AS (
    INSERT INTO autotrade_supply_count AS c (dealer_id, supplier_id, units)
    SELECT dealer_id, supplier_id, sum(quantity)
      FROM jsonb_to_recordset(CAST(:rows AS jsonb))
           AS r (dealer_id bigint, supplier_id bigint, quantity integer)
     GROUP BY dealer_id, supplier_id ORDER BY dealer_id, supplier_id
    ON CONFLICT (dealer_id, supplier_id) DO UPDATE SET units = c.units + excluded.units
    RETURNING supplier_id, xmax = 0 AS is_new
), grown AS (
    SELECT u.id, n.number FROM autotrade_supplier u
      JOIN (SELECT supplier_id, count(*) AS number FROM added WHERE is_new GROUP BY supplier_id) n
        ON n.supplier_id = u.id
     ORDER BY u.id FOR NO KEY UPDATE OF u
)
UPDATE autotrade_supplier u SET buyer_count = u.buyer_count + g.number
  FROM grown g WHERE u.id = g.id
""")


def candidates(purchase: Purchase) -> list[dict[str, Any]]:
    """The suppliers that were asked, the cheapest for the next unit first."""
    ranked = sorted(purchase.quotes, key=lambda q: (q.price.unit, q.source.supplier_id))
    return [
        {
            "supplier_id": each.source.supplier_id,
            "list_price_minor": each.price.listed,
            "promotion_id": each.price.promotion_id,
            "promotion_discount_minor": each.price.promotion_discount,
            "loyalty_percent": percent_text(each.price.loyalty_percent),
            "loyalty_discount_minor": each.price.loyalty_discount,
            "price_minor": each.price.unit,
        }
        for each in ranked[:20]
    ]


def shown(dealer_id: int, purchase: Purchase) -> dict[str, Any]:
    """A purchase as a dry run shows it."""
    return {
        "kind": "supply",
        "dealer_id": dealer_id,
        "supplier_id": purchase.quote.source.supplier_id,
        "car_model_id": purchase.need.car_model_id,
        "quantity": purchase.quantity,
        "total_minor": purchase.total,
        "candidates": candidates(purchase),
    }


def write(
    context: Context,
    planned: Sequence[tuple[Any, Purchase]],
    references: Sequence[str],
    slot: int,
) -> None:
    """Write the purchases of a chunk; the ledger has given their transfers these references."""
    if not planned:
        return
    ids = numbers("autotrade_supply_deal", len(planned))
    moment = clock.format_moment(context.now)
    decisions: list[dict[str, Any]] = []
    deals: list[dict[str, Any]] = []
    lots: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    rows = zip(planned, ids, references, strict=True)
    for (dealer, purchase), (decision_id, deal_id), reference in rows:
        decisions.append(_decision(dealer.id, purchase, decision_id, moment))
        deals.append(
            {
                **_deal(purchase, moment),
                "id": deal_id,
                "dealer_id": dealer.id,
                "slot": slot,
                "transfer_reference": reference,
                "decision_id": decision_id,
            }
        )
        lots += _lots(purchase, deal_id, first=len(lots))
        lines.append(
            {
                "stock_id": purchase.need.stock_id,
                "deal_id": deal_id,
                "quantity": purchase.quantity,
                "price_minor": with_margin(purchase.steps[-1].price.unit, dealer.margin),
            }
        )
    insert_decisions(decisions)
    session.execute(_DEALS, {"rows": json.dumps(deals)})
    session.execute(_LOTS, {"rows": json.dumps(lots), "now": context.now})
    session.execute(_STOCK, {"rows": json.dumps(lines), "now": context.now})
    session.execute(_COUNTS, {"rows": json.dumps(deals)})


def _lots(purchase: Purchase, deal_id: int, *, first: int) -> list[dict[str, Any]]:
    return [
        {
            "stock_id": purchase.need.stock_id,
            "deal_id": deal_id,
            "place": place,
            "quantity": each.quantity,
            "unit_cost_minor": each.price.unit,
        }
        for place, each in enumerate(purchase.steps, first)
    ]


def _deal(purchase: Purchase, moment: str) -> dict[str, Any]:
    chosen = purchase.quote
    return {
        "supplier_id": chosen.source.supplier_id,
        "car_model_id": purchase.need.car_model_id,
        "quantity": purchase.quantity,
        "list_price_minor": chosen.price.listed,
        "promotion_id": chosen.price.promotion_id,
        "promotion_discount_minor": chosen.price.promotion_discount,
        "steps": [
            {
                "quantity": each.quantity,
                "loyalty_percent": percent_text(each.price.loyalty_percent),
                "unit_price_minor": each.price.unit,
            }
            for each in purchase.steps
        ],
        "total_minor": purchase.total,
        "currency": settings().currency,
        "bought_at": moment,
    }


def _decision(dealer_id: int, purchase: Purchase, number: int, moment: str) -> dict[str, Any]:
    return {
        "id": number,
        "kind": "supply",
        "dealer_id": dealer_id,
        "car_model_id": purchase.need.car_model_id,
        "supplier_id": purchase.quote.source.supplier_id,
        "decided_at": moment,
        "candidates": candidates(purchase),
        "considered": len(purchase.quotes),
    }
