"""The contract `metrics` 1.0: how a plugin says what can be counted of it, and where.

Owns types alone. A plugin implements the extension point `stats_metrics` and returns `Metric`s;
whoever publishes that point buckets, sums, keeps and draws them, knowing nothing of the plugin:

    @hookimpl(optionalhook=True)
    def stats_metrics() -> Iterable[Metric]:
        return METRICS

Where nobody publishes the point, nothing is called and nothing is missed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select

__all__ = ["Aggregate", "Dimension", "Facts", "Metric", "Ratio", "Unit"]

DEFAULT_PERMISSION = "stats.metric.read"


class Unit(StrEnum):
    """What a number of the metric means; `money` is minor units, always beside its currency."""

    COUNT = "count"
    MONEY = "money"
    PERCENT = "percent"
    SECONDS = "seconds"
    NUMBER = "number"


class Aggregate(StrEnum):
    """How many facts become one number.

    `sum` adds `value`; `distinct` counts the different values of it; `level` is what all facts up
    to the end of the bucket add up to: a stock whose comings and goings are the facts.
    """

    SUM = "sum"
    DISTINCT = "distinct"
    LEVEL = "level"


@dataclass(frozen=True, slots=True)
class Dimension:
    """One thing that a metric can be broken down by: a column of its facts.

    Attributes:
        name: the column's name in the facts and the word of a query, as `dealer`.
        title: English words for a heading; translated by the plugin's catalogue.
        names: gives the readable names of many values in one statement. Values come and go as text,
            an id as its digits; those it leaves out stand for themselves. Not given: the value is
            its name (a country, a reason).
        own: a select of ONE column with the values that belong to a person. Somebody without the
            metric's permission sees the facts of those values alone.
    """

    name: str
    title: str
    names: Callable[[Sequence[str]], Mapping[str, str]] | None = None
    own: Callable[[int], Select[Any]] | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Where numbers come from: rows that are added and never changed.

    Attributes:
        name: `<plugin>.<facts>`, the same for good: what is kept of it is kept under this name.
        select: builds the statement. Its columns: `happened_at` (when it happened: the bucket),
            `recorded_at` (when the row was written; never before what a reader has already seen,
            and found by an index), one per dimension, one per value, and `currency` when a value is
            money. What undoes a fact is a fact of its own with the opposite sign.
        dimensions: what the rows can be grouped by.
        together: groups of dimension names that are asked together so often that their sums are
            kept as well; other combinations are added up from the facts.
    """

    name: str
    select: Callable[[], Select[Any]]
    dimensions: Sequence[Dimension] = ()
    together: Sequence[tuple[str, ...]] = ()

    def dimension(self, name: str) -> Dimension | None:
        """The dimension of that name, or None."""
        return next((found for found in self.dimensions if found.name == name), None)


@dataclass(frozen=True, slots=True)
class Metric:
    """A number with a name that facts add up to.

    Attributes:
        name: `<plugin>.<metric>`, as `autotrade.revenue`.
        title: English words; translated by the plugin's catalogue.
        unit: what the number means.
        facts: where it comes from.
        value: the column of the facts that is added up or, for `distinct`, told apart. None: every
            row counts one.
        aggregate: how rows become one number.
        formula: the sentence of the catalogue, as `gross = sum of order lines, taxes included`.
        where: names one of the facts' boolean columns; only rows where it is true count.
        permission: who may see everybody's rows; all others see their own (`Dimension.own`).
    """

    name: str
    title: str
    unit: Unit
    facts: Facts
    formula: str
    value: str | None = None
    aggregate: Aggregate = Aggregate.SUM
    where: str | None = None
    permission: str = DEFAULT_PERMISSION

    @property
    def dimensions(self) -> Sequence[Dimension]:
        """What a query may break it down by."""
        return self.facts.dimensions

    def condition(self, columns: Mapping[str, ColumnElement[Any]]) -> ColumnElement[Any] | None:
        """The predicate on the facts' columns, or None when every row counts."""
        return None if self.where is None else columns[self.where]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A number that two metrics give: `top / bottom`, bucket by bucket, never an average of ratios.

    With `percent` as its unit it is the hundredfold. It has what both have in dimensions, and is
    absent (null) where the lower number is zero. Money above a count is money in its currency.
    """

    name: str
    title: str
    unit: Unit
    top: Metric
    bottom: Metric
    formula: str
    permission: str = field(default=DEFAULT_PERMISSION)

    @property
    def dimensions(self) -> Sequence[Dimension]:
        """What a query may break it down by: the dimensions, by name, that both numbers have."""
        lower = {found.name for found in self.bottom.dimensions}
        return tuple(found for found in self.top.dimensions if found.name in lower)
