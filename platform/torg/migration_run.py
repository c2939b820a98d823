"""Running revisions: one process at a time, each revision committed with its record.

Owns the lock that keeps two upgrades apart, the time limits on table locks, Alembic's
configuration for a stream and revisions written down as SQL. What is to run is
`torg.migration_plan`'s decision.
"""

from __future__ import annotations

import io
import re
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import groupby
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError

from torg.db import Base
from torg.migration_plan import MigrationError, Step
from torg.migration_record import Recorder
from torg.migration_streams import Revision, Stream, environment_folder, owner

LOCK_TIMEOUT_SECONDS = 5
LOCK_ATTEMPTS = 6
WAIT_SECONDS = 900.0
# "torgmigr" as a number: the one advisory lock of all migrations of a database.
_ADVISORY_KEY = 0x746F72676D696772
_LOCK_NOT_AVAILABLE, _DEADLOCK = "55P03", "40P01"

Tell = Callable[[str], object]


def silent(_line: str) -> None:
    """Tell nobody."""


@contextmanager
def exclusive(
    engine: Engine, tell: Tell = silent, wait_seconds: float = WAIT_SECONDS
) -> Iterator[Connection]:
    """A connection that holds the lock of all migrations of this database; others wait.

    The lock belongs to the very connection that migrates: if that breaks, the lock is gone and so
    is the run. (Through a pooler in transaction mode neither would hold: connect directly.)

    Raises:
        MigrationError: another process held the lock for all of `wait_seconds`.
    """
    with engine.connect() as connection:
        try:
            _take_lock(connection, tell, wait_seconds)
            connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"))
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text("SET idle_in_transaction_session_timeout = 0"))
            connection.commit()
            yield connection
        finally:
            # Never back into the pool: the lock and the settings belong to the session.
            connection.invalidate()


def _take_lock(connection: Connection, tell: Tell, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    told = False
    while True:
        taken = connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _ADVISORY_KEY})
        if taken:
            connection.commit()
            return
        holder = _holder(connection)
        connection.rollback()
        if not told:
            tell(f"Waiting: {holder} is migrating this database.")
            told = True
        if time.monotonic() > deadline:
            raise MigrationError(
                f"another process has been migrating for over {wait_seconds:.0f} seconds",
                where=holder,
                next_steps=("wait for it to end, then repeat: torg db upgrade",),
            )
        time.sleep(0.2)


def _holder(connection: Connection) -> str:
    row = connection.execute(
        text(
            "SELECT a.pid, a.client_addr, a.backend_start FROM pg_locks l "
            "JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted "
            "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND l.classid::bigint = :high AND l.objid::bigint = :low"
        ),
        {"high": _ADVISORY_KEY >> 32, "low": _ADVISORY_KEY & 0xFFFFFFFF},
    ).first()
    if row is None:
        return "another process"
    return f"database session {row.pid} from {row.client_addr or 'this machine'}"


def options(stream: Stream, names: Iterable[str] = ()) -> dict[str, Any]:
    """What Alembic is to know about a stream; env.py and the drift check share it.

    Args:
        stream: the one that is looked at.
        names: all known plugins, for telling whose a table is.
    """
    known = frozenset({stream.name, *names})

    def is_ours(name: str | None, kind: str, _parents: object) -> bool:
        # Otherwise autogenerate proposes to drop everybody else's tables.
        return kind != "table" or name is None or owner(name, known) == stream.name

    def is_our_object(thing: object, name: str | None, kind: str, *_comparison: object) -> bool:
        return is_ours(name, kind, thing)

    return {
        "target_metadata": Base.metadata,
        "version_table": stream.version_table,
        "include_name": is_ours,
        "include_object": is_our_object,
        # Each revision commits with its record, so a failure keeps the revisions before it.
        "transaction_per_migration": True,
        "compare_type": True,
        "compare_server_default": True,
        "autogenerate_plugins": ["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
    }


def configuration(stream: Stream, attributes: Mapping[str, Any] | None = None) -> Config:
    """Alembic's configuration for one stream; `attributes` are handed to env.py."""
    # Quiet, because the results of commands are ours to print.
    config = Config(stdout=io.StringIO(), cmd_opts=Namespace(quiet=True))
    config.set_main_option("script_location", _escaped(environment_folder()))
    # One folder a line: any other separator may be part of a path, and Alembic then silently
    # finds no revisions at all.
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", _escaped(stream.folder))
    config.attributes.update({"stream": stream, **(attributes or {})})
    return config


def _escaped(path: object) -> str:
    """ConfigParser would read a % in a path as the beginning of a reference."""
    return str(path).replace("%", "%%")


def run(
    connection: Connection,
    steps: Sequence[Step],
    *,
    downgrade: bool = False,
    names: Iterable[str] = (),
    tell: Tell = silent,
) -> None:
    """Run the steps in their order on the connection of `exclusive`.

    Raises:
        MigrationError: a revision failed; it was rolled back, those before it are kept.
    """
    known = frozenset(names)
    for stream, group in groupby(steps, key=lambda step: step.stream):
        revisions = [step.revision for step in group]
        attributes = {"stream": stream, "connection": connection, "names": known}
        written = {} if downgrade else removals(stream, revisions)
        for attempt in range(1, LOCK_ATTEMPTS + 1):
            recorder = Recorder(connection, stream, written, known)
            try:
                _run_stream(attributes | {"recorder": recorder}, revisions, downgrade=downgrade)
            except Exception as error:
                connection.rollback()
                failed = next(each for each in revisions if each.id not in recorder.done)
                if not _is_busy(error) or not failed.transactional or attempt == LOCK_ATTEMPTS:
                    raise _failure(failed, error, connection, downgrade=downgrade) from error
                tell(f"{failed.id}: a table is in use, trying again ({attempt}).")
            finally:
                for revision in recorder.done:
                    tell(f"{'Undone' if downgrade else 'Applied'}: {revision}")
            revisions = [each for each in revisions if each.id not in recorder.done]
            if not revisions:
                break
            time.sleep(min(2.0**attempt / 4, 5))


def _run_stream(
    attributes: Mapping[str, Any], revisions: Sequence[Revision], *, downgrade: bool
) -> None:
    config = configuration(attributes["stream"], attributes)
    last = revisions[-1]
    if downgrade:
        command.downgrade(config, last.previous or "base")
    else:
        command.upgrade(config, last.id)


def _is_busy(error: Exception) -> bool:
    code = getattr(getattr(error, "orig", None), "pgcode", None)
    return code in {_LOCK_NOT_AVAILABLE, _DEADLOCK}


def _failure(
    revision: Revision, error: Exception, connection: Connection, *, downgrade: bool
) -> MigrationError:
    verb = "Undoing" if downgrade else "Applying"
    kept = (
        "nothing of it was kept"
        if revision.transactional
        else ("it works outside a transaction, so a part of it may be there")
    )
    steps = ["mend the cause, then repeat the command; what was done before is kept"]
    why = f"{_cause(error)} ({kept})"
    if _is_busy(error) and not connection.invalidated:
        sessions = _longest_transactions(connection)
        why = (
            f"a table it needs was in use for {LOCK_ATTEMPTS} times {LOCK_TIMEOUT_SECONDS} seconds "
            f"({kept})"
        )
        if sessions:
            why += f". Oldest open transactions: {'; '.join(sessions)}"
        steps = ["end those, or repeat the command when there is less to do"]
    return MigrationError(
        f"{verb} {revision.id} failed", where=str(revision.path), why=why, next_steps=steps
    )


def _cause(error: Exception) -> str:
    if isinstance(error, MigrationError):
        return f"{error.what}: {error.why}"
    if isinstance(error, DBAPIError):
        return str(error.orig).strip().replace("\n", " ")
    return f"{type(error).__name__}: {error}"


def _longest_transactions(connection: Connection) -> list[str]:
    rows = connection.execute(
        text(
            "SELECT pid, extract(epoch FROM clock_timestamp() - xact_start)::int AS seconds "
            "FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL "
            "AND pid <> pg_backend_pid() ORDER BY xact_start LIMIT 3"
        )
    ).all()
    connection.rollback()
    return [f"session {row.pid}, open for {row.seconds} seconds" for row in rows]


def upgrades(steps: Sequence[Step]) -> list[tuple[str | None, str]]:
    """Each step's upgrade as SQL, or None and the reason why SQL cannot say it."""
    written = []
    for stream, group in groupby(steps, key=lambda step: step.stream):
        scripts = _scripts(stream)
        written += [_rendered(scripts, s.revision, "upgrade", MigrationContext) for s in group]
    return written


def removals(stream: Stream, revisions: Iterable[Revision] | None = None) -> dict[str, str | None]:
    """For revisions of a stream (all) the SQL that undoes each; None where SQL cannot say it."""
    scripts = _scripts(stream)
    chosen = stream.revisions if revisions is None else revisions
    return {each.id: removal_sql(scripts, each)[0] for each in chosen}


def removal_sql(scripts: ScriptDirectory, revision: Revision) -> tuple[str | None, str]:
    """A revision's downgrade as SQL for one transaction, or None and the reason."""
    sql, reason = _rendered(scripts, revision, "downgrade", _InOneTransaction)
    if sql is not None:
        # Needless where the tables go in the same transaction, and impossible inside one.
        sql = re.sub(r"\b(DROP|CREATE(?: UNIQUE)?) INDEX CONCURRENTLY\b", r"\1 INDEX", sql)
    return sql, reason


class _InOneTransaction(MigrationContext):
    """A context in which blocks outside of transactions do not end the one that runs."""

    def autocommit_block(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


def _scripts(stream: Stream) -> ScriptDirectory:
    return ScriptDirectory.from_config(configuration(stream))


def _rendered(
    scripts: ScriptDirectory, revision: Revision, direction: str, kind: type[MigrationContext]
) -> tuple[str | None, str]:
    buffer = io.StringIO()
    dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
    settings = {
        "as_sql": True,
        "output_buffer": buffer,
        "literal_binds": True,
        # Its naming convention completes the names of constraints, as it does online.
        "target_metadata": Base.metadata,
    }
    try:
        with Operations.context(kind(dialect, None, settings)):
            getattr(scripts.get_revision(revision.id).module, direction)()
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"
    return buffer.getvalue().strip(), ""
