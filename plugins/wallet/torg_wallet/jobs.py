"""What is done about the books in the background. Every handler may run twice."""

from typing import Any

from torg import outbox
from torg.jobs import Job, JobRun
from torg.schedules import Schedule
from torg_wallet.services import expiry, proving

Payload = dict[str, Any]
_AT_ONCE = 500


class BooksBrokenError(Exception):
    """The proof found something; the log of errors says what. The job is marked as failed."""


def expire_holds(payload: Payload, run: JobRun) -> Payload:
    """Let go of expired holds; what is left goes into a job of its own."""
    del payload, run
    number = expiry.expire_holds(_AT_ONCE)
    if number == _AT_ONCE:
        outbox.enqueue("wallet.expire_holds")
    return {"accounts": number}


def prove(payload: Payload, run: JobRun) -> Payload:
    """Prove the books every night; what it finds is an alarm, never a repair."""
    del payload, run
    outcome = proving.prove()
    if not outcome["is_sound"]:
        raise BooksBrokenError(f"{len(outcome['findings'])} findings; see `torg wallet prove`")
    return outcome["counts"]  # type: ignore[no-any-return]  # a dict of numbers


JOBS = (
    Job("wallet.expire_holds", expire_holds),
    Job("wallet.prove", prove, priority=outbox.BULK, max_attempts=2),
)
SCHEDULES = (
    Schedule("wallet.expire_holds", "wallet.expire_holds", every_seconds=30),
    Schedule("wallet.prove", "wallet.prove", cron="20 2 * * *"),
)
