"""What the database knows of migrations: the record of applied revisions, and who owns a table.

Owns the table `torg_plugin_migration` and the rule, checked inside each revision's transaction,
that a stream makes and drops only tables of its own prefix. Deciding what to run is
`torg.migration_plan`'s job.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import Connection, Text, delete, func, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Mapped, mapped_column

from torg.db import Base
from torg.migration_plan import Applied, Database, MigrationError
from torg.migration_streams import HOST, VERSION_TABLE, Stream, owner, prefix

_UNDEFINED_TABLE = "42P01"


class MigrationRecord(Base):
    """One applied revision, written in the transaction that applied it."""

    __tablename__ = "torg_plugin_migration"

    plugin: Mapped[str] = mapped_column(Text, primary_key=True)
    revision: Mapped[str] = mapped_column(Text, primary_key=True)
    applied_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    version: Mapped[str] = mapped_column(Text)
    checksum: Mapped[str] = mapped_column(Text)
    needs: Mapped[dict[str, str]] = mapped_column(JSONB)
    owned_tables: Mapped[list[str]] = mapped_column(JSONB)
    removal_sql: Mapped[str | None] = mapped_column(Text)


def read_record(connection: Connection) -> list[Applied]:
    """All applied revisions, in the order of their applying, in one statement.

    An empty database has no record yet: the list is empty and the transaction is rolled back.
    """
    record = MigrationRecord
    try:
        rows = connection.execute(
            select(
                record.plugin, record.revision, record.version, record.checksum, record.needs
            ).order_by(record.applied_at)
        ).all()
    except ProgrammingError as error:
        if getattr(error.orig, "pgcode", None) != _UNDEFINED_TABLE:
            raise
        connection.rollback()
        return []
    return [Applied(*row) for row in rows]


def read_removals(connection: Connection, plugin: str) -> list[tuple[str, str | None]]:
    """A plugin's applied revisions, newest first, each with the SQL that undoes it (or None)."""
    record = MigrationRecord
    rows = connection.execute(
        select(record.revision, record.removal_sql)
        .where(record.plugin == plugin)
        .order_by(record.applied_at.desc())
    )
    return [(revision, sql) for revision, sql in rows]


def read_history(connection: Connection) -> list[dict[str, str | None]]:
    """The record for people: plugin, revision, time (RFC 3339, UTC) and version, oldest first."""
    record = MigrationRecord
    if not read_record(connection):
        return []
    rows = connection.execute(
        select(record.plugin, record.revision, record.applied_at, record.version).order_by(
            record.applied_at
        )
    )
    return [
        {
            "plugin": plugin,
            "revision": revision,
            "applied_at": f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "version": version,
        }
        for plugin, revision, moment, version in rows
    ]


def database_by_record(connection: Connection) -> Database:
    """How far each stream is according to the record: one statement, for starts and health."""
    records = read_record(connection)
    return Database({each.plugin: each.revision for each in records}, records)


def read_database(connection: Connection) -> Database:
    """How far each stream is according to Alembic's own version tables, with the record.

    Raises:
        MigrationError: a version table holds several rows.
    """
    tables = connection.scalars(
        text(
            "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace "
            "AND relkind = 'r' AND (relname = :table OR starts_with(relname, :table || '_')) "
            "ORDER BY relname"
        ),
        {"table": VERSION_TABLE},
    ).all()
    current: dict[str, str] = {}
    for table in tables:
        name = table.removeprefix(VERSION_TABLE).removeprefix("_") or HOST
        quoted = connection.dialect.identifier_preparer.quote(table)
        rows = connection.scalars(text(f"SELECT version_num FROM {quoted}")).all()  # noqa: S608
        if len(rows) > 1:
            raise MigrationError(
                f"{table} holds {len(rows)} revisions, a stream has one at a time",
                where=f"table {table}",
                why=f"it says {', '.join(sorted(rows))}; somebody has written to it by hand",
                next_steps=("restore a backup, or delete the rows that are not true",),
            )
        if rows:
            current[name] = rows[0]
    return Database(current, read_record(connection))


def disagreements(database: Database) -> list[str]:
    """Streams whose version table and record differ, which only a hand can have done."""
    by_record = {each.plugin: each.revision for each in database.records}
    return [
        f"{name}: its version table says {database.current.get(name, 'nothing')}, "
        f"the record of migrations says {by_record.get(name, 'nothing')}"
        for name in sorted({*by_record, *database.current})
        if by_record.get(name) != database.current.get(name)
    ]


def tables(connection: Connection) -> frozenset[str]:
    """Every table and view of the schema."""
    return frozenset(
        connection.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f') "
                "AND relnamespace = current_schema()::regnamespace"
            )
        )
    )


def foreign_keys(connection: Connection) -> list[tuple[str, str, str]]:
    """Constraint name, table that refers and table referred to, of the whole schema."""
    rows = connection.execute(
        text(
            "SELECT k.conname, one.relname, other.relname FROM pg_constraint k "
            "JOIN pg_class one ON one.oid = k.conrelid "
            "JOIN pg_class other ON other.oid = k.confrelid "
            "WHERE k.contype = 'f' AND one.relnamespace = current_schema()::regnamespace "
            "ORDER BY 1, 2"
        )
    )
    return [(name, one, other) for name, one, other in rows]


class Recorder:
    """Alembic's callback after each revision, inside the revision's transaction.

    It refuses a revision that touches other streams' tables, which rolls the revision back, and
    writes or deletes the revision's row of the record.
    """

    def __init__(
        self,
        connection: Connection,
        stream: Stream,
        removals: Mapping[str, str | None],
        names: Iterable[str] = (),
    ) -> None:
        """Look at the tables as they are before the first revision.

        Args:
            connection: the one that the migration runs on, in no transaction.
            stream: whose revisions run.
            removals: for each revision what undoes it, or None when SQL cannot say it.
            names: all known plugins, for telling whose a table is.
        """
        self._stream = stream
        self._removals = removals
        self._names = frozenset({stream.name, *names})
        self._tables = tables(connection)
        self.done: list[str] = []
        connection.rollback()

    def __call__(self, *, ctx: MigrationContext, step: MigrationInfo, **_others: Any) -> None:
        """Check and record one revision."""
        connection = ctx.connection
        revision = step.up_revision_id
        if ctx.as_sql or connection is None or revision is None:
            return
        present = tables(connection)
        made = present - self._tables
        if not step.is_stamp:
            self._refuse_strangers(revision, made, self._tables - present)
            self._refuse_references(connection, revision)
        if step.is_upgrade:
            self._write(connection, revision, sorted(made))
        elif MigrationRecord.__tablename__ in present:
            connection.execute(
                delete(MigrationRecord).where(
                    MigrationRecord.plugin == self._stream.name,
                    MigrationRecord.revision == revision,
                )
            )
        self._tables = present
        self.done.append(revision)

    def _write(self, connection: Connection, revision: str, made: list[str]) -> None:
        described = {each.id: each for each in self._stream.revisions}[revision]
        values = {
            "version": self._stream.version,
            "checksum": described.checksum,
            "needs": dict(described.needs),
            "owned_tables": [name for name in made if not name.startswith(VERSION_TABLE)],
            "removal_sql": self._removals.get(revision),
        }
        row = insert(MigrationRecord).values(plugin=self._stream.name, revision=revision, **values)
        connection.execute(
            row.on_conflict_do_update(index_elements=["plugin", "revision"], set_=values)
        )

    def _refuse_strangers(self, revision: str, made: frozenset[str], lost: frozenset[str]) -> None:
        own = self._stream.name
        for name in sorted(made | lost):
            if name.startswith(VERSION_TABLE) or owner(name, self._names) == own:
                continue
            verb = "makes" if name in made else "drops"
            raise MigrationError(
                f"{revision} {verb} the table {name}, which is not of {own}",
                why=f"tables of {own} begin with {prefix(own)}; the step was rolled back",
            )

    def _refuse_references(self, connection: Connection, revision: str) -> None:
        own = self._stream.name
        for constraint, one, other in foreign_keys(connection):
            target = owner(other, self._names)
            if owner(one, self._names) == own and target not in {own, HOST}:
                raise MigrationError(
                    f"{revision} lets {one} refer to {other}, a table of {target or 'nobody'}",
                    where=f"foreign key {constraint}",
                    why="foreign keys run inside a plugin or to the host's tables, so that every "
                    "plugin can be removed; the step was rolled back",
                )
