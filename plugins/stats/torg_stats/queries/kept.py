"""Figures out of the sums that are kept by day, with the days that changed since counted live."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, func, literal_column, select, union, union_all

from torg.db import session
from torg_stats.domain.measures import Measure, groupings
from torg_stats.models import DayMember, DaySum, PendingDay, Source
from torg_stats.queries import facts as live
from torg_stats.queries.facts import Asked, Key


def grouping(asked: Asked) -> tuple[str, ...] | None:
    """The smallest kept combination of dimensions that can answer; None when none can."""
    fitting = [each for each in groupings(asked.facts) if asked.needs <= set(each)]
    return min(fitting, key=len, default=None)


def changed_days(asked: Asked, shape: str) -> list[date] | None:
    """Days of the period whose kept sums do not hold; None when nothing is kept in this shape.

    Exact: what was recorded after the watermark is looked up, so an answer never waits for a job.
    """
    source = session.execute(select(Source).where(Source.facts == asked.facts.name)).scalar()
    if source is None or source.shape != shape:
        return None
    table = live.columns(asked.facts)
    day = live.day_of(table, asked.period.zone)
    pending = select(PendingDay.day).where(
        PendingDay.facts == asked.facts.name, PendingDay.zone == asked.period.zone
    )
    touched = select(day).where(table.c.recorded_at > source.watermark)
    found = session.scalars(union(pending, touched)).all()
    first = None if asked.from_the_beginning else asked.period.first
    return sorted(
        each for each in found if each < asked.period.end and (first is None or each >= first)
    )


def began_at(name: str) -> datetime | None:
    """Since when the sums of some facts are kept; another answer means that all was made anew."""
    found: datetime | None = session.scalar(select(Source.updated_at).where(Source.facts == name))
    return found


def sums(
    asked: Asked, measures: Sequence[Measure], kept: tuple[str, ...], without: Sequence[date]
) -> dict[Key, dict[str, Decimal]]:
    """Numbers of measures that add up, from kept sums, leaving out some days; one statement."""
    keys = _keys(DaySum, asked, kept)
    named = live.bucket(DaySum.day, asked.interval).label("bucket")
    groups = [*([named] if asked.interval else []), *keys, DaySum.currency, DaySum.measure]
    statement = (
        select(named, *keys, DaySum.currency, DaySum.measure, func.sum(DaySum.number))
        .where(*_conditions(DaySum, asked, kept, without))
        .where(DaySum.measure.in_([each.key for each in measures]))
        .group_by(*groups)
    )
    found: dict[Key, dict[str, Decimal]] = {}
    for row in live.bounded(statement):
        named_as, *values, currency, measure, number = row
        found.setdefault((named_as, tuple(values), currency), {})[measure] = number
    return found


def members(
    asked: Asked,
    measure: Measure,
    kept: tuple[str, ...],
    changed: Sequence[date],
    *,
    by_currency: bool,
) -> dict[Key, dict[str, Decimal]]:
    """How many different values there are, from kept members and changed days; one statement."""
    named = live.bucket(DayMember.day, asked.interval).label("bucket")
    keys = _keys(DayMember, asked, kept)
    parts = [
        select(named, *keys, DayMember.currency, DayMember.member)
        .where(*_conditions(DayMember, asked, kept, changed))
        .where(DayMember.measure == measure.key)
    ]
    if changed:
        table = live.columns(asked.facts)
        member, present = live.member(table, measure)
        day = live.bucket(live.day_of(table, asked.period.zone), asked.interval)
        texts = [cast(table.c[name], Text) for name in asked.by]
        rows = select(day, *texts, live.currency_of(table), member)
        parts.append(rows.where(present, *live.conditions(table, asked, changed)))
    every = union_all(*parts).subquery("members")
    place = list(every.c)
    currency: ColumnElement[Any] = place[-2] if by_currency else literal_column("''")
    # Two steps: PostgreSQL hashes a DISTINCT of rows, and sorts for a count of the different.
    once = select(*place[: 1 + len(asked.by)], currency.label("currency"), place[-1]).distinct()
    apart = once.subquery("apart")
    group = list(apart.c)[:-1]
    statement = select(*group, func.count()).group_by(*group)
    return {
        (row[0], tuple(row[1:-2]), row[-2]): {measure.key: Decimal(row[-1])}
        for row in live.bounded(statement)
    }


def _keys(table: Any, asked: Asked, kept: tuple[str, ...]) -> list[Any]:
    # Arrays of PostgreSQL begin at 1.
    return [table.key[kept.index(name) + 1].label(f"k{at}") for at, name in enumerate(asked.by)]


def _conditions(
    table: Any, asked: Asked, kept: tuple[str, ...], without: Sequence[date]
) -> list[ColumnElement[bool]]:
    found = [
        table.facts == asked.facts.name,
        table.zone == asked.period.zone,
        table.grouping == ",".join(kept),
        table.day < asked.period.end,
    ]
    if not asked.from_the_beginning:
        found.append(table.day >= asked.period.first)
    if without:
        found.append(table.day.not_in(list(without)))
    for name, values in asked.filters.items():
        found.append(table.key[kept.index(name) + 1].in_(list(values)))
    for name, wanted in asked.only.items():
        found.append(live.is_one_of(table.key[kept.index(name) + 1], wanted))
    if asked.own is not None:
        own, mine = asked.own
        texts = mine.subquery("own")
        found.append(table.key[kept.index(own) + 1].in_(select(cast(next(iter(texts.c)), Text))))
    return found
