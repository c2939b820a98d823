"""Answers as the schemas want them: numbers as text in whole units, titles translated."""

from collections.abc import Sequence
from typing import Any

from torg.i18n import gettext
from torg_stats.domain.figures import written
from torg_stats.domain.measures import Countable
from torg_stats.domain.periods import Period
from torg_stats.services import catalogue, reading
from torg_stats.services.answering import Answer, Series
from torg_stats.services.asking import Question, Viewer
from torg_stats.services.ranking import OwnFigure, Place
from torg_stats.services.tables import money_of


def catalogue_for(viewer: Viewer) -> dict[str, Any]:
    """Everything that can be counted, and what of it the viewer may see."""
    return {
        "items": [
            {
                "name": each.name,
                "title": gettext(each.title),
                "unit": each.unit.value,
                "formula": gettext(each.formula),
                "dimensions": [
                    {
                        "name": dimension.name,
                        "title": gettext(dimension.title),
                        "is_own": dimension.own is not None,
                    }
                    for dimension in each.dimensions
                ],
                "sees": _sees(each, viewer),
            }
            for each in catalogue.metrics().values()
        ],
        "zones": list(reading.settings().zones),
    }


def answer(found: Answer) -> dict[str, Any]:
    """An answer."""
    question = found.question
    return {
        **_days(question.period),
        "tz": question.period.zone,
        "interval": question.interval and question.interval.value,
        "series": [_series(each, question.by) for each in found.series],
        "left_out": found.left_out,
        "rates": [{"pair": pair, "rate": str(rate)} for pair, rate in found.rates.items()],
    }


def leaderboard(asked: Question, places: Sequence[Place]) -> dict[str, Any]:
    """A leaderboard."""
    metric = asked.metrics[0]
    return {
        **_head(metric),
        **_days(asked.period),
        "by": asked.by[0],
        "items": [
            {
                "rank": each.rank,
                "value": each.series.key[0],
                "name": each.series.names[0],
                "currency": each.series.currency,
                "total": written(each.series.total, money_of(each.series)),
            }
            for each in places
        ],
    }


def own_page(period: Period, own: Sequence[OwnFigure], broken: Sequence[str]) -> dict[str, Any]:
    """The page of one's own numbers."""
    return {
        **_days(period),
        "items": [
            {
                **_head(each.series.metric),
                "seen_as": each.seen_as,
                "currency": each.series.currency,
                "total": written(each.series.total, money_of(each.series)),
                "before": written(each.before, money_of(each.series)),
            }
            for each in own
        ],
        "broken": list(broken),
    }


def _series(series: Series, by: Sequence[str]) -> dict[str, Any]:
    money = money_of(series)
    return {
        **_head(series.metric),
        "currency": series.currency,
        "group": [
            {"dimension": dimension, "value": value, "name": name}
            for dimension, value, name in zip(by, series.key, series.names, strict=True)
        ],
        "total": written(series.total, money),
        "points": [{"bucket": day, "value": written(value, money)} for day, value in series.points],
    }


def _head(metric: Countable) -> dict[str, Any]:
    return {"metric": metric.name, "title": gettext(metric.title), "unit": metric.unit.value}


def _days(period: Period) -> dict[str, Any]:
    return {"from_": period.first, "to": period.end}


def _sees(each: Countable, viewer: Viewer) -> str:
    if each.permission in viewer.permissions:
        return "all"
    return "own" if any(dimension.own for dimension in each.dimensions) else "nothing"
