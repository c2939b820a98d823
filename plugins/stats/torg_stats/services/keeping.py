"""Sums by day, made and made anew: only for days that were touched, a few days at a time.

A day is noted as pending in the same transaction that moves the watermark past its rows, and is
counted live until its sums are made; so a run may be killed anywhere and answers stay right.
"""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Text, cast, delete, func, literal, select, text, true, union_all
from sqlalchemy.dialects.postgresql import ARRAY, array, insert
from sqlalchemy.exc import OperationalError

from torg.db import session
from torg_metrics import Facts
from torg_stats.domain.measures import Measure, groupings, shape
from torg_stats.domain.periods import Period
from torg_stats.models import DayMember, DaySum, PendingDay, Source
from torg_stats.queries import facts as live
from torg_stats.queries.facts import Asked
from torg_stats.services import catalogue, reading

DAYS_AT_ONCE = 31
_log = logging.getLogger(__name__)
# A row is older than its commit: what a running transaction may still bring began after it did,
# or, where `now()` stamps it, at that very microsecond.
_WATERMARK = text(
    "SELECT least(clock_timestamp(), min(xact_start)) - interval '1 microsecond'"
    " FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_NEVER = text("'-infinity'::timestamptz")
# Years of facts are counted in the background for longer than a request may take.
_PATIENT = text("SET LOCAL statement_timeout = '30min'")


def note_changes(name: str) -> int:
    """Note the days that were touched since the last time; returns how many wait now.

    Args:
        name: of the facts. Two runs at once take turns.
    """
    facts, measures = catalogue.sources()[name]
    zones = reading.settings().zones
    session.execute(_PATIENT)
    wanted = shape(facts, measures, zones)
    session.execute(
        insert(Source).values(facts=name, shape=wanted, watermark=_NEVER).on_conflict_do_nothing()
    )
    source = session.scalars(select(Source).where(Source.facts == name).with_for_update()).one()
    if source.shape != wanted:
        forget(name)
        session.execute(insert(Source).values(facts=name, shape=wanted, watermark=_NEVER))
    reached = session.scalar(_WATERMARK)
    for zone in zones:
        session.execute(_note(facts, zone))
    session.execute(
        text(
            "UPDATE stats_source SET watermark = greatest(watermark, :reached) WHERE facts = :name"
        ),
        {"reached": reached, "name": name},
    )
    return (
        session.scalar(select(func.count()).select_from(PendingDay).where(PendingDay.facts == name))
        or 0
    )


def make_pending(name: str, most: int = DAYS_AT_ONCE) -> int:
    """Make the sums of the oldest pending days; returns how many days were made.

    Days that another run is at are left to it. No changes are noted meanwhile: a row that is
    committed while its day is counted would find the day pending already, and be forgotten with it.
    """
    facts, measures = catalogue.sources()[name]
    session.execute(_PATIENT)
    session.execute(select(Source.facts).where(Source.facts == name).with_for_update(read=True))
    taken = (
        select(PendingDay.zone, PendingDay.day)
        .where(PendingDay.facts == name)
        .order_by(PendingDay.zone, PendingDay.day)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    by_zone: dict[str, list[date]] = {}
    for zone, day in session.execute(taken):
        by_zone.setdefault(zone, []).append(day)
    for zone, days in by_zone.items():
        _make(facts, measures, zone, days)
        session.execute(
            delete(PendingDay).where(
                PendingDay.facts == name, PendingDay.zone == zone, PendingDay.day.in_(days)
            )
        )
    return sum(map(len, by_zone.values()))


@contextlib.contextmanager
def kept_apart(name: str) -> Iterator[list[str]]:
    """Contain what the facts' own plugin does wrong: it is logged, and named in what is yielded.

    Everything that was done inside is undone then; other facts are not concerned.
    """
    problems: list[str] = []
    try:
        with session.begin_nested():
            yield problems
    except OperationalError:
        # A deadlock, a lost connection: the host repeats the whole.
        raise
    except Exception as error:
        _log.exception("facts_broken", extra={"facts": name})
        problems.append(f"{type(error).__name__}: {str(error).splitlines()[0]}")


def forget(name: str) -> None:
    """Remove everything that is kept of some facts; the next run makes it anew."""
    session.execute(delete(Source).where(Source.facts == name))
    session.expire_all()


def differences(name: str, most: int = 20) -> list[str]:
    """Compare what is kept with a recount; returns sentences about the days that differ."""
    facts, measures = catalogue.sources()[name]
    session.execute(_PATIENT)
    found: list[str] = []
    pending = select(PendingDay.day).where(PendingDay.facts == name)
    source = session.scalars(select(Source).where(Source.facts == name)).one_or_none()
    if source is None:
        return found
    for zone in reading.settings().zones:
        table = live.columns(facts)
        touched = select(live.day_of(table, zone)).where(table.c.recorded_at > source.watermark)
        changed = union_all(pending.where(PendingDay.zone == zone), touched)
        for model, rows in _made(facts, measures, zone, None):
            kept = select(*_columns(model)).where(model.facts == name, model.zone == zone)
            kept = kept.where(model.day.not_in(changed))
            counted = rows.subquery("counted")
            again = select(*counted.c).where(counted.c.day.not_in(changed))
            for these, words in ((kept.except_(again), "kept"), (again.except_(kept), "counted")):
                found.extend(
                    f"{name} in {zone}, {words} only: {tuple(map(str, row[2:]))}"
                    for row in session.execute(these.limit(most))
                )
    return found[:most]


def _note(facts: Facts, zone: str) -> Any:
    table = live.columns(facts)
    touched = (
        select(literal(facts.name), literal(zone), live.day_of(table, zone))
        .join(Source, Source.facts == facts.name)
        .where(table.c.recorded_at > Source.watermark)
        .distinct()
    )
    return (
        insert(PendingDay).from_select(["facts", "zone", "day"], touched).on_conflict_do_nothing()
    )


def _make(facts: Facts, measures: Sequence[Measure], zone: str, days: list[date]) -> None:
    for model, rows in _made(facts, measures, zone, days):
        session.execute(
            delete(model).where(model.facts == facts.name, model.zone == zone, model.day.in_(days))
        )
        names = [each.name for each in _columns(model)]
        session.execute(insert(model).from_select(names, rows))


def _made(
    facts: Facts, measures: Sequence[Measure], zone: str, days: list[date] | None
) -> list[tuple[Any, Any]]:
    """Statements that count anew what both tables keep, of some days or of all."""
    added = [each for each in measures if not each.is_distinct]
    apart = [each for each in measures if each.is_distinct]
    found: list[tuple[Any, Any]] = []
    if added:
        each_sum = [_sums(facts, added, zone, days, by) for by in groupings(facts)]
        found.append((DaySum, union_all(*each_sum)))
    if apart:
        each_member = [
            _members(facts, one, zone, days, by) for by in groupings(facts) for one in apart
        ]
        found.append((DayMember, union_all(*each_member)))
    return found


def _columns(model: Any) -> list[Any]:
    return list(model.__table__.columns)


def _sums(
    facts: Facts,
    measures: Sequence[Measure],
    zone: str,
    days: list[date] | None,
    by: tuple[str, ...],
) -> Any:
    """Rows of `DaySum` of one combination of dimensions: the facts are read once."""
    table = live.columns(facts)
    day, key, currency = _group(table, zone, by)
    numbers = [live.number(table, each).label(f"m{at}") for at, each in enumerate(measures)]
    wide = (
        select(day.label("day"), key.label("key"), currency.label("currency"), *numbers)
        .where(*_days(facts, table, zone, days))
        .group_by(day, *([currency] if "currency" in table.c else []), *_texts(table, by))
        .subquery("wide")
    )
    tall = (
        func.unnest(
            literal([each.key for each in measures], ARRAY(Text)),
            _array([wide.c[f"m{at}"] for at in range(len(measures))]),
        )
        .table_valued("measure", "number")
        .render_derived(name="tall")
    )
    return select(
        literal(facts.name).label("facts"),
        literal(zone).label("zone"),
        literal(",".join(by)).label("grouping"),
        tall.c.measure,
        wide.c.day,
        wide.c.key,
        wide.c.currency,
        tall.c.number,
    ).select_from(wide.join(tall, true()))


def _members(
    facts: Facts, measure: Measure, zone: str, days: list[date] | None, by: tuple[str, ...]
) -> Any:
    table = live.columns(facts)
    day, key, currency = _group(table, zone, by)
    member, present = live.member(table, measure)
    return (
        select(
            literal(facts.name).label("facts"),
            literal(zone).label("zone"),
            literal(",".join(by)).label("grouping"),
            literal(measure.key).label("measure"),
            day.label("day"),
            key.label("key"),
            currency.label("currency"),
            member.label("member"),
        )
        .where(present, *_days(facts, table, zone, days))
        .distinct()
    )


def _group(table: Any, zone: str, by: tuple[str, ...]) -> tuple[Any, Any, Any]:
    return live.day_of(table, zone), _array(_texts(table, by)), live.currency_of(table)


def _texts(table: Any, by: tuple[str, ...]) -> list[Any]:
    return [cast(table.c[name], Text) for name in by]


def _array(values: list[Any]) -> Any:
    return array(values) if values else cast(literal("{}"), ARRAY(Text))


def _days(facts: Facts, table: Any, zone: str, days: list[date] | None) -> list[Any]:
    if days is None:
        return []
    period = Period(min(days), max(days) + timedelta(days=1), zone)
    return live.conditions(table, Asked(facts, (), period, None, {}, None), days)
