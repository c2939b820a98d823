"""A question: read from words, checked against the catalogue, narrowed to what one may see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy import Select, exists, select

from torg.db import session
from torg.errors import FieldProblem
from torg.i18n import gettext
from torg_metrics import Dimension
from torg_stats.domain.measures import Countable
from torg_stats.domain.periods import MOST_BUCKETS, Interval, Period, is_too_long
from torg_stats.errors import NotYourFiguresError, QuestionRefusedError
from torg_stats.services import catalogue

MOST_METRICS, MOST_DIMENSIONS, MOST_FILTERS = 10, 2, 10
DEFAULT_DAYS = 30
_MOST_DAYS = 36_600


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks."""

    id: int
    permissions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, with every name known.

    Attributes:
        metrics: what is counted.
        by: dimensions that it is broken down by.
        period: whole days of a zone.
        interval: length of a bucket; None is the whole period alone.
        filters: allowed values by dimension.
        currency: only money in it.
        convert_to: the currency that all money is converted to.
        seen_as: the dimension by which somebody without the permission sees his own.
        limit: most groups of a metric in a currency.
        is_ranked: the largest first and losses last; otherwise by size, whatever the sign.
    """

    metrics: tuple[Countable, ...]
    by: tuple[str, ...]
    period: Period
    interval: Interval | None = None
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    currency: str | None = None
    convert_to: str | None = None
    seen_as: str | None = None
    limit: int = 100
    is_ranked: bool = False


def question(words: Mapping[str, Any], today: date) -> Question:
    """The question that a query's words ask.

    Args:
        words: as `schemas.QuestionQuery` has loaded them.
        today: in the zone of the question, by the database's clock.

    Raises:
        QuestionRefusedError: a metric, dimension, zone or period that there is not.
    """
    metrics = tuple(catalogue.find(name, at) for at, name in enumerate(words["metric"]))
    by = tuple(dict.fromkeys(words["by"]))
    for at, name in enumerate(by):
        _require_dimension(metrics, name, f"/by/{at}")
    interval = None if words["interval"] is None else Interval(words["interval"])
    return Question(
        metrics=metrics,
        by=by,
        period=_period(words, today, interval),
        interval=interval,
        filters=_filters(metrics, words["filter"]),
        currency=words["currency"],
        convert_to=words["convert_to"],
        seen_as=_seen_as(metrics, words["seen_as"]),
        limit=words["limit"],
    )


def require_zone(zone: str) -> str:
    """The zone, when it is one.

    Raises:
        QuestionRefusedError: there is no such zone.
    """
    if zone not in _zones():
        raise refused("/tz", gettext("No IANA time zone, such as Europe/Berlin."))
    return zone


@cache
def _zones() -> frozenset[str]:
    # Kept, because the standard library walks a folder of 600 files for each answer.
    # `localtime` and the like are files of the machine, not zones of the world.
    return frozenset(available_timezones() - {"localtime", "posixrules", "Factory"})


def own_rows(countable: Countable, asked: Question, viewer: Viewer) -> tuple[str, Any] | None:
    """What narrows a metric to somebody's own rows; None when he may see all.

    Raises:
        NotYourFiguresError: it has no rows that could be anybody's own.
    """
    if countable.permission in viewer.permissions:
        return None
    dimensions = [each for each in countable.dimensions if each.own is not None]
    if not dimensions:
        raise NotYourFiguresError(metric=countable.name, permission=countable.permission)
    chosen = _chosen(dimensions, asked, viewer)
    return chosen.name, _own(chosen, viewer)


def refused(pointer: str, message: str) -> QuestionRefusedError:
    """The refusal that points at a word."""
    return QuestionRefusedError(errors=[FieldProblem(pointer, "not_allowed", message)])


def has_any(dimension: Dimension, viewer: Viewer) -> bool:
    """Whether somebody has rows of his own there."""
    return bool(session.scalar(select(exists(_own(dimension, viewer)))))


def _own(dimension: Dimension, viewer: Viewer) -> Select[Any]:
    assert dimension.own is not None, "chosen among those that have one"
    return dimension.own(viewer.id)


def _chosen(dimensions: Sequence[Dimension], asked: Question, viewer: Viewer) -> Dimension:
    """By which of the dimensions he sees his own: as he says, as he asks, or where he has any."""
    named = [asked.seen_as, *asked.by, *asked.filters]
    for name in named:
        for each in dimensions:
            if each.name == name:
                return each
    if len(dimensions) == 1:
        return dimensions[0]
    return next((each for each in dimensions if has_any(each, viewer)), dimensions[0])


def _require_dimension(metrics: Sequence[Countable], name: str, pointer: str) -> None:
    for each in metrics:
        present = [dimension.name for dimension in each.dimensions]
        if name not in present:
            allowed = ", ".join(present) or gettext("none")
            raise refused(
                pointer, gettext("{metric} has: {allowed}.", metric=each.name, allowed=allowed)
            )


def _filters(metrics: Sequence[Countable], words: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for at, word in enumerate(words):
        name, colon, value = word.partition(":")
        if not colon:
            raise refused(f"/filter/{at}", gettext("Write dimension:value."))
        _require_dimension(metrics, name, f"/filter/{at}")
        found.setdefault(name, []).append(value)
    return found


def _period(words: Mapping[str, Any], today: date, interval: Interval | None) -> Period:
    end = words["to"] or today + timedelta(days=1)
    first = words["from_"] or end - timedelta(days=DEFAULT_DAYS)
    if first >= end:
        raise refused("/to", gettext("It has to be after `from`: the day itself does not count."))
    if (end - first).days > _MOST_DAYS:
        raise refused("/from", gettext("A question is about a hundred years at most."))
    found = Period(first, end, words["tz"])
    if interval is not None and is_too_long(found, interval):
        raise refused(
            "/interval", gettext("These are more than {most} buckets.", most=MOST_BUCKETS)
        )
    return found


def _seen_as(metrics: Sequence[Countable], name: str | None) -> str | None:
    owned = [each.name for metric in metrics for each in metric.dimensions if each.own]
    if name is not None and name not in owned:
        allowed = ", ".join(dict.fromkeys(owned)) or gettext("none")
        raise refused("/seen_as", gettext("One of: {allowed}.", allowed=allowed))
    return name
