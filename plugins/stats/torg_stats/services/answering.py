"""Answers: series of numbers with their totals, in the order of the question."""

import itertools
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy.exc import OperationalError

from torg.errors import TorgError
from torg.i18n import gettext
from torg_metrics import Aggregate, Metric, Ratio, Unit
from torg_stats.domain import figures
from torg_stats.domain.measures import Countable, measure
from torg_stats.domain.periods import Interval, buckets
from torg_stats.errors import MetricBrokenError
from torg_stats.queries import facts as live
from torg_stats.queries.facts import Asked
from torg_stats.services import asking, catalogue, reading
from torg_stats.services.asking import Question, Viewer

Group = tuple[tuple[str | None, ...], str]
Values = dict[tuple[date | None, Group], Decimal]
_ZERO = Decimal(0)
MOST_POINTS = 250_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Series:
    """One metric of one group in one currency.

    Attributes:
        metric: what.
        key: values of the dimensions asked by; None is a row without one.
        names: how people call them.
        currency: of money and of what is measured by money; None of all else.
        total: of the whole period; None where nothing can be divided by.
        points: by bucket, all of them, in their order.
    """

    metric: Countable
    key: tuple[str | None, ...]
    names: tuple[str, ...]
    currency: str | None
    total: Decimal | None
    points: tuple[tuple[date, Decimal | None], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """All series of a question.

    Attributes:
        question: what was asked.
        series: the largest totals of each metric first.
        left_out: how many groups there are beyond the limit.
        rates: that money was converted by.
    """

    question: Question
    series: tuple[Series, ...]
    left_out: int
    rates: Mapping[str, Decimal]


def answer(asked: Question, viewer: Viewer) -> Answer:
    """Answer a question as far as the viewer may see.

    Raises:
        NotYourFiguresError: he may see nothing of a metric.
        QuestionRefusedError: money cannot be converted so.
        QuestionTooLargeError: it takes too long.
        MetricBrokenError: the plugin of a metric does not bring its facts.
    """
    with reading.bounded():
        found = [_counted(each, asked, viewer) for each in asked.metrics]
    rates = {pair: rate for _, _, used in found for pair, rate in used.items()}
    series = tuple(each for some, _, _ in found for each in some)
    return Answer(asked, series, sum(left for _, left, _ in found), rates)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the parts of one metric for one question.

    Attributes:
        asked: the question.
        own: what narrows it to somebody's own rows.
        has_money: whether a part is money, so that the others go by currency too.
        rates: those that were used so far.
        only: values by dimension of the groups that are shown, once they are known.
    """

    asked: Question
    own: tuple[str, Any] | None
    has_money: bool
    rates: dict[str, Decimal]
    only: Mapping[str, Sequence[str | None]] = field(default_factory=dict)

    def totals(self, metric: Metric) -> dict[Group, Decimal]:
        """Numbers of the whole period; those of a level at its end."""
        return {group: number for (_, group), number in self._values(metric, None).items()}

    def points(self, metric: Metric, shown: Sequence[Group]) -> dict[Group, dict[date, Decimal]]:
        """Numbers by bucket of some groups."""
        interval = self.asked.interval
        if interval is None:
            return {}
        # Only what is shown is read: there may be a million groups.
        keys = list(zip(*(key for key, _ in shown), strict=True))
        only = {name: list(dict.fromkeys(keys[at])) for at, name in enumerate(self.asked.by)}
        reader = replace(self, only=only) if shown else self
        found: dict[Group, dict[date, Decimal]] = defaultdict(dict)
        for (bucket, group), number in reader._values(metric, interval).items():  # noqa: SLF001 - itself
            assert bucket is not None, "asked by buckets"
            found[group][bucket] = number
        if metric.aggregate is Aggregate.LEVEL:
            names = buckets(self.asked.period, interval)
            opening = reader._opening(metric)  # noqa: SLF001 - itself
            return {
                group: figures.levels(opening.get(group, _ZERO), found.get(group, {}), names)
                for group in shown
            }
        return found

    def _opening(self, metric: Metric) -> dict[Group, Decimal]:
        """What a level was before the period."""
        first = self.asked.period.first
        before = replace(self.asked, period=replace(self.asked.period, end=first))
        return replace(self, asked=before).totals(metric)

    def _values(self, metric: Metric, interval: Interval | None) -> Values:
        """Numbers by bucket and group; those of a level are changes, but in a total."""
        made_of, into = measure(metric), self.asked.convert_to
        by_currency = self.has_money and live.has_currency(metric.facts)
        asked = Asked(
            metric.facts,
            self.asked.by,
            self.asked.period,
            interval,
            self.asked.filters,
            self.own,
            from_the_beginning=metric.aggregate is Aggregate.LEVEL and interval is None,
            only=self.only,
        )
        if metric.aggregate is Aggregate.DISTINCT:
            # Whoever paid in two currencies is one, when both become one currency.
            apart = by_currency and (into is None or self.asked.currency is not None)
            numbers = reading.different(asked, made_of, by_currency=apart)
        else:
            numbers = reading.sums(asked, [made_of])
        found: Values = defaultdict(Decimal)
        for (bucket, key, currency), by_measure in numbers.items():
            number = by_measure.get(made_of.key, _ZERO)
            if by_currency and currency and self.asked.currency not in (None, currency):
                continue
            label = currency if by_currency else ""
            if by_currency and into is not None:
                label = into
                if metric.unit is Unit.MONEY:
                    number = self._converted(number, currency, into)
            found[bucket, (key, label)] += number
        return found

    def _converted(self, number: Decimal, currency: str, into: str) -> Decimal:
        if currency == into:
            return number
        pair, stated = f"{currency}/{into}", reading.settings().rates
        if pair not in stated:
            known = ", ".join(stated) or gettext("none")
            raise asking.refused(
                "/convert_to",
                gettext("No rate {pair} is stated; stated: {known}.", pair=pair, known=known),
            )
        self.rates[pair] = stated[pair]
        return figures.converted(number, currency, into, stated[pair])


def _counted(
    countable: Countable, asked: Question, viewer: Viewer
) -> tuple[list[Series], int, dict[str, Decimal]]:
    try:
        return _series(countable, asked, viewer)
    except (TorgError, OperationalError):
        # Refusals, and what the database itself suffers from: the host knows what to do with both.
        raise
    except Exception as error:
        _log.exception("facts_broken", extra={"metric": countable.name})
        raise MetricBrokenError(metric=countable.name) from error


def _series(
    countable: Countable, asked: Question, viewer: Viewer
) -> tuple[list[Series], int, dict[str, Decimal]]:
    """The largest groups of one metric, how many are left out, and the rates that were used."""
    parts = catalogue.parts(countable)
    has_money = any(each.unit is Unit.MONEY for each in parts)
    own = asking.own_rows(countable, asked, viewer)
    reader = _Reader(asked, own, has_money, {})
    read = [reader.totals(each) for each in parts]
    groups = list(dict.fromkeys(group for each in read for group in each))
    if not groups and not asked.by and not has_money:
        groups = [((), "")]
    combine = _combine(countable)
    totals = {group: combine([each.get(group, _ZERO) for each in read]) for group in groups}
    shown = _shown(asked, totals)
    names = _names(countable, asked.by, shown)
    days = _days(asked, len(shown))
    points = [reader.points(each, shown) for each in parts]
    series = [
        Series(
            metric=countable,
            key=group[0],
            names=tuple(
                found.get(value or "", value or "")
                for found, value in zip(names, group[0], strict=True)
            ),
            currency=group[1] or None,
            total=totals[group],
            points=tuple(
                (day, combine([each.get(group, {}).get(day, _ZERO) for each in points]))
                for day in days
            ),
        )
        for group in shown
    ]
    return series, len(groups) - len(shown), reader.rates


def _shown(asked: Question, totals: Mapping[Group, Decimal | None]) -> list[Group]:
    """The first groups of each currency."""

    def place(group: Group) -> tuple[Any, ...]:
        total = totals[group]
        size = (total or _ZERO) if asked.is_ranked else abs(total or _ZERO)
        return (group[1], total is None, -size, _sorted_key(group))

    found: list[Group] = []
    for _, some in itertools.groupby(sorted(totals, key=place), key=lambda group: group[1]):
        found.extend(itertools.islice(some, asked.limit))
    return found


def _days(asked: Question, groups: int) -> list[date]:
    """The buckets of each series; refuses more numbers than one answer holds."""
    found = buckets(asked.period, asked.interval) if asked.interval else []
    if groups * len(found) * len(asked.metrics) > MOST_POINTS:
        message = gettext("These are more than {most} numbers.", most=MOST_POINTS)
        raise asking.refused("/limit", message)
    return found


def _combine(countable: Countable) -> Callable[[list[Decimal]], Decimal | None]:
    """How the numbers of the parts become one."""
    if not isinstance(countable, Ratio):
        return lambda numbers: numbers[0]
    is_percent = countable.unit is Unit.PERCENT
    return lambda numbers: figures.ratio(numbers[0], numbers[1], percent=is_percent)


def _names(
    countable: Countable, by: Sequence[str], groups: Sequence[Group]
) -> list[Mapping[str, str]]:
    """Readable names of the values of each dimension, one statement for each."""
    found: list[Mapping[str, str]] = []
    for at, name in enumerate(by):
        dimension = next(each for each in countable.dimensions if each.name == name)
        values = sorted({value for key, _ in groups if (value := key[at]) is not None})
        found.append(dimension.names(values) if dimension.names is not None and values else {})
    return found


def _sorted_key(group: Group) -> tuple[str, ...]:
    return tuple(value or "" for value in group[0])
