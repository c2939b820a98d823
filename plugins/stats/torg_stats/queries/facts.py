"""Figures added up from the facts themselves: always right, as slow as there are rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    ColumnElement,
    Date,
    Select,
    Subquery,
    Text,
    and_,
    case,
    cast,
    distinct,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
)

from torg.db import session
from torg.errors import FieldProblem
from torg.i18n import gettext
from torg_metrics import Facts
from torg_stats.domain.measures import Measure
from torg_stats.domain.periods import Interval, Period, day_begins
from torg_stats.errors import QuestionRefusedError

# What one statement may bring into memory.
MOST_ROWS = 200_000

Key = tuple[date | None, tuple[str | None, ...], str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of one kind of facts.

    Attributes:
        facts: which.
        by: dimensions that the answer is broken down by.
        period: whole days; `first` is None for all days before `end`.
        interval: length of a bucket; None is the whole period.
        filters: allowed values by dimension.
        own: dimension and the select of the values that are the asker's, when he sees no others.
        from_the_beginning: the period has no first day.
        only: values by dimension of the groups that are shown; more may come, fewer never.
    """

    facts: Facts
    by: tuple[str, ...]
    period: Period
    interval: Interval | None
    filters: Mapping[str, Sequence[str]]
    own: tuple[str, Select[Any]] | None
    from_the_beginning: bool = False
    only: Mapping[str, Sequence[str | None]] = field(default_factory=dict)

    @property
    def needs(self) -> frozenset[str]:
        """All dimensions that matter."""
        return frozenset({*self.by, *self.filters, *([self.own[0]] if self.own else [])})


def bucket(day: Any, interval: Interval | None) -> Any:
    """The first day of the bucket of a day; null for the whole period."""
    if interval is None:
        return cast(null(), Date)
    if interval is Interval.DAY:
        return day
    # Of a plain timestamp: with a zone it would be asked where it is, row by row.
    return cast(func.date_trunc(interval.value, cast(day, TIMESTAMP)), Date)


def columns(facts: Facts) -> Subquery:
    """The facts as a table."""
    return facts.select().subquery("facts")


def has_currency(facts: Facts) -> bool:
    """Whether the rows say in which currency they are."""
    return "currency" in facts.select().selected_columns


def day_of(table: Subquery, zone: str) -> ColumnElement[Any]:
    """The day of a row where the zone's clocks hang."""
    # A literal, so that SELECT and GROUP BY have the same expression.
    return cast(func.timezone(literal_column(f"'{zone}'"), table.c.happened_at), Date)


def currency_of(table: Subquery) -> ColumnElement[Any]:
    """The currency of a row; empty where there is none."""
    return table.c.currency if "currency" in table.c else literal_column("''")


def number(table: Subquery, measure: Measure) -> ColumnElement[Any]:
    """What a measure adds up to."""
    value = literal(1) if measure.value is None else table.c[measure.value]
    counted = value if measure.where is None else case((table.c[measure.where], value))
    if measure.is_distinct:
        return func.count(distinct(counted))
    return func.coalesce(func.sum(counted), 0)


def member(table: Subquery, measure: Measure) -> tuple[ColumnElement[Any], ColumnElement[bool]]:
    """The text of what is told apart, and which rows have it."""
    assert measure.value is not None, "what is told apart is a column"
    value = table.c[measure.value]
    present = value.is_not(None)
    return cast(value, Text), present if measure.where is None else and_(
        present, table.c[measure.where]
    )


def conditions(
    table: Subquery, asked: Asked, days: Sequence[date] | None
) -> list[ColumnElement[bool]]:
    """Which rows count; `days` narrows the period to some of its days."""
    zone = asked.period.zone
    begins, ends = asked.period.instants()
    found = [table.c.happened_at < ends]
    if days is not None:
        begins = day_begins(min(days), zone)
        found.append(day_of(table, zone).in_(list(days)))
    if days is not None or not asked.from_the_beginning:
        found.append(table.c.happened_at >= begins)
    for name, values in asked.filters.items():
        found.append(cast(table.c[name], Text).in_(list(values)))
    for name, wanted in asked.only.items():
        found.append(is_one_of(cast(table.c[name], Text), wanted))
    if asked.own is not None:
        own, mine = asked.own
        found.append(table.c[own].in_(mine))
    return found


def is_one_of(column: ColumnElement[Any], wanted: Sequence[str | None]) -> ColumnElement[bool]:
    """Whether a value is one of these, nothing among them."""
    present = column.in_([each for each in wanted if each is not None])
    return or_(present, column.is_(None)) if None in wanted else present


def bounded(statement: Select[Any]) -> Sequence[Any]:
    """The rows of a statement.

    Raises:
        QuestionRefusedError: there are more than `MOST_ROWS`; none is left out silently.
    """
    rows = session.execute(statement.limit(MOST_ROWS + 1)).all()
    if len(rows) > MOST_ROWS:
        message = gettext("These are more than {most} groups: use filters.", most=MOST_ROWS)
        raise QuestionRefusedError(errors=[FieldProblem("/by", "not_allowed", message)])
    return rows


def sums(
    asked: Asked,
    measures: Sequence[Measure],
    days: Sequence[date] | None = None,
    *,
    by_currency: bool = True,
) -> dict[Key, dict[str, Decimal]]:
    """Numbers of several measures, by bucket, values of the dimensions, and currency.

    One statement. Measures that tell apart are counted for this very grouping: never add them up.
    """
    table = columns(asked.facts)
    keys = [cast(table.c[name], Text).label(f"k{at}") for at, name in enumerate(asked.by)]
    named = bucket(day_of(table, asked.period.zone), asked.interval).label("bucket")
    currency = (currency_of(table) if by_currency else literal_column("''")).label("currency")
    numbers = [number(table, each).label(f"m{at}") for at, each in enumerate(measures)]
    groups = [*([named] if asked.interval else []), *keys]
    if by_currency and "currency" in table.c:
        groups.append(currency)
    statement = select(named, *keys, currency, *numbers).where(*conditions(table, asked, days))
    rows = bounded(statement.group_by(*groups) if groups else statement)
    width = 1 + len(keys)
    found: dict[Key, dict[str, Decimal]] = {}
    for row in rows:
        key = (row[0], tuple(row[1:width]), row[width])
        values = row[width + 1 :]
        found[key] = {
            each.key: Decimal(value) for each, value in zip(measures, values, strict=True)
        }
    return found
