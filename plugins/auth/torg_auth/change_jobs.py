"""The background work of changes, telephones and verification."""

from dataclasses import replace
from typing import Any

from torg.jobs import Job, JobRun
from torg.outbox import BULK, URGENT
from torg.schedules import Schedule
from torg_auth.services import phones, recovery, texts, verification
from torg_auth.services.callers import present_caller


def _send_text(payload: dict[str, Any], _run: JobRun) -> dict[str, Any]:
    return texts.send(payload["message_id"])


def _send_phone_code(payload: dict[str, Any], _run: JobRun) -> dict[str, Any]:
    return {"sent": phones.send_asked_code(payload["username"])}


def _send_reset_text(payload: dict[str, Any], _run: JobRun) -> dict[str, Any]:
    by = replace(present_caller(), address=payload["address"], device_label=payload["device_label"])
    return {"sent": recovery.send_asked_code(payload["phone"], by)}


def _expire(_payload: dict[str, Any], _run: JobRun) -> dict[str, Any]:
    return {
        "expired": verification.expire_due(present_caller()),
        "documents": verification.forget_documents(),
    }


def _remove_document(payload: dict[str, Any], _run: JobRun) -> None:
    verification.remove_file(payload["key"])


CHANGE_JOBS = (
    Job(texts.SEND, _send_text, priority=URGENT, limit_seconds=30, longest_wait_seconds=60),
    Job(phones.RESEND, _send_phone_code, priority=URGENT),
    Job(recovery.SEND, _send_reset_text, priority=URGENT),
    Job(verification.EXPIRE, _expire),
    Job(verification.REMOVE, _remove_document, priority=BULK),
)
CHANGE_SCHEDULES = (Schedule(verification.EXPIRE, job=verification.EXPIRE, cron="7 * * * *"),)
