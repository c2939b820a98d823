"""Running the market's jobs because somebody asks: as a job, or as a rehearsal."""

from typing import Any

from torg import outbox
from torg_autotrade.services import runs
from torg_autotrade.services.market_context import settings

MOST_DECISIONS = 10_000


def start(kind: str, person_id: int) -> dict[str, Any]:
    """Put a run into the outbox; its state is at `/api/v1/jobs/{id}`."""
    job_id = outbox.enqueue("autotrade.run", {"kind": kind}, identity_id=person_id)
    assert job_id is not None
    return {
        "kind": kind,
        "is_dry_run": False,
        "job_id": job_id,
        "seen": 0,
        "dealt": 0,
        "decisions": [],
        "is_complete": False,
    }


def _shown(decision: dict[str, Any]) -> dict[str, Any]:
    currency = settings().currency
    candidates = [{**each, "currency": currency} for each in decision["candidates"]]
    return {**decision, "currency": currency, "candidates": candidates}


def rehearse(kind: str) -> dict[str, Any]:
    """What the next run would do with all that waits, or with the first of it."""
    report = runs.rehearse(kind)
    return {
        "kind": kind,
        "is_dry_run": True,
        "job_id": None,
        "seen": report.seen,
        "dealt": report.dealt,
        "decisions": [_shown(each) for each in report.decisions[:MOST_DECISIONS]],
        "is_complete": report.is_complete and len(report.decisions) <= MOST_DECISIONS,
    }
