"""Background work of trading: orders and carts whose time is over, the nightly proof."""

from typing import Any

from torg import outbox
from torg.db import database_now
from torg.jobs import Job, JobRun
from torg.schedules import Schedule
from torg_shop.services import carts, orders, provider_payments, proving

Payload = dict[str, Any]
# When an order whose job has failed gets another one.
_AGAIN_SECONDS = 600


def cancel_expired(payload: Payload, run: JobRun) -> Payload:
    """Queue a job for each order that was not paid in time, so that its goods become free."""
    del payload, run
    due = orders.expired()
    part = int(database_now().timestamp()) // _AGAIN_SECONDS
    for number in due:
        # By a key, so that jobs do not pile up while workers are busy or away.
        outbox.enqueue("shop.cancel_unpaid", {"number": number}, key=f"{number}:{part}")
    return {"orders": len(due)}


def cancel_unpaid(payload: Payload, run: JobRun) -> Payload:
    """Cancel one order, if it is still not paid.

    Money that came in time pays it, also when this job is faster than the one that tells so.
    """
    del run
    provider_payments.hear_of(payload["number"])
    return {"is_cancelled": orders.cancel_expired(payload["number"])}


def forget_guests(_payload: Payload, _run: JobRun) -> Payload:
    """Remove carts of guests who have not come back."""
    return {"removed": carts.forget_guests()}


def prove(_payload: Payload, _run: JobRun) -> Payload:
    """Check that orders, stock, coupons and books agree; what does not is logged as an error."""
    outcome = proving.prove()
    return {"findings": len(outcome["findings"]), **outcome["counts"]}


JOBS = (
    Job("shop.cancel_expired", cancel_expired),
    Job("shop.cancel_unpaid", cancel_unpaid),
    Job("shop.forget_guests", forget_guests, priority=outbox.BULK),
    Job("shop.prove", prove, priority=outbox.BULK),
)
SCHEDULES = (
    Schedule("shop.cancel_expired", "shop.cancel_expired", every_seconds=60),
    Schedule("shop.forget_guests", "shop.forget_guests", cron="50 * * * *"),
    Schedule("shop.prove", "shop.prove", cron="45 3 * * *"),
)
