"""What statistics do in the background. Every handler may run twice."""

from typing import Any

from torg import outbox
from torg.jobs import Job, JobRun
from torg.schedules import Schedule
from torg_stats.services import catalogue, keeping, reports, sending

Payload = dict[str, Any]


def keep(payload: Payload, run: JobRun) -> Payload:
    """Queue a job for each kind of facts, so that a poisoned one stops itself alone."""
    del payload, run
    names = list(catalogue.sources())
    for name in names:
        outbox.enqueue("stats.keep_facts", {"facts": name})
    return {"facts": len(names)}


def keep_facts(payload: Payload, run: JobRun) -> Payload:
    """Make the sums of some days that were touched; the rest goes into a job of its own."""
    del run
    name = payload["facts"]
    if name not in catalogue.sources():
        return {"days": 0}
    pending = made = 0
    with keeping.kept_apart(name) as problems:
        pending = keeping.note_changes(name)
        made = keeping.make_pending(name) if pending else 0
    if problems:
        # Repeating does not help: the next tick tries again, and questions say that it is broken.
        return {"days": 0, "problem": problems[0]}
    if pending > made > 0:
        outbox.enqueue("stats.keep_facts", {"facts": name})
    return {"days": made}


def send_due(payload: Payload, run: JobRun) -> Payload:
    """Queue the mails of reports whose time has come."""
    del payload, run
    found = reports.due()
    for each in found:
        outbox.enqueue(
            "stats.send_report",
            {"report_id": each.id, "occasion": each.due_at.isoformat()},
            key=f"{each.id}:{each.due_at.isoformat()}",
        )
    if len(found) == reports.AT_ONCE:
        # Most are due in the same minute of the night: the rest does not wait for the next tick.
        outbox.enqueue("stats.send_due")
    return {"reports": len(found)}


def send_report(payload: Payload, run: JobRun) -> None:
    """Answer one report and mail it."""
    del run
    sending.send_report(payload["report_id"], payload["occasion"])


JOBS = (
    Job("stats.keep", keep, priority=outbox.BULK),
    Job("stats.keep_facts", keep_facts, priority=outbox.BULK, max_attempts=3),
    Job("stats.send_due", send_due),
    Job("stats.send_report", send_report, priority=outbox.BULK, max_attempts=5),
)
SCHEDULES = (
    Schedule("stats.keep", "stats.keep", every_seconds=300),
    Schedule("stats.send_due", "stats.send_due", every_seconds=60),
)
