"""Schedules: when which job is due, as rows of the database.

Owns the arithmetic of due times (pure) and the one statement that turns a due time into a job. Any
number of clocks may try it at once, late or repeatedly: a tick is a row `(schedule, due_at)`, made
once. Who tries is `torg.scheduler`, and every worker when no scheduler does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import flask
import structlog
from croniter import CroniterError, croniter
from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Integer, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from torg import clock, db, doorbell, idempotency, jobs
from torg.db import Base, session
from torg.jobs import Job

EXTENSION = "torg.schedules"
TICKS_KEPT_DAYS = 30
# Clocks look once a second; a due time that came and went between two looks is no missed one.
MADE_UP_AFTER = timedelta(seconds=10)

_log = structlog.get_logger(__name__)


class ScheduleDeclarationError(Exception):
    """A plugin declares a schedule wrongly; the message says which and what to change."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job that is put into the outbox again and again.

    Exactly one of `cron` and `every_seconds` is given. Each due time makes one job, whose business
    key is the tick and whose payload has the due time as `due_at` (RFC 3339) beside `payload`. Due
    times that pass while nothing runs (for more than 10 s) are made up for by ONE job, for the
    latest of them.

    Attributes:
        name: `<plugin>.<what_is_regular>`.
        job: the declared name of the job; of the same plugin.
        cron: minute, hour, day of month, month, day of week. A fixed hour happens once a day also
            on the days when the clocks change.
        every_seconds: whole seconds; due times are multiples of it since 1970, so that they do not
            move with a restart.
        zone: IANA name of the time zone in which `cron` is read.
        payload: what every run gets.
    """

    name: str
    job: str
    cron: str | None = None
    every_seconds: int | None = None
    zone: str = "UTC"
    payload: Mapping[str, Any] = field(default_factory=dict)


class ScheduleRow(Base):
    """One schedule with its next due time."""

    __tablename__ = "torg_schedule"
    __table_args__ = (
        CheckConstraint("num_nonnulls(cron, every_seconds) = 1", name="one_rhythm"),
        CheckConstraint("every_seconds > 0", name="interval_positive"),
        Index("ix_torg_schedule_due", "next_due_at", postgresql_where=text("is_active")),
    )

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    job: Mapped[str] = mapped_column(Text)
    cron: Mapped[str | None] = mapped_column(Text)
    every_seconds: Mapped[int | None] = mapped_column(Integer)
    zone: Mapped[str] = mapped_column(Text)
    payload: Mapped[Any] = mapped_column(JSONB)
    is_active: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    next_due_at: Mapped[datetime]
    last_due_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class TickRow(Base):
    """One due time that was turned into a job."""

    __tablename__ = "torg_schedule_tick"

    schedule: Mapped[str] = mapped_column(
        Text, ForeignKey("torg_schedule.name", ondelete="CASCADE"), primary_key=True
    )
    due_at: Mapped[datetime] = mapped_column(primary_key=True)
    job_id: Mapped[int | None]
    fired_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


def check(schedule: Schedule) -> None:
    """Refuse a rhythm that cannot be kept.

    Raises:
        ScheduleDeclarationError: with what to change.
    """
    problem = _problem(schedule)
    if problem:
        message = f"schedule {schedule.name!r}: {problem}"
        raise ScheduleDeclarationError(message)


def _problem(schedule: Schedule) -> str:
    if (schedule.cron is None) == (schedule.every_seconds is None):
        return "give either cron or every_seconds"
    if schedule.every_seconds is not None:
        return "" if schedule.every_seconds >= 1 else "every_seconds must be 1 or more"
    assert schedule.cron is not None
    fields = schedule.cron.split()
    if len(fields) != 5:
        # Six and seven fields mean different things to different programs (seconds first, seconds
        # last, a year), so they would be read wrongly by somebody.
        return f"cron {schedule.cron!r} has {len(fields)} fields; it needs the five of crontab"
    try:
        _zone(schedule.zone)
    except (ZoneInfoNotFoundError, ValueError):
        return f"zone {schedule.zone!r} is not an IANA time zone such as Europe/Berlin"
    try:
        croniter(schedule.cron, datetime(2026, 1, 1, tzinfo=UTC)).get_next(datetime)
    except (CroniterError, ValueError, KeyError) as error:
        return f"cron {schedule.cron!r} cannot be read: {error}"
    return ""


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def next_due(schedule: Schedule, after: datetime) -> datetime:
    """The first due time later than `after` (aware), in UTC, at a whole second.

    A cron time that the clocks skip in spring is due at the moment of the change. One that they
    repeat in autumn is due at its first occurrence only, unless the hour field is open (`*`), which
    means "regularly" and keeps its real distance.
    """
    if schedule.every_seconds is not None:
        step = schedule.every_seconds
        return datetime.fromtimestamp((int(after.timestamp()) // step + 1) * step, UTC)
    assert schedule.cron is not None
    times = croniter(schedule.cron, after.astimezone(_zone(schedule.zone)))
    is_regular = schedule.cron.split()[1].startswith("*")
    while True:
        due: datetime = times.get_next(datetime)
        if is_regular or due.fold == 0:
            return due.astimezone(UTC)


def latest_due(schedule: Schedule, first: datetime, now: datetime) -> datetime:
    """The latest due time that is not after `now`, given that `first` is a due time before it."""
    if schedule.every_seconds is not None:
        step = schedule.every_seconds
        return datetime.fromtimestamp(int(now.timestamp()) // step * step, UTC)
    # Look back from now in growing steps instead of walking through years of minutes.
    for back in (timedelta(hours=2), timedelta(days=2), timedelta(days=40)):
        if now - back <= first:
            break
        if (found := _last_between(schedule, now - back, now)) is not None:
            return found
    return _last_between(schedule, first, now) or first


def _last_between(schedule: Schedule, start: datetime, end: datetime) -> datetime | None:
    found = None
    moment = start
    while (moment := next_due(schedule, moment)) <= end:
        found = moment
    return found


def init(app: flask.Flask) -> None:
    """Give the application its list of schedules, with the host's own."""
    app.extensions[EXTENSION] = {}
    jobs.register(app, "host", Job("host.prune_ticks", _prune_ticks))
    register(app, "host", Schedule("host.prune_outbox", "host.prune_outbox", cron="17 * * * *"))
    register(app, "host", Schedule("host.prune_ticks", "host.prune_ticks", cron="41 3 * * *"))
    jobs.register(app, "host", Job("host.prune_kept_answers", _prune_kept_answers))
    name = "host.prune_kept_answers"
    register(app, "host", Schedule(name, name, cron="23 * * * *"))


def register(app: flask.Flask, plugin: str, schedule: Schedule) -> None:
    """Enter a schedule of a plugin, after its jobs.

    Raises:
        ScheduleDeclarationError: it cannot be kept, is named wrongly, or its job is not declared.
    """
    check(schedule)
    known: dict[str, Schedule] = app.extensions[EXTENSION]
    if not schedule.name.startswith(f"{plugin}.") or schedule.name in known:
        message = f"schedule {schedule.name!r} must start with '{plugin}.' and be declared once"
        raise ScheduleDeclarationError(message)
    job = app.extensions[jobs.EXTENSION].get(schedule.job)
    if job is None or job.plugin != plugin:
        message = f"schedule {schedule.name!r}: {plugin} declares no job {schedule.job!r}"
        raise ScheduleDeclarationError(message)
    known[schedule.name] = schedule


def withdraw(app: flask.Flask, plugin: str) -> None:
    """Take back the schedules of a plugin that failed later in its start."""
    known: dict[str, Schedule] = app.extensions[EXTENSION]
    for name in [name for name in known if name.startswith(f"{plugin}.")]:
        del known[name]


def declared(app: flask.Flask) -> dict[str, Schedule]:
    """The schedules whose job may run now, by name."""
    known: dict[str, Schedule] = app.extensions[EXTENSION]
    able = jobs.runnable(app)
    return {name: schedule for name, schedule in known.items() if schedule.job in able}


def sync(app: flask.Flask) -> dict[str, datetime]:
    """Bring the rows in line with what is declared; returns the next due time of each schedule.

    A new schedule, and one whose rhythm has changed, is first due from now on; any other keeps its
    due time, so that one missed while nothing ran is made up for. Schedules that are no longer
    declared, or whose plugin is off, become inactive.
    """
    wanted = declared(app)
    with db.unit_of_work("write", app):
        # Two processes that start together must take the rows in the same order.
        session.execute(text("SELECT pg_advisory_xact_lock(hashtext('torg_schedule'))"))
        now = db.database_now()
        for name in sorted(wanted):
            session.execute(_UPSERT, _row(wanted[name], now))
        session.execute(_SWITCH_OFF, {"names": list(wanted)})
    return upcoming(app)


def upcoming(app: flask.Flask) -> dict[str, datetime]:
    """The next due time of every active schedule that this application declares, by name."""
    with db.unit_of_work("read", app):
        rows = session.execute(_UPCOMING, {"names": list(declared(app))}).all()
    return {row.name: row.next_due_at for row in rows}


def fire(app: flask.Flask, name: str) -> datetime | None:
    """Turn the due times of a schedule that have come into jobs, if nobody else has.

    Returns:
        When the schedule is due next; None when it is not active.
    """
    schedule = declared(app).get(name)
    if schedule is None:
        return None
    with db.unit_of_work("statement", app):
        while True:
            row = session.execute(_READ, {"name": name}).one_or_none()
            if row is None:
                return None
            expected: datetime = row.next_due_at
            if expected > row.now:
                return expected
            due = expected
            if row.now - expected > MADE_UP_AFTER:
                due = latest_due(schedule, expected, row.now)
            _fire_tick(app, schedule, expected, due)


def _fire_tick(app: flask.Flask, schedule: Schedule, expected: datetime, due: datetime) -> None:
    """Make the tick `due` and set the next time, unless the due time is not `expected` any more."""
    job: Job = jobs.runnable(app)[schedule.job]
    written = clock.format_moment(due)
    job_id: int | None = session.execute(
        _FIRE,
        {
            "name": schedule.name,
            "expected": expected,
            "due": due,
            "following": next_due(schedule, due),
            "job": schedule.job,
            "payload": json.dumps({**schedule.payload, "due_at": written}),
            "key": f"{schedule.name}@{written}",
            "priority": job.priority,
            "attempts": job.max_attempts,
        },
    ).scalar()
    if job_id is not None:
        _log.info("schedule_fired", schedule=schedule.name, due_at=written, job_id=job_id)
        doorbell.bell().ring(job.queue, job_id)


def fire_overdue(app: flask.Flask, grace_seconds: float = 0.0) -> int:
    """Fire every schedule that is overdue by more than `grace_seconds`; returns how many were."""
    with db.unit_of_work("read", app):
        names = list(
            session.execute(
                _OVERDUE, {"grace": grace_seconds, "names": list(declared(app))}
            ).scalars()
        )
    for name in names:
        fire(app, name)
    return len(names)


def _row(schedule: Schedule, now: datetime) -> dict[str, Any]:
    return {
        "name": schedule.name,
        "job": schedule.job,
        "cron": schedule.cron,
        "every": schedule.every_seconds,
        "zone": schedule.zone,
        "payload": json.dumps(dict(schedule.payload)),
        "due": next_due(schedule, now),
    }


def _prune_kept_answers(_payload: dict[str, Any], _run: jobs.JobRun) -> dict[str, Any]:
    return {"deleted": idempotency.prune()}


def _prune_ticks(_payload: dict[str, Any], _run: jobs.JobRun) -> None:
    session.execute(
        text(
            "DELETE FROM torg_schedule_tick"
            " WHERE due_at < clock_timestamp() - make_interval(days => :days)"
        ),
        {"days": TICKS_KEPT_DAYS},
    )


_UPSERT = text("""
INSERT INTO torg_schedule AS present (name, job, cron, every_seconds, zone, payload, next_due_at)
VALUES (:name, :job, :cron, :every, :zone, CAST(:payload AS jsonb), :due)
ON CONFLICT (name) DO UPDATE SET job = excluded.job, cron = excluded.cron,
    every_seconds = excluded.every_seconds, zone = excluded.zone, payload = excluded.payload,
    is_active = true, updated_at = clock_timestamp(),
    next_due_at = CASE
        WHEN present.is_active
            AND (present.cron, present.every_seconds, present.zone)
                IS NOT DISTINCT FROM (excluded.cron, excluded.every_seconds, excluded.zone)
        THEN present.next_due_at ELSE excluded.next_due_at END
""")
_SWITCH_OFF = text(
    "UPDATE torg_schedule SET is_active = false, updated_at = clock_timestamp()"
    " WHERE is_active AND NOT name = ANY(:names)"
)
_UPCOMING = text(
    "SELECT name, next_due_at FROM torg_schedule WHERE is_active AND name = ANY(:names)"
)
_OVERDUE = text(
    "SELECT name FROM torg_schedule WHERE is_active AND name = ANY(:names)"
    " AND next_due_at <= now() - make_interval(secs => :grace) ORDER BY next_due_at"
)
_READ = text(
    "SELECT next_due_at, clock_timestamp() AS now FROM torg_schedule"
    " WHERE name = :name AND is_active"
)
# One statement and its own transaction: a process that is paused or killed holds nothing, and one
# that wakes up late with an old due time changes nothing.
_FIRE = text("""
WITH turn AS (
    UPDATE torg_schedule
    SET last_due_at = :due, next_due_at = :following, updated_at = clock_timestamp()
    WHERE name = :name AND is_active AND next_due_at = :expected
    RETURNING name
)
INSERT INTO torg_schedule_tick (schedule, due_at, job_id)
SELECT name, CAST(:due AS timestamptz), torg_enqueue(
    :job, CAST(:payload AS jsonb), :key, NULL, NULL, NULL, :priority, :attempts
) FROM turn
ON CONFLICT DO NOTHING
RETURNING job_id
""")
