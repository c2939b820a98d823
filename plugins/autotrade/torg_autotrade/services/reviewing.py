"""One chunk of a supplier review: who is cheapest over the next purchases, for dealer and model."""

import json
from typing import Any

from sqlalchemy import text

from torg import clock
from torg.db import session
from torg_autotrade.domain.supplying import Expected, review
from torg_autotrade.queries import supplying
from torg_autotrade.services.market_context import Context, Outcome, settings
from torg_autotrade.services.sale_writing import insert_decisions, numbers

SLOT_SECONDS = 3600

_CHOICES = text("""
INSERT INTO autotrade_dealer_supplier AS s
    (dealer_id, car_model_id, supplier_id, expected_total_minor, horizon, currency, reviewed_at,
     decision_id)
SELECT r.dealer_id, r.car_model_id, r.supplier_id, r.total_minor, :horizon, :currency, :now, r.id
  FROM jsonb_to_recordset(CAST(:rows AS jsonb))
       AS r (dealer_id bigint, car_model_id bigint, supplier_id bigint, total_minor bigint,
             id bigint)
 ORDER BY r.dealer_id, r.car_model_id
ON CONFLICT (dealer_id, car_model_id) DO UPDATE
   SET supplier_id = excluded.supplier_id, decision_id = excluded.decision_id,
       expected_total_minor = excluded.expected_total_minor, horizon = excluded.horizon,
       currency = excluded.currency, reviewed_at = excluded.reviewed_at, is_active = true,
       updated_at = clock_timestamp()
""")
# Nobody sells the model to the dealer, or the dealer wants it no more.
_GONE = text("""
UPDATE autotrade_dealer_supplier s SET is_active = false, updated_at = clock_timestamp()
 WHERE is_active AND dealer_id = ANY (:dealers)
   AND ((dealer_id, car_model_id) IN (
           SELECT * FROM unnest(CAST(:without AS bigint[]), CAST(:models AS bigint[])))
        OR NOT EXISTS (SELECT FROM autotrade_dealer_stock k
                        WHERE k.dealer_id = s.dealer_id AND k.car_model_id = s.car_model_id
                          AND k.is_wanted))
""")
_CONFIRMED = text("""
UPDATE autotrade_dealer_supplier SET reviewed_at = :now, updated_at = clock_timestamp()
 WHERE is_active AND dealer_id = ANY (:dealers) AND reviewed_at < :now
""")


def step(context: Context) -> Outcome:
    """Let the next dealers compare their suppliers.

    A decision is written when the choice changes; one that is confirmed keeps its decision, and its
    row says when it was looked at last.
    """
    slot = int(context.now.timestamp()) // SLOT_SECONDS
    rows = supplying.dealers(
        "review",
        cursor=context.cursor,
        limit=context.limit,
        slot=slot,
        currency=settings().currency,
        part=context.part,
        parts=context.parts,
        only=context.only,
        excluded=context.excluded,
        lock=not context.is_dry,
    )
    if not rows:
        return Outcome(context.cursor, 0, 0, is_last=True)
    dealers = {row.id: row for row in rows}
    changed, gone = _compared(context, dealers)
    is_last = len(rows) < context.limit
    if context.is_dry:
        shown = [_shown(line, found) for line, found in changed]
        return Outcome(rows[-1].id, len(rows), len(changed), is_last, shown)
    _write(context, changed)
    asked = {
        "dealers": list(dealers),
        "without": [line.dealer_id for line in gone],
        "models": [line.car_model_id for line in gone],
    }
    session.execute(_GONE, asked)
    session.execute(_CONFIRMED, {"dealers": list(dealers), "now": context.now})
    supplying.mark_done("review", [each for each in dealers if each not in context.errors], slot)
    return Outcome(rows[-1].id, len(rows), len(changed), is_last)


def _compared(
    context: Context, dealers: dict[int, Any]
) -> tuple[list[tuple[Any, list[Expected]]], list[Any]]:
    lines = supplying.lines(dealers)
    models = {line.car_model_id for line in lines}
    suppliers = supplying.Suppliers(dealers, models, None, settings().currency)
    horizon = settings().review_purchases
    changed, gone = [], []
    for line in lines:
        owner = dealers[line.dealer_id].owner_id
        found = review(suppliers.of(line.dealer_id, owner, line.car_model_id), horizon)
        if not found:
            if line.chosen_id is not None:
                gone.append(line)
        elif found[0].source.supplier_id != line.chosen_id:
            changed.append((line, found))
    return changed, gone


def _write(context: Context, changed: list[tuple[Any, list[Expected]]]) -> None:
    if not changed:
        return
    ids = numbers("autotrade_supply_deal", len(changed))
    moment = clock.format_moment(context.now)
    decisions, choices = [], []
    for (line, found), (number, _) in zip(changed, ids, strict=True):
        best = found[0]
        place = {"dealer_id": line.dealer_id, "car_model_id": line.car_model_id, "id": number}
        decisions.append(
            {
                **place,
                "kind": "review",
                "supplier_id": best.source.supplier_id,
                "decided_at": moment,
                "candidates": _candidates(found),
                "considered": len(found),
            }
        )
        choices.append({**place, "supplier_id": best.source.supplier_id, "total_minor": best.total})
    insert_decisions(decisions)
    asked = {
        "rows": json.dumps(choices),
        "now": context.now,
        "horizon": settings().review_purchases,
        "currency": settings().currency,
    }
    session.execute(_CHOICES, asked)


def _candidates(found: list[Expected]) -> list[dict[str, Any]]:
    return [
        {
            "supplier_id": each.source.supplier_id,
            "list_price_minor": each.source.listed,
            "bought": each.source.bought,
            "price_minor": each.unit,
            "expected_total_minor": each.total,
        }
        for each in found[:20]
    ]


def _shown(line: Any, found: list[Expected]) -> dict[str, Any]:
    return {
        "kind": "review",
        "dealer_id": line.dealer_id,
        "supplier_id": found[0].source.supplier_id,
        "car_model_id": line.car_model_id,
        "total_minor": found[0].total,
        "candidates": _candidates(found),
    }
