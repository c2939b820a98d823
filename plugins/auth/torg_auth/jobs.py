"""The background work of accounts: mails whose sending must not show in an answer's time."""

from typing import Any

from torg.jobs import Job, JobRun
from torg.outbox import BULK, URGENT
from torg.schedules import Schedule
from torg_auth.domain.codes import Purpose
from torg_auth.services import avatars, housekeeping, mailing
from torg_auth.services.callers import Caller


def _greet(payload: dict[str, Any], _run: JobRun) -> None:
    mailing.greet(payload["user_id"])


def _send_code(payload: dict[str, Any], run: JobRun) -> dict[str, Any]:
    caller = Caller(
        address=payload["address"],
        place="",
        device_label=payload["device_label"],
        request_id=run.request_id or "",
    )
    purpose = Purpose(payload["purpose"])
    return {"sent": mailing.send_asked_code(payload["email"], purpose, caller)}


def _forget_old(_payload: dict[str, Any], _run: JobRun) -> dict[str, Any]:
    return {"deleted": housekeeping.forget_old()}


def _remove_file(payload: dict[str, Any], _run: JobRun) -> None:
    avatars.remove_file(payload["key"])


JOBS = (
    Job("auth.greet", _greet, priority=URGENT),
    Job("auth.send_code", _send_code, priority=URGENT),
    Job("auth.forget_old", _forget_old, priority=BULK),
    Job("auth.remove_file", _remove_file, priority=BULK),
)
SCHEDULES = (Schedule("auth.forget_old", job="auth.forget_old", cron="17 3 * * *"),)
