"""Time of a question: whole days of a zone, cut into buckets. Pure.

A bucket is named by its first day. Weeks begin on Monday (ISO 8601). The first and the last bucket
may be shorter than their name says: only days of the period count.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

MOST_BUCKETS = 1000
_DAY = timedelta(days=1)


class Interval(StrEnum):
    """How long a bucket is."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days of a zone, `first` included, `end` not.

    Attributes:
        first: the first day.
        end: the day after the last; later than `first`.
        zone: IANA name; a day begins when a clock there first shows it.
    """

    first: date
    end: date
    zone: str

    def instants(self) -> tuple[datetime, datetime]:
        """When it begins and when it ends."""
        return day_begins(self.first, self.zone), day_begins(self.end, self.zone)

    def before(self) -> "Period":
        """As many days, just before it."""
        return Period(self.first - (self.end - self.first), self.first, self.zone)


def day_begins(day: date, zone: str) -> datetime:
    """The first instant of a day; where clocks skip midnight, the instant of their jump."""
    # With fold 0 a repeated midnight is its first, a skipped one the jump itself (PEP 495).
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone), fold=0)
    return local.astimezone(UTC)


def bucket_of(day: date, interval: Interval) -> date:
    """The first day of the bucket that a day belongs to."""
    if interval is Interval.MONTH:
        return day.replace(day=1)
    if interval is Interval.WEEK:
        return day - _DAY * day.weekday()
    return day


def buckets(period: Period, interval: Interval) -> list[date]:
    """The names of all buckets of a period, also of those where nothing happened."""
    return list(_walk(period, interval))


def is_too_long(period: Period, interval: Interval) -> bool:
    """Whether there are more buckets than one answer holds."""
    longest = {Interval.DAY: 1, Interval.WEEK: 7, Interval.MONTH: 31}[interval]
    days = (period.end - period.first).days
    return days // longest > MOST_BUCKETS or len(buckets(period, interval)) > MOST_BUCKETS


def _walk(period: Period, interval: Interval) -> Iterator[date]:
    name = bucket_of(period.first, interval)
    while name < period.end:
        yield name
        if interval is Interval.MONTH:
            name = bucket_of(name + 31 * _DAY, interval)
        else:
            name += _DAY if interval is Interval.DAY else 7 * _DAY


def today_in(zone: str, now: datetime) -> date:
    """The day that a clock in the zone shows."""
    return now.astimezone(ZoneInfo(zone)).date()
