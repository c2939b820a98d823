"""Background work: the three runs, trying a new offer at once, telling people.

A run takes its moment from the database's clock. The key of its row is that of the job, so a job
that was killed goes on where it stopped.
"""

from typing import Any

from torg import outbox
from torg.jobs import Job, JobRun
from torg.schedules import Schedule
from torg_autotrade import telling
from torg_autotrade.services import runs, tidying
from torg_autotrade.services.market_context import settings

Payload = dict[str, Any]


def run(payload: Payload, run: JobRun) -> Payload:
    """One of the runs, whole or one part of it."""
    kind, parts = payload["kind"], settings().parts
    if parts > 1 and "part" not in payload:
        for part in range(parts):
            more = {"kind": kind, "part": part, "parts": parts}
            outbox.enqueue("autotrade.run", more, key=f"{run.id}:{part}")
        return {"parts": parts}
    report = runs.run(
        kind, key=f"job:{run.id}", part=payload.get("part", 0), parts=payload.get("parts", 1)
    )
    return {"seen": report.seen, "dealt": report.dealt, "failed": report.failed}


def try_offer(payload: Payload, run: JobRun) -> Payload:
    """Try one new offer."""
    report = runs.run("sales", key=f"job:{run.id}", only=payload["offer_id"])
    return {"dealt": report.dealt}


def tidy(payload: Payload, run: JobRun) -> Payload:
    """Forget old runs."""
    del payload, run
    return {"forgotten": tidying.forget_runs()}


JOBS = (
    Job("autotrade.run", run, limit_seconds=1800),
    Job("autotrade.try_offer", try_offer),
    Job("autotrade.tell_sold", telling.tell_sold),
    Job("autotrade.tell_ended", telling.tell_ended),
    Job("autotrade.tidy", tidy, priority=outbox.BULK),
)
SCHEDULES = (
    Schedule("autotrade.sales", "autotrade.run", every_seconds=60, payload={"kind": "sales"}),
    Schedule("autotrade.supply", "autotrade.run", every_seconds=600, payload={"kind": "supply"}),
    Schedule("autotrade.review", "autotrade.run", every_seconds=3600, payload={"kind": "review"}),
    Schedule("autotrade.tidy", "autotrade.tidy", every_seconds=86400),
)
