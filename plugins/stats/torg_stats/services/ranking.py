"""Leaderboards, and the page of somebody's own numbers."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from torg.db import session
from torg_metrics import Ratio
from torg_stats.domain.measures import Countable
from torg_stats.domain.periods import Period
from torg_stats.errors import MetricBrokenError
from torg_stats.services import answering, asking, catalogue, reading
from torg_stats.services.answering import Series
from torg_stats.services.asking import Question, Viewer

_OWN_DAYS = 30


@dataclass(frozen=True, slots=True)
class Place:
    """A place on a leaderboard: equals share a rank, and the next one leaves a gap."""

    rank: int
    series: Series


@dataclass(frozen=True, slots=True)
class OwnFigure:
    """A number of one's own, in the last days and in as many before."""

    series: Series
    seen_as: str
    before: Decimal | None


def leaderboard(asked: Question, viewer: Viewer) -> list[Place]:
    """The largest totals of the one metric and dimension of a question, by currency.

    Raises:
        as `answering.answer`.
    """
    found: list[Place] = []
    rank, seen, last = 0, 0, None
    currency: str | None = ""
    for series in answering.answer(replace(asked, is_ranked=True), viewer).series:
        if series.currency != currency:
            rank, seen, last, currency = 0, 0, None, series.currency
        seen += 1
        rank = rank if seen > 1 and series.total == last else seen
        last = series.total
        found.append(Place(rank, series))
    return found


def own_page(viewer: Viewer, zone: str, today: date) -> tuple[Period, list[OwnFigure], list[str]]:
    """Everything that is about somebody, by each dimension in which he has something.

    Numbers that are zero in both periods are left out. Returns also the names of metrics that
    cannot be counted now.

    Args:
        viewer: who; whatever he may see of others, this is his own.
        zone: whose days.
        today: there.
    """
    asking.require_zone(zone)
    end = today + timedelta(days=1)
    period = Period(end - timedelta(days=_OWN_DAYS), end, zone)
    # Somebody who may see all wants to see here what is his.
    plain = replace(viewer, permissions=frozenset())
    found: list[OwnFigure] = []
    broken: list[str] = []
    with reading.shared():
        for countable, dimension in _own_metrics(plain):
            asked = Question((countable,), (), period, seen_as=dimension, limit=1000)
            try:
                # A failing statement ends a transaction; this one goes on with the next metric.
                with session.begin_nested():
                    before = _by_currency(replace(asked, period=period.before()), plain)
                    present = _by_currency(asked, plain)
            except MetricBrokenError:
                broken.append(countable.name)
                continue
            found += _figures(dimension, present, before)
    return period, found, list(dict.fromkeys(broken))


def _by_currency(asked: Question, viewer: Viewer) -> dict[str | None, Series]:
    return {each.currency: each for each in answering.answer(asked, viewer).series}


def _figures(
    dimension: str, present: dict[str | None, Series], before: dict[str | None, Series]
) -> list[OwnFigure]:
    """Numbers that are something in either period; where one has no rows, it is nothing there."""
    found = []
    for currency in dict.fromkeys([*present, *before]):
        known = present.get(currency) or before[currency]
        nothing = replace(known, total=None if isinstance(known.metric, Ratio) else Decimal(0))
        now, then = present.get(currency, nothing), before.get(currency, nothing)
        if now.total or then.total:
            found.append(OwnFigure(now, dimension, then.total))
    return found


def _own_metrics(viewer: Viewer) -> Iterator[tuple[Countable, str]]:
    known: dict[tuple[Any, ...], bool] = {}
    for countable in catalogue.metrics().values():
        facts = tuple(each.facts.name for each in catalogue.parts(countable))
        for dimension in countable.dimensions:
            if dimension.own is None:
                continue
            key = (facts[0], dimension.name)
            if key not in known:
                known[key] = asking.has_any(dimension, viewer)
            if known[key]:
                yield countable, dimension.name
