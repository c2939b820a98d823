"""Rules for a plugin's tables: whose names they carry, whom they may refer to, and model drift.

Owns checks only, of models and of the database; it changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, ForeignKeyConstraint, Table, text
from sqlalchemy import inspect as inspected

from torg.db import Base
from torg.migration_run import options
from torg.migration_streams import HOST, Stream, owner, prefix

_ON_DELETE = frozenset({"CASCADE", "RESTRICT", "SET NULL"})
_LONGEST_NAME = 63


def check_models(plugin: str, models: Iterable[type], names: Iterable[str] = ()) -> list[str]:
    """What is wrong with the tables of a plugin's models; empty when nothing is.

    Args:
        plugin: its name, or `host`.
        models: mapped classes.
        names: all known plugins, for telling whose a table is.
    """
    problems: list[str] = []
    for model in models:
        mapper: Any = inspected(model, raiseerr=False)
        if mapper is None:
            problems.append(f"torg_models returned {model!r}, which is no mapped class")
            continue
        for table in mapper.tables:
            problems += _table_problems(plugin, table, frozenset({plugin, *names}))
    return sorted(set(problems))


def _table_problems(plugin: str, table: Table, names: frozenset[str]) -> list[str]:
    problems = []
    own = prefix(plugin)
    if owner(table.name, names) != plugin:
        problems.append(f"table {table.name} must be called {own}…, because {plugin} owns it")
    if len(table.name) > _LONGEST_NAME:
        problems.append(f"table {table.name}: PostgreSQL cuts names after 63 characters")
    for constraint in table.foreign_key_constraints:
        problems += _reference_problems(plugin, table, constraint, names)
    return problems


def _reference_problems(
    plugin: str, table: Table, constraint: ForeignKeyConstraint, names: frozenset[str]
) -> list[str]:
    columns = ", ".join(constraint.column_keys)
    # Read from the text: the other table need not be imported, and often must not be.
    target = constraint.elements[0].target_fullname.partition(".")[0]
    problems = []
    if owner(target, names) not in {plugin, HOST}:
        problems.append(
            f"{table.name}.{columns} refers to {target}: foreign keys run inside a plugin or to "
            "the host's torg_… tables; keep the other's id without a foreign key"
        )
    if (constraint.ondelete or "").upper() not in _ON_DELETE:
        problems.append(
            f"{table.name}.{columns} refers to {target} without ON DELETE: state ondelete= "
            "as CASCADE, RESTRICT or SET NULL"
        )
    return problems


def drift(connection: Connection, stream: Stream, names: Iterable[str] = ()) -> list[str]:
    """Where the tables of a stream differ from its models, one sentence each.

    The models must have been imported, and the stream be at its newest revision.
    """
    partitions = set(
        connection.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relispartition "
                "AND relnamespace = current_schema()::regnamespace"
            )
        )
    )
    chosen = options(stream, names)
    is_ours = chosen["include_name"]
    # Partitions are made as time goes by; their parent stands for them.
    chosen["include_name"] = lambda name, kind, parents: (
        name not in partitions and is_ours(name, kind, parents)
    )
    context = MigrationContext.configure(connection, opts=chosen)
    differences = compare_metadata(context, Base.metadata)
    connection.rollback()
    return sorted(line for each in differences for line in _sentences(each))


def _sentences(difference: Any) -> list[str]:
    if isinstance(difference, list):
        return [line for each in difference for line in _sentences(each)]
    kind, *facts = difference
    if kind.startswith("modify_"):
        _schema, table, column, _existing, before, after = facts
        what = kind.removeprefix("modify_")
        return [f"{table}.{column}: {what} is {before!r} in the database, {after!r} in the model"]
    verb, _, thing = kind.partition("_")
    if verb not in {"add", "remove"}:
        return [f"{kind}: {facts!r}"]
    side = (
        "is in the model, not in the database"
        if verb == "add"
        else ("is in the database, not in the model")
    )
    return [f"{_named(thing, facts)} {side}"]


def _named(thing: str, facts: list[Any]) -> str:
    subject = facts[-1]
    if thing == "table":
        return f"table {subject.name}"
    if thing == "column":
        return f"column {facts[-2]}.{subject.name}"
    table = getattr(getattr(subject, "table", None), "name", "")
    word = {"fk": "foreign key"}.get(thing, thing)
    return f"{word} {subject.name} of {table}"
