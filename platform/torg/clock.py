"""Moments as text: reads and writes RFC 3339, always aware, always within what can be stored.

Pure functions. What time it *is* is the database's answer alone (`torg.db.database_now`).
"""

import re
from datetime import UTC, datetime

# Inside these years every moment survives a shift to any offset, in Python and in PostgreSQL; a
# stored moment outside of them would break every list that shows it.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9998, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)

_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(?P<offset>[Zz]|[+-][0-9]{2}:[0-9]{2})?"
)


class MomentError(ValueError):
    """A text is no acceptable moment; `code` says why.

    Codes: `not_a_moment`, `offset_missing`, `moment_out_of_range`.
    """

    def __init__(self, code: str) -> None:
        """Keep the reason."""
        self.code = code
        super().__init__(code)


def parse_moment(text: str) -> datetime:
    """The moment that an RFC 3339 text names, in UTC, to the microsecond.

    Raises:
        MomentError: it is no RFC 3339 date-time with at most six digits after the second, has no
            offset, or lies outside of `EARLIEST`..`LATEST`.
    """
    match = _RFC_3339.fullmatch(text)
    if match is None:
        raise MomentError("not_a_moment")
    if match["offset"] is None:
        raise MomentError("offset_missing")
    try:
        # OverflowError: in the first or last hours of the calendar the shift leaves it.
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError:
        raise MomentError("moment_out_of_range") from None
    except ValueError:
        raise MomentError("not_a_moment") from None
    if not EARLIEST <= moment <= LATEST:
        raise MomentError("moment_out_of_range")
    return moment


def format_moment(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z`.

    Raises:
        ValueError: the moment is naive. It is never guessed to be UTC.
    """
    return as_utc(moment).isoformat()[:-6] + "Z"


def as_utc(moment: datetime) -> datetime:
    """The same moment in UTC.

    Raises:
        ValueError: the moment is naive.
    """
    if moment.tzinfo is UTC:
        return moment
    if moment.utcoffset() is None:
        raise ValueError("a moment without an offset")
    return moment.astimezone(UTC)
