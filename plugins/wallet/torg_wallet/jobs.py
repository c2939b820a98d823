"""What is done about the books in the background. Every handler may run twice."""

from typing import Any

from torg import outbox
from torg.jobs import Job, JobRun
from torg.schedules import Schedule
from torg_wallet.providers import sandbox
from torg_wallet.queries import bonus as bonus_queries
from torg_wallet.services import bonus, expiry, payments, proving

Payload = dict[str, Any]
# Few accounts in one transaction: their locks last until it ends.
_AT_ONCE = 50
_PEOPLE_AT_ONCE = 1000


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


def start_payment(payload: Payload, run: JobRun) -> None:
    """Call the provider of a new payment."""
    del run
    payments.start(payload["reference"])


def ask_silent(payload: Payload, run: JobRun) -> Payload:
    """Ask about payments that nothing was told of for long."""
    del payload, run
    return {"asked": payments.ask_about_silent()}


def ask_payment(payload: Payload, run: JobRun) -> Payload:
    """Ask the provider of one payment how it stands."""
    del run
    return {"outcome": payments.ask(payload["reference"])}


def sandbox_deliver(payload: Payload, run: JobRun) -> Payload:
    """Call back as the sandbox does: signed, through the same door as a real provider's webhook."""
    del run
    headers, body = sandbox.signed_call(payload["event_id"], payload["body"])
    return {"outcomes": payments.receive("sandbox", headers, body)}


def settle_points(payload: Payload, run: JobRun) -> Payload:
    """Queue a job for each person whose points have matured or expired.

    One job for a person, so that no transaction locks the accounts of many.
    """
    del payload, run
    people = bonus_queries.people_due(_PEOPLE_AT_ONCE)
    for identity_id in people:
        outbox.enqueue("wallet.settle_person", {"identity_id": identity_id})
    return {"people": len(people)}


def settle_person(payload: Payload, run: JobRun) -> None:
    """Let one person's points mature and expire."""
    del run
    bonus.settle(payload["identity_id"])


JOBS = (
    Job("wallet.settle_points", settle_points),
    Job("wallet.settle_person", settle_person, priority=outbox.BULK),
    Job("wallet.start_payment", start_payment, max_attempts=50),
    Job("wallet.ask_silent", ask_silent),
    Job("wallet.ask_payment", ask_payment),
    Job(sandbox.JOB, sandbox_deliver),
    Job("wallet.expire_holds", expire_holds),
    Job("wallet.prove", prove, priority=outbox.BULK, max_attempts=2),
)
SCHEDULES = (
    Schedule("wallet.expire_holds", "wallet.expire_holds", every_seconds=30),
    Schedule("wallet.settle_points", "wallet.settle_points", every_seconds=300),
    Schedule("wallet.ask_silent", "wallet.ask_silent", every_seconds=60),
    Schedule("wallet.prove", "wallet.prove", cron="20 2 * * *"),
)
