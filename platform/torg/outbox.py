"""The outbox: a job is first a row, written in the transaction of what it follows from.

Owns the table, putting jobs in, looking at them and trying dead ones again. Running them is
`torg.jobs`'; the wake-up call to workers is `torg.doorbell`'s. A rolled-back change leaves no job,
a committed one cannot lose it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, Protocol

import flask
import structlog
from flask import current_app
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Row,
    SmallInteger,
    Text,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from torg import db, doorbell
from torg.db import Base, session

State = Literal["queued", "running", "done", "dead", "parked"]
STATES: tuple[State, ...] = ("queued", "running", "done", "dead", "parked")
URGENT, NORMAL, BULK = 0, 5, 9
EXTENSION = "torg.outbox"


class Rules(Protocol):
    """What the outbox must know of a job to take it in; `torg.jobs.Job` says it."""

    @property
    def priority(self) -> int:
        """`URGENT`, `NORMAL` or `BULK`."""

    @property
    def max_attempts(self) -> int:
        """Tries before the job is dead."""

    @property
    def queue(self) -> str:
        """Which workers hear the ring."""


class UnknownJobError(LookupError):
    """No active plugin declares a job of this name; the message names those of the same plugin."""


class OutboxRow(Base):
    """One job: what to do, when, how often it was tried and what became of it."""

    __tablename__ = "torg_outbox"
    __table_args__ = (
        CheckConstraint(
            "state IN ('queued', 'running', 'done', 'dead', 'parked')", name="state_known"
        ),
        CheckConstraint("priority IN (0, 5, 9)", name="priority_known"),
        CheckConstraint(r"job ~ '^[a-z][a-z0-9_]*\.[a-z][a-z0-9_.]*$'", name="job_named"),
        CheckConstraint("char_length(business_key) <= 255", name="key_short"),
        CheckConstraint("max_attempts > 0", name="attempts_allowed"),
        Index(
            "uq_torg_outbox_business_key",
            *("plugin", "job", "business_key"),
            unique=True,
            postgresql_where=text("business_key IS NOT NULL"),
        ),
        Index(
            "ix_torg_outbox_due",
            *("priority", "run_at", "id"),
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
        Index("ix_torg_outbox_parked", "job", postgresql_where=text("state = 'parked'")),
        Index("ix_torg_outbox_dead", "id", postgresql_where=text("state = 'dead'")),
        Index("ix_torg_outbox_done", "finished_at", postgresql_where=text("state = 'done'")),
        Index(
            "ix_torg_outbox_identity",
            "identity_id",
            postgresql_where=text("identity_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    plugin: Mapped[str | None] = mapped_column(
        Text, Computed("split_part(job, '.'::text, 1)", persisted=True)
    )
    job: Mapped[str] = mapped_column(Text)
    payload: Mapped[Any] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    business_key: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, server_default="queued")
    priority: Mapped[int] = mapped_column(SmallInteger, server_default="5")
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    max_attempts: Mapped[int] = mapped_column(Integer, server_default="10")
    run_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    result: Mapped[Any | None] = mapped_column(JSONB)
    last_error: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(Text)
    identity_id: Mapped[int | None] = mapped_column(
        ForeignKey("torg_identity.id", ondelete="SET NULL")
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class ProgressRow(Base):
    """How far a job is. A table of its own: the job's row is locked while it runs."""

    __tablename__ = "torg_outbox_progress"

    job_id: Mapped[int] = mapped_column(
        ForeignKey("torg_outbox.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    done: Mapped[int]
    total: Mapped[int | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


def init(app: flask.Flask, known: Mapping[str, Rules]) -> None:
    """Give the application its doorbell, and the (living) list of the jobs it may put in."""
    app.extensions[EXTENSION] = known
    doorbell.init(app)


_ENQUEUE = text(
    "SELECT torg_enqueue(:job, CAST(:payload AS jsonb), :key, CAST(:run_at AS timestamptz),"
    " :request_id, CAST(:identity_id AS bigint), :priority, :max_attempts)"
)


def enqueue(
    job: str,
    payload: Mapping[str, Any] | None = None,
    *,
    key: str | None = None,
    run_at: datetime | None = None,
    identity_id: int | None = None,
    priority: int | None = None,
) -> int | None:
    """Put a job into the outbox, as part of the present transaction.

    It runs at least once after the commit, never after a rollback. Workers are woken after the
    commit; without Redis they find the job within about a second.

    Args:
        job: the declared name, `<plugin>.<what_to_do>`.
        payload: JSON values for the handler.
        key: at most 255 characters; a second job of the same name and key is never made, not even
            after the first is done (until it is pruned, see the setting `job_keep_keyed_days`).
        run_at: aware; the earliest time. The database's present time by default.
        identity_id: whose job it is; that person may read its state at `/api/v1/jobs/{id}`.
        priority: other than the one the job declares.

    Returns:
        The id of the job, or None when one with this key exists already.

    Raises:
        UnknownJobError: no active plugin declares the job.
    """
    rules = _rules(job)
    if run_at is not None and run_at.tzinfo is None:
        raise ValueError("run_at needs a time zone")
    arguments = {
        "job": job,
        "payload": json.dumps(dict(payload or {})),
        "key": key,
        "run_at": run_at,
        "request_id": structlog.contextvars.get_contextvars().get("request_id"),
        "identity_id": identity_id,
        "priority": rules.priority if priority is None else priority,
        "max_attempts": rules.max_attempts,
    }
    job_id: int | None = session.execute(_ENQUEUE, arguments).scalar_one()
    if job_id is not None and run_at is None:
        bell, queue = doorbell.bell(), rules.queue
        db.after_commit(lambda: bell.ring(queue, job_id))
    return job_id


def ring(job_id: int = 0, queue: str = "default") -> None:
    """Wake a worker now. For code that put jobs in through the SQL function `torg_enqueue`.

    Call it after the commit (`torg.db.after_commit`). It returns at once, whatever Redis does, and
    nothing depends on it: workers also look by themselves every second.
    """
    doorbell.bell().ring(queue, job_id)


def find(job_id: int) -> Row[Any] | None:
    """The job's row with its progress (`progress_done`, `progress_total`), or None."""
    return session.execute(_with_progress().where(OutboxRow.id == job_id)).one_or_none()


def listing(
    *, state: str | None = None, plugin: str | None = None, job: str | None = None, limit: int = 50
) -> list[Row[Any]]:
    """Jobs, newest first, at most `limit`."""
    query = _with_progress().order_by(OutboxRow.id.desc()).limit(limit)
    if state is not None:
        query = query.where(OutboxRow.state == state)
    if plugin is not None:
        query = query.where(OutboxRow.plugin == plugin)
    if job is not None:
        query = query.where(OutboxRow.job == job)
    return list(session.execute(query))


def counts() -> list[tuple[str, str, int]]:
    """How many jobs there are as (plugin, state, number), without the finished ones."""
    rows = session.execute(
        select(OutboxRow.plugin, OutboxRow.state, func.count())
        .where(OutboxRow.state != "done")
        .group_by(OutboxRow.plugin, OutboxRow.state)
        .order_by(OutboxRow.plugin, OutboxRow.state)
    )
    return [(plugin or "", state, number) for plugin, state, number in rows]


def retry(job_ids: Iterable[int] | None = None, *, job: str | None = None) -> list[int]:
    """Put dead jobs back to the queue with a full set of attempts, due now.

    Args:
        job_ids: which ones; None for all.
        job: only those of this name.

    Returns:
        The ids of the jobs put back; one that is not dead is left as it is.
    """
    rows = session.execute(
        text(
            "UPDATE torg_outbox SET state = 'queued', attempts = 0, finished_at = NULL,"
            " run_at = clock_timestamp() WHERE state = 'dead'"
            " AND (CAST(:ids AS bigint[]) IS NULL OR id = ANY(CAST(:ids AS bigint[])))"
            " AND (CAST(:job AS text) IS NULL OR job = :job) RETURNING id"
        ),
        {"ids": None if job_ids is None else list(job_ids), "job": job},
    )
    found = sorted(row.id for row in rows)
    if found:
        bell = doorbell.bell()
        db.after_commit(lambda: bell.ring("default", found[0]))
    return found


def prune(keep_days: int, keep_keyed_days: int, limit: int = 5000) -> int:
    """Forget done jobs older than `keep_days`; with a business key, older than `keep_keyed_days`.

    Args:
        keep_days: whole days since the job was done.
        keep_keyed_days: the same for jobs with a key, whose uniqueness ends with the row; 0 keeps
            them for ever.
        limit: rows at most, so that no transaction grows long.

    Returns:
        How many rows were deleted.
    """
    deleted = session.execute(
        text(
            "DELETE FROM torg_outbox WHERE id IN (SELECT id FROM torg_outbox WHERE state = 'done'"
            " AND finished_at < clock_timestamp() - make_interval(days => :days)"
            " AND (business_key IS NULL OR (:keyed > 0"
            "  AND finished_at < clock_timestamp() - make_interval(days => :keyed)))"
            " ORDER BY finished_at LIMIT :limit FOR UPDATE SKIP LOCKED) RETURNING id"
        ),
        {"days": keep_days, "keyed": keep_keyed_days, "limit": limit},
    )
    return len(deleted.all())


def _with_progress() -> Any:
    return select(
        *OutboxRow.__table__.columns,
        ProgressRow.done.label("progress_done"),
        ProgressRow.total.label("progress_total"),
    ).outerjoin(ProgressRow, ProgressRow.job_id == OutboxRow.id)


def _rules(job: str) -> Rules:
    known: Mapping[str, Rules] = current_app.extensions[EXTENSION]
    found = known.get(job)
    if found is None:
        plugin = job.partition(".")[0]
        near = sorted(name for name in known if name.startswith(f"{plugin}.")) or sorted(known)
        message = f"no job {job!r} is declared by an active plugin; known: {', '.join(near)}"
        raise UnknownJobError(message)
    return found
