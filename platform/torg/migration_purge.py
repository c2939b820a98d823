"""Removing a plugin's data for good, with or without its package.

Owns the plan (what would go, who objects) and the run: the removal SQL stored when each revision
was applied, newest first, then whatever of the plugin is still there. All of it is one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from torg.migration_plan import Database, MigrationError
from torg.migration_record import foreign_keys, read_database, read_removals
from torg.migration_run import Tell, silent
from torg.migration_streams import HOST, Stream, names_of, owner, version_table

_RELATIONS = {"r": "TABLE", "p": "TABLE", "v": "VIEW", "m": "MATERIALIZED VIEW"}


@dataclass(frozen=True, slots=True)
class PurgePlan:
    """What a purge would remove.

    Attributes:
        revisions: applied revisions, newest first.
        tables: the plugin's tables and how many rows each has.
        other: its views, functions, types and sequences.
        host_rows: rows of the host's tables that speak of the plugin, by table.
        dependents: reasons why it must not be done, one sentence each.
        unwritten: revisions without stored SQL; their tables are simply dropped.
    """

    plugin: str
    revisions: Sequence[str]
    tables: Mapping[str, int]
    other: Sequence[str]
    host_rows: Mapping[str, int]
    dependents: Sequence[str]
    unwritten: Sequence[str]

    @property
    def is_empty(self) -> bool:
        """Nothing in the database speaks of the plugin."""
        return not (self.revisions or self.tables or self.other or any(self.host_rows.values()))

    def as_json(self) -> dict[str, object]:
        """The plan for a machine."""
        return asdict(self)


def plan_purge(connection: Connection, plugin: str, streams: Sequence[Stream]) -> PurgePlan:
    """What would be removed, and what speaks against it; changes nothing."""
    database = read_database(connection)
    names = names_of(streams) | frozenset(database.current) | {plugin}
    removals = read_removals(connection, plugin) if database.records else []
    tables = [name for name, kind in _relations(connection, plugin, names) if kind == "TABLE"]
    host_rows = {
        table: _count(connection, f"{_quoted(connection, table)} WHERE {condition}", plugin)
        for table, condition in _host_conditions(connection).items()
    }
    return PurgePlan(
        plugin=plugin,
        revisions=[revision for revision, _sql in removals],
        tables={name: _count(connection, _quoted(connection, name), plugin) for name in tables},
        other=[described for described, _drop in _others(connection, plugin, names)],
        host_rows={table: rows for table, rows in host_rows.items() if rows},
        dependents=_dependents(connection, plugin, streams, database, names),
        unwritten=[revision for revision, sql in removals if sql is None],
    )


def purge(
    connection: Connection, plugin: str, streams: Sequence[Stream], tell: Tell = silent
) -> PurgePlan:
    """Remove everything of a plugin in one transaction, on the connection of `exclusive`.

    Returns what was removed.

    Raises:
        MigrationError: something depends on the plugin, or a part cannot be removed; then nothing
            was changed.
    """
    try:
        planned = plan_purge(connection, plugin, streams)
        _refuse(planned)
        names = names_of(streams) | frozenset(read_database(connection).current) | {plugin}
        _empty(connection, planned.tables)
        for revision, sql in read_removals(connection, plugin) if planned.revisions else []:
            _undo(connection, revision, sql, tell)
        _sweep(connection, plugin, names)
        for table, condition in _host_conditions(connection).items():
            statement = f"DELETE FROM {_quoted(connection, table)} WHERE {condition}"  # noqa: S608
            connection.execute(text(statement), {"plugin": plugin})
        _execute(connection, f"DROP TABLE IF EXISTS {_quoted(connection, version_table(plugin))}")
        connection.commit()
    except DBAPIError as error:
        connection.rollback()
        raise MigrationError(
            f"plugin {plugin} was not purged; nothing was changed",
            why=str(error.orig).strip().replace("\n", " "),
            next_steps=("stop what uses its tables, then repeat the command",),
        ) from error
    except BaseException:
        connection.rollback()
        raise
    return planned


def _refuse(planned: PurgePlan) -> None:
    if planned.dependents:
        raise MigrationError(
            f"plugin {planned.plugin} cannot be purged: {planned.dependents[0]}",
            why="; ".join(planned.dependents[1:]),
            next_steps=(f"see all of it: torg plugins purge {planned.plugin} --plan",),
        )


def _empty(connection: Connection, tables: Iterable[str]) -> None:
    """Take out the rows first, so that no undoing step can stumble over data or take long."""
    quoted = [_quoted(connection, table) for table in tables]
    for table in quoted:
        # Records that refuse to be deleted do so by triggers.
        _execute(connection, f"ALTER TABLE {table} DISABLE TRIGGER USER")
    if quoted:
        _execute(connection, f"TRUNCATE {', '.join(quoted)}")


def _undo(connection: Connection, revision: str, sql: str | None, tell: Tell) -> None:
    if not sql:
        return
    step = connection.begin_nested()
    try:
        _execute(connection, sql)
        step.commit()
    except DBAPIError as error:
        step.rollback()
        reason = str(error.orig).strip().partition("\n")[0]
        tell(f"{revision}: its stored SQL failed ({reason}); its objects are dropped by name.")


def _sweep(connection: Connection, plugin: str, names: frozenset[str]) -> None:
    """Drop what the stored SQL has left: found by the plugin's prefix, never by cascade."""
    relations = _relations(connection, plugin, names)
    for kind in ("VIEW", "MATERIALIZED VIEW", "TABLE"):
        quoted = [_quoted(connection, name) for name, one in relations if one == kind]
        if quoted:
            _execute(connection, f"DROP {kind} IF EXISTS {', '.join(quoted)}")
    for _described, drop in _others(connection, plugin, names):
        _execute(connection, drop)


def _execute(connection: Connection, sql: str) -> None:
    # As it is: a % in it is a character, not the beginning of a parameter.
    connection.exec_driver_sql(sql, execution_options={"no_parameters": True})


def _count(connection: Connection, source: str, plugin: str) -> int:
    statement = text(f"SELECT count(*) FROM {source}")  # noqa: S608 - names come from the catalogue
    found: int = connection.execute(statement, {"plugin": plugin}).scalar_one()
    return found


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)


def _relations(connection: Connection, plugin: str, names: frozenset[str]) -> list[tuple[str, str]]:
    """The plugin's tables and views with their kind; partitions go with their parents."""
    rows = connection.execute(
        text(
            "SELECT relname, relkind::text FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm') "
            "AND NOT relispartition AND relnamespace = current_schema()::regnamespace ORDER BY 1"
        )
    )
    return [(name, _RELATIONS[kind]) for name, kind in rows if owner(name, names) == plugin]


def _others(connection: Connection, plugin: str, names: frozenset[str]) -> list[tuple[str, str]]:
    """The plugin's functions, sequences and types: a description and how to drop each."""
    rows = connection.execute(
        text(
            "SELECT 1 AS turn, proname AS name, 'ROUTINE' AS kind, "
            "oid::regprocedure::text AS whole FROM pg_proc "
            "WHERE pronamespace = current_schema()::regnamespace "
            "UNION ALL SELECT 2, relname, 'SEQUENCE', oid::regclass::text FROM pg_class c "
            "WHERE relkind = 'S' AND relnamespace = current_schema()::regnamespace AND NOT EXISTS "
            "(SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i')) "
            "UNION ALL SELECT 3, typname, 'TYPE', oid::regtype::text FROM pg_type t "
            "WHERE typnamespace = current_schema()::regnamespace AND (typtype IN ('e', 'd', 'r') "
            "OR typtype = 'c' AND EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid "
            "AND c.relkind = 'c')) ORDER BY 1, 2"
        )
    )
    return [
        (f"{kind.lower()} {whole}", f"DROP {kind} {whole}")
        for _turn, name, kind, whole in rows
        if owner(name, names) == plugin
    ]


def _host_conditions(connection: Connection) -> dict[str, str]:
    """The host's tables whose rows belong to plugins, and how to tell whose."""
    rows = connection.execute(
        text(
            "SELECT c.relname, array_agg(a.attname::text) FROM pg_class c "
            "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname IN ('plugin', 'job') "
            "WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace "
            "AND starts_with(c.relname, 'torg_') GROUP BY 1 ORDER BY 1"
        )
    )
    by_plugin, by_job = "plugin = :plugin", "split_part(job, '.', 1) = :plugin"
    return {table: by_plugin if "plugin" in columns else by_job for table, columns in rows}


def _dependents(
    connection: Connection,
    plugin: str,
    streams: Sequence[Stream],
    database: Database,
    names: frozenset[str],
) -> list[str]:
    found = []
    if plugin == HOST:
        found.append("the host itself is not a plugin")
    for stream in streams:
        if stream.name == plugin and stream.enabled:
            found.append(
                "it is enabled; take it out of TORG_PLUGINS or torg.toml and restart first"
            )
        elif plugin in stream.requires and stream.name in database.current:
            found.append(
                f"plugin {stream.name} requires it and has data; purge {stream.name} first"
            )
    found += [
        f"{row.revision} of plugin {row.plugin} needs it; purge {row.plugin} first"
        for row in database.records
        if plugin in row.needs and row.plugin != plugin
    ]
    for constraint, one, other in foreign_keys(connection):
        if owner(other, names) == plugin and owner(one, names) != plugin:
            found.append(f"table {one} refers to its table {other} by {constraint}")
    return list(dict.fromkeys(found))
