"""Numbers of measures, from kept sums where there are some, else from the facts."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from datetime import date
from decimal import Decimal
from typing import Any

from psycopg2.errors import QueryCanceled
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from torg import config
from torg.db import session
from torg_stats.domain.measures import Measure, shape
from torg_stats.errors import QuestionTooLargeError
from torg_stats.queries import facts as live
from torg_stats.queries import kept
from torg_stats.queries.facts import Asked, Key
from torg_stats.services import catalogue
from torg_stats.settings import StatsSettings

Numbers = Mapping[Key, Mapping[str, Decimal]]


# What was read within `shared`, by what it was asked about.
_known: ContextVar[dict[tuple[Any, ...], Numbers] | None] = ContextVar("stats_known", default=None)


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """No statement of the present transaction takes longer than one question may.

    Raises:
        QuestionTooLargeError: one would.
    """
    seconds = settings().seconds_at_most
    if _known.get() is None:
        session.execute(text(f"SET LOCAL statement_timeout = {seconds * 1000:d}"))
    try:
        yield
    except OperationalError as error:
        if isinstance(error.orig, QueryCanceled):
            raise QuestionTooLargeError(seconds=seconds) from error
        raise


@contextlib.contextmanager
def shared() -> Iterator[None]:
    """Questions of one person about the same facts are read together, with all measures."""
    session.execute(text(f"SET LOCAL statement_timeout = {settings().seconds_at_most * 1000:d}"))
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def settings() -> StatsSettings:
    """The deployment's choices."""
    return config.plugin_settings("stats", StatsSettings)


def sums(asked: Asked, measures: Sequence[Measure]) -> Numbers:
    """What measures add up to."""
    known = _known.get()
    if known is None:
        return _sums(asked, measures)
    if _about(asked) not in known:
        _, countable = catalogue.sources()[asked.facts.name]
        added_up = [each for each in countable if not each.is_distinct]
        known[_about(asked)] = _sums(asked, added_up)
    return known[_about(asked)]


def _sums(asked: Asked, measures: Sequence[Measure]) -> Numbers:
    began_at = kept.began_at(asked.facts.name)
    grouping, changed = _kept(asked)
    if grouping is None or changed is None:
        return live.sums(asked, measures)
    found = kept.sums(asked, measures, grouping, changed)
    if kept.began_at(asked.facts.name) != began_at:
        # Somebody has begun to make everything anew, perhaps before it was read.
        return live.sums(asked, measures)
    if changed:
        for key, numbers in live.sums(asked, measures, changed).items():
            present = found.setdefault(key, {})
            for name, number in numbers.items():
                present[name] = present.get(name, Decimal(0)) + number
    return found


def different(asked: Asked, measure: Measure, *, by_currency: bool) -> Numbers:
    """How many different values a measure met."""
    began_at = kept.began_at(asked.facts.name)
    grouping, changed = _kept(asked)
    if grouping is not None and changed is not None:
        found = kept.members(asked, measure, grouping, changed, by_currency=by_currency)
        if kept.began_at(asked.facts.name) == began_at:
            return found
    return live.sums(asked, [measure], by_currency=by_currency)


def _about(asked: Asked) -> tuple[Any, ...]:
    """What tells questions apart. Whose own rows they are is one person within `shared`."""
    narrowed = ((name, *values) for name, values in (*asked.filters.items(), *asked.only.items()))
    own = asked.own and asked.own[0]
    period = (asked.period, asked.interval, asked.from_the_beginning)
    return (asked.facts.name, asked.by, period, own, *narrowed)


def present_shape(facts_name: str) -> str:
    """What the kept sums of these facts have to be made of."""
    facts, measures = catalogue.sources()[facts_name]
    return shape(facts, measures, settings().zones)


def _kept(asked: Asked) -> tuple[tuple[str, ...] | None, list[date] | None]:
    if asked.period.zone not in settings().zones:
        return None, None
    grouping = kept.grouping(asked)
    if grouping is None:
        return None, None
    return grouping, kept.changed_days(asked, present_shape(asked.facts.name))
