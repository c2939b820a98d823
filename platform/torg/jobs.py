"""Background jobs: what a plugin declares, and what its handlers see.

Owns the declaration, the list of known jobs and the host's own ones. The rows are `torg.outbox`'s,
claiming and running them is `torg.job_execution`'s, the processes are `torg.worker`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any

import flask
from sqlalchemy import text

from torg import config, db, events, outbox, plugins
from torg.db import session
from torg.outbox import BULK, NORMAL

Handler = Callable[[dict[str, Any], "JobRun"], "dict[str, Any] | None"]
EXTENSION = "torg.jobs"

_PROGRESS_SECONDS = 0.25
_PRUNED_AT_ONCE = 5000


class GiveUpError(Exception):
    """Raised by a handler when trying again cannot help: the job is dead at once."""


@dataclass(frozen=True, slots=True)
class Job:
    """A kind of background work.

    The handler runs at least once for every job in the outbox and may run again after a crash, so
    it must be safe to repeat. It is called inside a write unit of work: what it changes through
    `torg.db.session` commits together with the job's mark `done`; an error rolls all of it back and
    the job is tried again. What it returns (JSON) is the job's result; a member `file` in it, a key
    of `torg.storage`, is shown to the job's owner as a signed link.

    An effect outside of the database (a mail, a call) belongs at the very end: between it and the
    commit lies the only moment in which a crash makes it happen twice.

    Attributes:
        name: `<plugin>.<what_to_do>`.
        handler: called with the payload and the `JobRun`.
        max_attempts: tries before the job is dead and waits for `torg jobs retry`.
        queue: `torg run worker --queue NAME` runs only jobs of that queue.
        priority: `outbox.URGENT` jobs never wait for others, not even for one that is running;
            they are for quick work in the database. `outbox.BULK` ones let all others go first.
        limit_seconds: longest run; then it is stopped and tried again. In the lane of urgent jobs
            only the database's own time limits count.
        longest_wait_seconds: where the doubling pauses between attempts end.
    """

    name: str
    handler: Handler
    max_attempts: int = 10
    queue: str = "default"
    priority: int = NORMAL
    limit_seconds: int = 300
    longest_wait_seconds: int = 600

    @property
    def plugin(self) -> str:
        """Whose job it is."""
        return self.name.partition(".")[0]


@dataclass(slots=True)
class JobRun:
    """One attempt at one job, as its handler sees it.

    Attributes:
        id: of the row in the outbox.
        job: the declared name.
        attempt: 1 for the first.
        key: the business key, if the job has one.
        identity_id: whose job it is, if anybody's.
        request_id: of the request that put it in.
        created_at: when it was put in.
    """

    id: int
    job: str
    attempt: int
    key: str | None
    identity_id: int | None
    request_id: str | None
    created_at: datetime
    _progress_at: float = field(default=0.0, repr=False)

    def progress(self, done: int, total: int | None = None) -> None:
        """Let others see how far the job is, at once, whatever becomes of its transaction.

        May be called for every row: only about four calls a second, and the one that reaches
        `total`, are written.
        """
        if done != total and monotonic() - self._progress_at < _PROGRESS_SECONDS:
            return
        self._progress_at = monotonic()
        with db.unit_of_work("statement"):
            session.execute(_PROGRESS, {"id": self.id, "done": done, "total": total})


_PROGRESS = text(
    "INSERT INTO torg_outbox_progress (job_id, done, total) VALUES (:id, :done, :total)"
    " ON CONFLICT (job_id) DO UPDATE SET done = excluded.done, total = excluded.total,"
    " updated_at = clock_timestamp()"
)


class JobDeclarationError(Exception):
    """A plugin declares a job wrongly; the message says which and what to change."""


def init(app: flask.Flask) -> None:
    """Give the application its list of jobs, with the host's own, and the outbox."""
    known: dict[str, Job] = {}
    app.extensions[EXTENSION] = known
    outbox.init(app, known)
    for job in _HOST_JOBS:
        register(app, "host", job)


def register(app: flask.Flask, plugin: str, job: Job) -> None:
    """Enter a job of a plugin.

    Raises:
        JobDeclarationError: its name lacks the plugin's prefix or is taken, or a value is wrong.
    """
    known: dict[str, Job] = app.extensions[EXTENSION]
    if not job.name.startswith(f"{plugin}.") or job.name in known:
        message = f"job {job.name!r} of {plugin} must start with '{plugin}.' and be declared once"
        raise JobDeclarationError(message)
    if job.priority not in (outbox.URGENT, outbox.NORMAL, outbox.BULK):
        message = f"job {job.name!r}: priority must be outbox.URGENT, NORMAL or BULK"
        raise JobDeclarationError(message)
    if min(job.max_attempts, job.limit_seconds, job.longest_wait_seconds) < 1:
        message = f"job {job.name!r}: attempts, limit and longest wait must be 1 or more"
        raise JobDeclarationError(message)
    known[job.name] = job


def deliver_events(app: flask.Flask, plugin: str) -> None:
    """Enter the job that brings events to a plugin's durable subscriptions; repeatable.

    A job of the plugin's own name waits, parked, as long as the plugin is off.
    """
    name = f"{plugin}.{events.DELIVERY}"
    if name not in app.extensions[EXTENSION]:
        register(app, plugin, Job(name, _deliver_event))


def withdraw(app: flask.Flask, plugin: str) -> None:
    """Take back the jobs of a plugin that failed later in its start."""
    known: dict[str, Job] = app.extensions[EXTENSION]
    for name in [name for name, job in known.items() if job.plugin == plugin]:
        del known[name]


def runnable(app: flask.Flask, queues: Collection[str] = ()) -> dict[str, Job]:
    """The jobs that may run now, by name: of the host and of plugins that are active.

    Args:
        app: the application.
        queues: only jobs of these queues; empty for all.
    """
    known: dict[str, Job] = app.extensions[EXTENSION]
    active = {"host", *(plugin.name for plugin in plugins.registry(app).active())}
    return {
        name: job
        for name, job in known.items()
        if job.plugin in active and (not queues or job.queue in queues)
    }


def retry_delay(attempt: int, longest_seconds: float, chance: float) -> float:
    """Seconds to wait after failed attempt number `attempt` (1 is the first).

    Doubling from 2 s up to `longest_seconds`, then spread over 50 % to 100 % of it so that jobs
    that failed together do not come back together ("equal jitter").

    Args:
        attempt: 1 or more.
        longest_seconds: where the doubling ends.
        chance: from 0 up to 1.
    """
    whole = min(2.0 ** min(attempt, 30), longest_seconds)
    return whole * (0.5 + chance / 2)


def run_due(app: flask.Flask) -> int:
    """Run every job that is due, in this process, with those that follow; returns how many ran."""
    from torg import job_execution

    job_execution.settle(app)
    return job_execution.drain(app, runnable(app))


def _deliver_event(payload: dict[str, Any], _run: JobRun) -> None:
    events.deliver_queued(payload)


def _prune(_payload: dict[str, Any], _run: JobRun) -> dict[str, Any]:
    host = config.settings().host
    deleted = outbox.prune(host.job_keep_days, host.job_keep_keyed_days, _PRUNED_AT_ONCE)
    if deleted == _PRUNED_AT_ONCE:
        outbox.enqueue("host.prune_outbox")  # the rest in a transaction of its own
    return {"deleted": deleted}


_HOST_JOBS = (Job("host.prune_outbox", _prune, priority=BULK),)
