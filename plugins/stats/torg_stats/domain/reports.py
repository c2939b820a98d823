"""When a kept report is sent. Pure."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from torg_stats.domain.periods import Interval, bucket_of, day_begins

SCHEDULES = ("none", "daily", "weekly", "monthly")
# Early enough to be read at breakfast; what the night brought late is counted already.
_AFTER_MIDNIGHT = timedelta(hours=1)
_LENGTHS = {"daily": Interval.DAY, "weekly": Interval.WEEK, "monthly": Interval.MONTH}


def next_due(schedule: str, zone: str, now: datetime) -> datetime | None:
    """The next time after `now`: an hour after a midnight of the zone; None when it is never sent.

    Args:
        schedule: one of `SCHEDULES`; a week begins on Monday, a month on its first.
        zone: IANA name.
        now: an aware moment.
    """
    if schedule == "none":
        return None
    interval = _LENGTHS[schedule]
    day = bucket_of(now.astimezone(ZoneInfo(zone)).date(), interval)
    while (due := day_begins(day, zone) + _AFTER_MIDNIGHT) <= now.astimezone(UTC):
        day = _following(day, interval)
    return due


def _following(day: date, interval: Interval) -> date:
    if interval is Interval.MONTH:
        return bucket_of(day + timedelta(days=31), interval)
    return day + timedelta(days=1 if interval is Interval.DAY else 7)
