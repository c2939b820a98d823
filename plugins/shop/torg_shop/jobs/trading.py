"""Background work of trading: orders whose time to be paid is over."""

from typing import Any

from torg.jobs import Job, JobRun
from torg.schedules import Schedule
from torg_shop.services import orders

Payload = dict[str, Any]


def cancel_expired(payload: Payload, run: JobRun) -> Payload:
    """Cancel what was not paid in time, so that its goods are free for others."""
    del payload, run
    return {"cancelled": orders.cancel_expired()}


JOBS = (Job("shop.cancel_expired", cancel_expired),)
SCHEDULES = (Schedule("shop.cancel_expired", "shop.cancel_expired", every_seconds=60),)
