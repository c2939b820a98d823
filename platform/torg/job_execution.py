"""Running jobs: claim, lease, attempts, time limit and the transaction around a handler.

A job is claimed in a short transaction that counts the attempt and sets the time at which it may be
claimed again. The working transaction then locks the row until the handler's changes and the mark
`done` commit together. A process killed anywhere leaves a row that is claimed again within seconds,
for its lock ends with its connection.
"""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from types import FrameType
from typing import Any, Literal

import flask
import structlog
from sqlalchemy import event, text

from torg import db, logs, metrics
from torg.db import session
from torg.job_errors import describe_error
from torg.jobs import EXTENSION, GiveUpError, Job, JobRun, retry_delay, runnable
from torg.outbox import BULK

Outcome = Literal["done", "retried", "dead", "lost"]

# From the claim to the lock of the working transaction; longer, and another worker takes over.
LEASE_SECONDS = 4
# A job's end is stamped before its handler runs, to keep the time between an outside effect (a mail
# accepted by its server) and the commit as short as can be. Only a longer run is stamped anew.
_STAMP_AGAIN_SECONDS = 0.2
# The server ends a transaction left idle by a stuck process, well after the process would itself.
_IDLE_MARGIN_SECONDS = 30
_ENDED = "the handler ended the transaction; only the host may do that"

_log = structlog.get_logger(__name__)


class _TimeLimitError(BaseException):
    """The job ran longer than it may. No Exception, so that a handler does not swallow it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this process has claimed and must run now."""

    run: JobRun
    payload: dict[str, Any]
    max_attempts: int


# The levels of priority are walked one by one, because one index range over all of them would pass
# by every urgent job of the future (thousands of closings) before it met the first due one.
# `now()` and not `clock_timestamp()`: only a stable function can bound an index range.
_CLAIM = text(f"""
UPDATE torg_outbox SET state = 'running', attempts = attempts + 1,
    started_at = clock_timestamp(), run_at = clock_timestamp() + interval '{LEASE_SECONDS} s'
WHERE id = (
    SELECT due.id FROM (VALUES (0), (5), (9)) AS level (priority) CROSS JOIN LATERAL (
        SELECT id FROM torg_outbox
        WHERE state IN ('queued', 'running') AND priority = level.priority
            AND run_at <= now() AND job = ANY(:jobs)
        ORDER BY run_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    ) AS due
    WHERE level.priority <= :lowest LIMIT 1
)
RETURNING id, job, attempts, business_key, identity_id, request_id, created_at, payload,
    max_attempts
""")  # noqa: S608 - a constant is put in

# Takes the row and marks it done in one statement; the mark counts from the commit on.
# A paused process must not hold the row for ever, so the server is told how long it may be idle.
_TAKE = text("""
UPDATE torg_outbox SET state = 'done', finished_at = clock_timestamp(), last_error = NULL
WHERE id = (
    SELECT id FROM torg_outbox WHERE id = :id AND attempts = :attempt AND state = 'running'
    FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING set_config('idle_in_transaction_session_timeout', :idle, true)
""")

_FINISH = text(
    "UPDATE torg_outbox SET finished_at = clock_timestamp(), result = CAST(:result AS jsonb)"
    " WHERE id = :id"
)

_FAIL = text("""
UPDATE torg_outbox SET state = :state, last_error = :error,
    run_at = clock_timestamp() + make_interval(secs => :delay),
    finished_at = CASE WHEN :state = 'dead' THEN clock_timestamp() END
WHERE id = :id AND attempts = :attempt AND state = 'running'
RETURNING id
""")


def claim(app: flask.Flask, jobs: Iterable[str], lowest_priority: int = BULK) -> Claim | None:
    """Take the most urgent due job out of `jobs`, or None. Commits at once."""
    with db.unit_of_work("statement", app):
        row = session.execute(_CLAIM, {"jobs": list(jobs), "lowest": lowest_priority}).one_or_none()
    if row is None:
        return None
    run = JobRun(
        id=row.id,
        job=row.job,
        attempt=row.attempts,
        key=row.business_key,
        identity_id=row.identity_id,
        request_id=row.request_id,
        created_at=row.created_at,
    )
    return Claim(run, row.payload, row.max_attempts)


def perform(app: flask.Flask, claimed: Claim, *, time_limited: bool = False) -> Outcome:
    """Run a claimed job to its end and record what became of it.

    Args:
        app: the application.
        claimed: from `claim`.
        time_limited: stop it after its `limit_seconds`. For the main thread of a worker: it uses
            the process's alarm signal.

    Returns:
        "done"; "retried": it failed and waits; "dead": it failed for good; "lost": another worker
        has taken it over because this process slept too long.
    """
    run = claimed.run
    job: Job = app.extensions[EXTENSION][run.job]
    with logs.bound(job_id=run.id, job=run.job, attempt=run.attempt, request_id=run.request_id):
        if run.attempt > claimed.max_attempts:
            error = f"the process died during each of {claimed.max_attempts} attempts"
            return _fail(app, claimed, "dead", error, 0)
        started = monotonic()
        try:
            limit = job.limit_seconds if time_limited else None
            outcome: Outcome = "done" if _work(app, job, claimed, limit) else "lost"
        except (Exception, SystemExit, _TimeLimitError) as error:
            outcome = _failed(app, job, claimed, error)
        seconds = monotonic() - started
        if outcome != "lost":
            metrics.observe_job(run.job, outcome, seconds)
        if outcome == "done":
            _log.info("job_done", seconds=round(seconds, 3))
        return outcome


def _work(app: flask.Flask, job: Job, claimed: Claim, limit_seconds: int | None) -> bool:
    run = claimed.run
    with db.unit_of_work("write", app) as present:
        idle = f"{job.limit_seconds + _IDLE_MARGIN_SECONDS}s"
        values = {"id": run.id, "attempt": run.attempt, "idle": idle}
        if present.execute(_TAKE, values).first() is None:
            return False
        transaction = present.get_transaction()
        started = monotonic()
        with _only_the_host_commits(present), _limited(limit_seconds):
            result = job.handler(claimed.payload, run)
        if present.get_transaction() is not transaction:
            raise RuntimeError(_ENDED)
        if result is not None or monotonic() - started > _STAMP_AGAIN_SECONDS:
            stored = None if result is None else json.dumps(result)
            present.execute(_FINISH, {"id": run.id, "result": stored})
    return True


def _failed(app: flask.Flask, job: Job, claimed: Claim, error: BaseException) -> Outcome:
    attempt = claimed.run.attempt
    final = isinstance(error, GiveUpError) or attempt >= claimed.max_attempts
    if isinstance(error, _TimeLimitError):
        words = f"stopped after {job.limit_seconds} s, the limit of this job"
    else:
        words = describe_error(error)
    log = _log.error if final else _log.warning
    log("job_failed", error=words, final=final, exc_info=not isinstance(error, GiveUpError))
    delay = retry_delay(attempt, job.longest_wait_seconds, random.random())  # noqa: S311
    return _fail(app, claimed, "dead" if final else "queued", words, delay)


def _fail(app: flask.Flask, claimed: Claim, state: str, error: str, delay: float) -> Outcome:
    run = claimed.run
    with db.unit_of_work("statement", app):
        values: dict[str, Any] = {"id": run.id, "attempt": run.attempt}
        values |= {"state": state, "error": error, "delay": delay}
        is_ours = session.execute(_FAIL, values).first() is not None
    if not is_ours:
        return "lost"
    return "dead" if state == "dead" else "retried"


def drain(
    app: flask.Flask,
    jobs: Iterable[str],
    *,
    lowest_priority: int = BULK,
    stop: Callable[[], bool] = lambda: False,
    time_limited: bool = False,
) -> int:
    """Run due jobs out of `jobs` one after another until none is left; returns how many ran."""
    names = list(jobs)
    count = 0
    while names and not stop():
        claimed = claim(app, names, lowest_priority)
        if claimed is None:
            break
        perform(app, claimed, time_limited=time_limited)
        count += 1
    return count


def settle(app: flask.Flask) -> None:
    """Park due jobs that no active plugin can run; bring back those whose plugin is on again."""
    names = list(runnable(app))
    for statement in (_PARK, _UNPARK):
        with db.unit_of_work("statement", app):
            moved = len(session.execute(statement, {"jobs": names}).all())
        if moved:
            _log.info("jobs_moved", to="parked" if statement is _PARK else "queued", count=moved)


_PARK = text(
    "UPDATE torg_outbox SET state = 'parked' WHERE id IN (SELECT id FROM torg_outbox"
    " WHERE state IN ('queued', 'running') AND run_at <= now() AND NOT job = ANY(:jobs)"
    " FOR NO KEY UPDATE SKIP LOCKED) RETURNING id"
)
_UNPARK = text(
    "UPDATE torg_outbox SET state = 'queued' WHERE id IN (SELECT id FROM torg_outbox"
    " WHERE state = 'parked' AND job = ANY(:jobs) FOR NO KEY UPDATE SKIP LOCKED) RETURNING id"
)


@contextmanager
def _only_the_host_commits(present: Any) -> Iterator[None]:
    """Refuse a handler's commit: it would keep the mark `done` of a job that is half done."""

    def refuse(committing: Any) -> None:
        if not committing.in_nested_transaction():
            raise RuntimeError(_ENDED)

    event.listen(present, "before_commit", refuse)
    try:
        yield
    finally:
        event.remove(present, "before_commit", refuse)


@contextmanager
def _limited(seconds: int | None) -> Iterator[None]:
    """Interrupt the block after so many seconds, by the alarm signal of the main thread."""
    if seconds is None:
        yield
        return

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise _TimeLimitError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
