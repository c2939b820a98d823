"""Background work of trading: orders and carts whose time is over, the nightly proof."""

from typing import Any

from torg import outbox
from torg.jobs import Job, JobRun
from torg.schedules import Schedule
from torg_shop.services import carts, orders, proving

Payload = dict[str, Any]


def cancel_expired(payload: Payload, run: JobRun) -> Payload:
    """Cancel what was not paid in time, so that its goods are free for others."""
    del payload, run
    return {"cancelled": orders.cancel_expired()}


def forget_guests(_payload: Payload, _run: JobRun) -> Payload:
    """Remove carts of guests who have not come back."""
    return {"removed": carts.forget_guests()}


def prove(_payload: Payload, _run: JobRun) -> Payload:
    """Check that orders, stock, coupons and books agree; what does not is logged as an error."""
    outcome = proving.prove()
    return {"findings": len(outcome["findings"]), **outcome["counts"]}


JOBS = (
    Job("shop.cancel_expired", cancel_expired),
    Job("shop.forget_guests", forget_guests, priority=outbox.BULK),
    Job("shop.prove", prove, priority=outbox.BULK),
)
SCHEDULES = (
    Schedule("shop.cancel_expired", "shop.cancel_expired", every_seconds=60),
    Schedule("shop.forget_guests", "shop.forget_guests", cron="50 * * * *"),
    Schedule("shop.prove", "shop.prove", cron="45 3 * * *"),
)
