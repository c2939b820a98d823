"""Statements of busy routes: written once, planned once per connection, answered with plain rows.

Owns the short way to the database. SQLAlchemy takes longer to find a statement in its memory and
to wrap its result than PostgreSQL takes to answer it, and PostgreSQL plans anew what it is sent as
text. A `Prepared` statement does all of that once. Everything else goes through `torg.db.session`.
"""

import itertools
import re
import time
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, lru_cache, partial
from typing import Any

import orjson
import psycopg2
from sqlalchemy import types
from sqlalchemy.dialects.postgresql import psycopg2 as dialects
from sqlalchemy.exc import DBAPIError, StatementError

from torg import db

#: Called with the SQL of every statement that is run here; for tests and measurements.
observers: list[Callable[[str], object]] = []

# Of these types the driver gives and takes what SQLAlchemy would.
_PLAIN = (
    *(types.Integer, types.String, types.Boolean, types.DateTime, types.Date),
    *(types.ARRAY, types.JSON, types.NullType),
)
_PLACE = re.compile(r"%\((\w+)\)s|%%")
_PREPARED_HERE = "torg.prepared"
_MOST_PER_CONNECTION = 200
# "cached plan must not change result type": a migration changed the table meanwhile.
_PLAN_OUTDATED = "0A000"
_dialect: Any = dialects.dialect()  # type: ignore[no-untyped-call]
_numbers = itertools.count(1)


class NotPreparableError(Exception):
    """The statement's text depends on its values, or its columns need more than the driver."""


@dataclass(frozen=True, slots=True)
class _Written:
    """A statement's texts for the driver, and how its answer becomes rows."""

    name: str
    sql: str
    prepare: str
    execute: str
    constants: dict[str, Any]
    json_places: tuple[int, ...]
    make_row: Callable[[Iterable[Any]], Any]


class Prepared:
    """One statement. Make it a module constant, or keep it: what it saves is the making.

    Its parameters take the types of their places, so one that stands in none (`SELECT :number`)
    comes back as text.
    """

    def __init__(self, statement: Any, *columns: str) -> None:
        """Keep the statement; it is written when it is first used, when all models are known.

        Args:
            statement: a `select` of columns, or a `text`.
            *columns: names of the result's columns, which a `text` does not know.
        """
        self._statement = statement
        self._columns = columns

    @cached_property
    def written(self) -> _Written:
        """Its texts.

        Raises:
            NotPreparableError: see there.
        """
        compiled = self._statement.compile(dialect=_dialect)
        described = [] if self._columns else self._statement.column_descriptions
        used = [each["type"] for each in described]
        json_places = tuple(at for at, each in enumerate(used) if isinstance(each, types.JSON))
        used.extend(each.type for each in compiled.binds.values())
        is_plain = all(isinstance(each, _PLAIN) and type(each) is not types.Enum for each in used)
        if not is_plain or "__[POSTCOMPILE" in compiled.string:
            raise NotPreparableError(compiled.string)
        try:
            make_row = row_maker(self._columns or tuple(each["name"] for each in described))
        except ValueError:
            raise NotPreparableError(compiled.string) from None
        constants = dict(compiled.params)
        name = f"torg_{next(_numbers)}"
        order = [each for each in dict.fromkeys(_PLACE.findall(compiled.string)) if each]
        kinds = f" ({', '.join(_sql_type(constants.get(each)) for each in order)})" if order else ""
        places = f" ({', '.join(f'%({each})s' for each in order)})" if order else ""
        text = _PLACE.sub(
            lambda each: f"${order.index(each[1]) + 1}" if each[1] else "%", compiled.string
        )
        return _Written(
            name=name,
            sql=text,
            prepare=f"PREPARE {name}{kinds} AS {text}",
            execute=f"EXECUTE {name}{places}",
            constants=constants,
            json_places=json_places,
            make_row=make_row,
        )

    def rows(self, parameters: Mapping[str, Any] | None = None) -> list[Any]:
        """Run it in the present unit of work.

        Raises:
            DBAPIError: as SQLAlchemy does.
        """
        written = self.written
        values = {**written.constants, **parameters} if parameters else written.constants
        found: Iterable[Sequence[Any]] = _fetched(written, values)
        if written.json_places:
            found = [_decoded(row, written.json_places) for row in found]
        return list(map(written.make_row, found))

    def scalar(self, parameters: Mapping[str, Any] | None = None) -> Any:
        """The first column of the first row; None without rows."""
        found = self.rows(parameters)
        return found[0][0] if found else None


def _fetched(written: _Written, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    for observe in observers:
        observe(written.prepare)
    started = time.perf_counter()
    connection = _connection()
    try:
        with connection.cursor() as cursor:
            _run(written, cursor, connection.info, values)
            found: list[tuple[Any, ...]] = cursor.fetchall()
    except psycopg2.Error as error:
        raise _translated(error, written.prepare, values, connection) from error
    db.note_statement(written.sql, time.perf_counter() - started)
    return found


def _run(written: _Written, cursor: Any, about: dict[Any, Any], values: Mapping[str, Any]) -> None:
    known: set[str] = about.setdefault(_PREPARED_HERE, set())
    if written.name not in known:
        if len(known) >= _MOST_PER_CONNECTION:
            cursor.execute("DEALLOCATE ALL")
            known.clear()
        cursor.execute(written.prepare)
        known.add(written.name)
    cursor.execute(written.execute, values)


def _decoded(row: Sequence[Any], places: Sequence[int]) -> Sequence[Any]:
    # SQLAlchemy tells the driver to leave JSON to it.
    decoded = list(row)
    for place in places:
        if isinstance(decoded[place], str):
            decoded[place] = orjson.loads(decoded[place])
    return decoded


def _sql_type(constant: Any) -> str:
    """What PostgreSQL would take a constant for; the type of all else follows from its place."""
    if isinstance(constant, bool):
        return "boolean"
    if isinstance(constant, int):
        return "integer" if abs(constant) < 2**31 else "bigint"
    return "numeric" if isinstance(constant, float | Decimal) else "unknown"


def widened(
    rows: Sequence[Any], columns: tuple[str, ...], values: Callable[[Any], Iterable[Any]]
) -> list[Any]:
    """The rows with further columns at their end: the quickest way from a query to a schema.

    Args:
        rows: of one result.
        columns: names of what is added.
        values: what is added to a row.
    """
    if not rows:
        return []
    make = row_maker((*rows[0]._fields, *columns))
    return [make((*row, *values(row))) for row in rows]


@lru_cache(maxsize=1024)
def row_maker(columns: tuple[str, ...]) -> Callable[[Iterable[Any]], Any]:
    """Makes rows with these columns: named tuples, whose attributes cost the least.

    Like SQLAlchemy's rows it has `_fields`, `_asdict()` and `_mapping`.

    Raises:
        ValueError: a name is there twice, is no identifier or begins with an underscore.
    """
    plain = namedtuple("Row", columns)  # type: ignore[misc]  # the names are not known before
    more = {"__slots__": (), "_mapping": property(plain._asdict)}
    # Not `_make`, which counts the values of each row once more.
    return partial(tuple.__new__, type("Row", (plain,), more))


def _connection() -> Any:
    """The transaction's connection; where there is none, one for the rest of the unit of work."""
    unit = db.present_unit()
    if unit.mode == "write":
        return db.session.connection().connection
    if unit.connection is None:
        try:
            connection = db.db.engine.raw_connection()
            connection.dbapi_connection.autocommit = True  # type: ignore[union-attr]
        except psycopg2.Error as error:
            raise _unreachable(error) from error
        unit.connection, unit.release = connection, _give_back
    return unit.connection


def _give_back(connection: Any) -> None:
    try:
        if connection.is_valid:
            connection.dbapi_connection.autocommit = False
    except psycopg2.Error as error:
        connection.invalidate(error)
    connection.close()


def _unreachable(error: psycopg2.Error) -> DBAPIError | StatementError:
    """As SQLAlchemy says it, which the pool's raw connections do not."""
    said: DBAPIError | StatementError = DBAPIError.instance(
        None, None, error, psycopg2.Error, connection_invalidated=True, dialect=db.db.engine.dialect
    )
    return said


def _translated(
    error: psycopg2.Error, sql: str, values: Mapping[str, Any], connection: Any
) -> DBAPIError | StatementError:
    dialect = db.db.engine.dialect
    is_lost = error.pgcode == _PLAN_OUTDATED or dialect.is_disconnect(
        error, connection.dbapi_connection, None
    )
    if is_lost and db.is_autocommitting():
        connection.invalidate(error)
        connection.close()
        db.present_unit().connection = None
    elif is_lost:
        db.session.connection().invalidate(error)
    translated: DBAPIError | StatementError = DBAPIError.instance(
        sql,
        dict(values),
        error,
        psycopg2.Error,
        hide_parameters=db.db.engine.hide_parameters,
        connection_invalidated=is_lost,
        dialect=dialect,
    )
    return translated
