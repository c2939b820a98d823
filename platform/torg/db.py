"""The database: base classes, the unit of work and the database's own clock.

Owns sessions and transactions: feature code uses `session`, flushes where it needs an id and never
commits. Tables of the host stand beside the code that uses them; migrations are `torg.migrate`'s.
"""

import contextvars
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeVar

import flask
import psycopg2.extensions
import structlog
from flask import current_app, g
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import BigInteger, DateTime, Engine, Identity, MetaData, event, func, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    declared_attr,
    mapped_column,
    registry,
    scoped_session,
)

Mode = Literal["write", "read", "statement"]
Result = TypeVar("Result")

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
# Serialisation failure, deadlock, and a server that is going down or coming up.
_RETRYABLE = frozenset({"40001", "40P01", "57P01", "57P02", "57P03"})
_RETRY_FOR_SECONDS = 3.0


class Base(DeclarativeBase):
    """Parent of every table, of the host and of plugins."""

    registry = registry(
        metadata=MetaData(naming_convention=_NAMES),
        type_annotation_map={int: BigInteger(), datetime: DateTime(timezone=True)},
    )


class Fact:
    """Mixin of append-only records: an id and the database's time of creation, nothing else."""

    @declared_attr
    def id(cls) -> Mapped[int]:  # noqa: N805 - declared_attr is called with the class
        return mapped_column(BigInteger, Identity(), primary_key=True)

    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Record(Fact):
    """Mixin of every entity: removing one sets `is_active` to false, nothing is deleted."""

    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    updated_at: Mapped[datetime] = mapped_column(
        server_default=func.clock_timestamp(), onupdate=func.clock_timestamp()
    )


class _Session(FlaskSession):
    """A session whose reads can go without BEGIN and ROLLBACK round trips."""

    def get_bind(self, *args: Any, **kwargs: Any) -> Any:
        bind = super().get_bind(*args, **kwargs)
        if not is_autocommitting():
            return bind
        engines = current_app.extensions["torg.db"].autocommit
        engine = engines.get(bind)
        if engine is None:
            engine = engines[bind] = bind.execution_options(isolation_level="AUTOCOMMIT")
        return engine


@dataclass(slots=True)
class Statistics:
    """What the present unit of work asked of the database.

    `noted` holds the text and seconds of each statement, where somebody wants to see them.
    """

    statements: int = 0
    seconds: float = 0.0
    noted: list[tuple[str, float]] | None = None


@dataclass(slots=True)
class Unit:
    """The present unit of work; its session is made when somebody needs one."""

    mode: Mode = "write"
    after_commit: list[Callable[[], object]] = field(default_factory=list)
    # What `torg.prepared` asks on where no transaction is open, and how it gives that back.
    connection: Any = None
    release: Callable[[Any], object] | None = None


class _State:
    """Per application: engines in autocommit mode."""

    def __init__(self) -> None:
        self.autocommit: dict[Any, Any] = {}


db = SQLAlchemy(model_class=Base, session_options={"class_": _Session})
session: scoped_session[Any] = db.session
_statistics: contextvars.ContextVar[Statistics | None] = contextvars.ContextVar(
    "torg_statistics", default=None
)


def init(app: flask.Flask) -> None:
    """Connect the application; `SQLALCHEMY_DATABASE_URI` is set by `torg.app`."""
    app.extensions["torg.db"] = _State()
    db.init_app(app)
    with app.app_context():
        for engine in db.engines.values():
            _count_statements(engine)
            _switch_autocommit_locally(engine)
            event.listen(engine, "connect", _read_moments_quickly)
    app.teardown_appcontext(_release_forgotten)


def statistics() -> Statistics:
    """The statements of the present unit of work (a new, empty count outside of one)."""
    return _statistics.get() or Statistics()


def start_statistics(*, with_texts: bool = False) -> Statistics:
    """Begin a new count for this context and return it."""
    count = Statistics(noted=[] if with_texts else None)
    _statistics.set(count)
    return count


def note_statement(sql: str, seconds: float) -> None:
    """Count a statement; `torg.prepared` tells of those that went past SQLAlchemy."""
    count = _statistics.get()
    if count is not None:
        count.statements += 1
        count.seconds += seconds
        if count.noted is not None:
            count.noted.append((sql, seconds))


def database_now() -> datetime:
    """The database's clock at this very moment, aware, UTC: the only time that decides."""
    moment: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment


def after_commit(action: Callable[[], object]) -> None:
    """Run `action` once the present unit of work has committed; never when it rolls back.

    Nothing may depend on it: a process killed in between never runs it. What must happen goes
    through `torg.outbox`.
    """
    present_unit().after_commit.append(action)


def is_autocommitting() -> bool:
    """Whether each statement of the present unit of work is a transaction of its own."""
    return present_unit().mode != "write"


def present_unit() -> Unit:
    """The unit of work of the present application context."""
    # In `g`, which is as old as the session: one for every application context.
    found: Unit | None = g.get("torg_unit")
    if found is None:
        found = g.torg_unit = Unit()
    return found


@contextmanager
def unit_of_work(mode: Mode = "write", app: flask.Flask | None = None) -> Iterator[_Session]:
    """One transaction with a session of its own: commits at the end, rolls back on an error.

    It may stand inside another one (a read that has to write): the two share nothing.

    Args:
        mode: "write" is a transaction; "read" and "statement" give each statement its own
            (autocommit), which saves the round trips of BEGIN and COMMIT.
        app: the application, when there is no current one.
    """
    application = app or current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    with application.app_context(), committing(mode):
        yield session()


@contextmanager
def committing(mode: Mode) -> Iterator[None]:
    """The unit of work on the session of the present application context.

    That session is made when it is first used: many requests need none.

    Raises:
        CommitUnknownError: the connection broke while the commit was under way.
    """
    begin(mode)
    try:
        yield
    except BaseException:
        rollback()
        raise
    commit()


def begin(mode: Mode) -> None:
    """Start a unit of work in the given mode. The host's edges use it; plugins do not."""
    g.torg_unit = Unit(mode)


def rollback() -> None:
    """Undo the unit of work and forget its after-commit actions."""
    unit = present_unit()
    unit.after_commit.clear()
    _release(unit)
    if session.registry.has():
        try:
            session.rollback()
        finally:
            session.remove()


def _release(unit: Unit) -> None:
    connection, unit.connection = unit.connection, None
    if connection is not None and unit.release is not None:
        unit.release(connection)


def _release_forgotten(_error: BaseException | None) -> None:
    # An answer that is still being streamed may read once more when its unit of work has ended.
    unit: Unit | None = g.get("torg_unit")
    if unit is not None:
        _release(unit)


class CommitUnknownError(Exception):
    """The connection broke during the commit: whether it took place is not known."""


def commit() -> None:
    """Commit, then run the after-commit actions; one that fails is logged and stops nothing."""
    unit = present_unit()
    actions, unit.after_commit = unit.after_commit, []
    _release(unit)
    if session.registry.has():
        try:
            session.flush()
            # Autocommitted statements are committed, and of nothing there is nothing to commit.
            if session().in_transaction() and not is_autocommitting():
                _commit_flushed(session())
        except BaseException:
            rollback()
            raise
        session.remove()
    for action in actions:
        try:
            action()
        except Exception:
            structlog.get_logger(__name__).exception("after_commit_failed", action=repr(action))


def _commit_flushed(present: _Session) -> None:
    try:
        present.commit()
    except DBAPIError as error:
        if error.connection_invalidated or _is_lost(error):
            raise CommitUnknownError from error
        raise


def is_retryable(error: BaseException) -> bool:
    """Whether the whole unit of work may simply be run again: nothing of it was kept."""
    if not isinstance(error, DBAPIError):
        return False
    return getattr(error.orig, "pgcode", None) in _RETRYABLE or _is_lost(error)


def _is_lost(error: DBAPIError) -> bool:
    # psycopg2 gives no SQLSTATE when the connection itself failed.
    kind = type(error.orig).__name__ in {"OperationalError", "InterfaceError"}
    return error.connection_invalidated or (kind and getattr(error.orig, "pgcode", None) is None)


def retrying(attempt: Callable[[], Result], seconds: float = _RETRY_FOR_SECONDS) -> Result:
    """Call `attempt` until it succeeds, fails for good, or `seconds` are over.

    Serialisation failures, deadlocks and lost connections repeat the whole attempt with growing,
    jittered pauses. An unknown commit is never repeated: that could do the thing twice.
    """
    started = time.monotonic()
    pause = 0.01
    while True:
        try:
            return attempt()
        except DBAPIError as error:
            if not is_retryable(error) or time.monotonic() - started + pause > seconds:
                raise
        time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter needs no secrecy
        pause = min(pause * 2, 0.5)


def in_transaction(function: Callable[[], Result], app: flask.Flask | None = None) -> Result:
    """Run `function` as one unit of work, repeated as a whole where that is safe."""

    def attempt() -> Result:
        with unit_of_work("write", app):
            return function()

    return retrying(attempt)


def _switch_autocommit_locally(engine: Engine) -> None:
    """Let the switch to autocommit and back cost no round trip.

    SQLAlchemy asks psycopg2 for an isolation level, and psycopg2 sends a statement to set it each
    time; the attribute alone is a matter of the client.
    """
    dialect: Any = engine.dialect
    plain = dialect.set_isolation_level

    def set_isolation_level(connection: Any, level: str) -> None:
        if level in ("AUTOCOMMIT", dialect.default_isolation_level):
            connection.autocommit = level == "AUTOCOMMIT"
        else:
            plain(connection, level)

    dialect.set_isolation_level = set_isolation_level


def _read_moments_quickly(connection: Any, _record: Any) -> None:
    psycopg2.extensions.register_type(_MOMENTS, connection)


def _moment(text: str | None, cursor: Any) -> Any:
    """Python's reader of moments takes half the time of the driver's."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        # Beyond Python's calendar, or infinite: the driver's rules.
        return psycopg2.extensions.PYDATETIMETZ(text, cursor)


_TIMESTAMPTZ = 1184
_MOMENTS = psycopg2.extensions.new_type((_TIMESTAMPTZ,), "torg_moment", _moment)


def _count_statements(engine: Engine) -> None:
    @event.listens_for(engine, "before_cursor_execute")
    def started(
        _conn: Any, _cursor: Any, _sql: str, _parameters: Any, context: Any, _many: bool
    ) -> None:
        context.torg_started = time.perf_counter()

    @event.listens_for(engine, "after_cursor_execute")
    def ended(
        _conn: Any, _cursor: Any, sql: str, _parameters: Any, context: Any, _many: bool
    ) -> None:
        note_statement(sql, time.perf_counter() - context.torg_started)
