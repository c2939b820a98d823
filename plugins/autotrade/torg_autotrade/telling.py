"""Telling of deals: mails and domain events, by jobs after the runs, once for each deal."""

from typing import Any

from torg import events
from torg.jobs import JobRun
from torg.money import Money
from torg_autotrade import emails
from torg_autotrade.queries import told

Payload = dict[str, Any]


def tell_sold(payload: Payload, run: JobRun) -> Payload:
    """Tell buyers and dealers of sales."""
    del run
    rows = told.sales(payload["sales"])
    for row in rows:
        emails.tell_sale(row)
        events.publish(
            "autotrade.sale_made",
            {
                "sale_id": row.id,
                "offer_id": row.offer_id,
                "buyer_id": row.identity_id,
                "dealer_id": row.dealer_id,
                "car_model_id": row.car_model_id,
                "quantity": row.quantity,
                "total": Money(row.total_minor, row.currency),
                "sold_at": row.sold_at,
            },
        )
    return {"told": len(rows)}


def tell_ended(payload: Payload, run: JobRun) -> Payload:
    """Tell buyers of offers that ended unfilled."""
    del run
    rows = told.offers(payload["offers"])
    for row in rows:
        emails.tell_ended(row)
        events.publish(
            "autotrade.offer_ended",
            {"offer_id": row.id, "buyer_id": row.identity_id, "status": row.status},
        )
    return {"told": len(rows)}
