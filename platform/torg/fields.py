"""Fields of numbers, moments and choices: strict when read, exact when written.

Owns their bounds and JSON forms. Import the fields from `torg.schemas`.
"""

import datetime as dt
import enum
import re
from collections.abc import Sequence
from decimal import Decimal as ExactNumber
from typing import Any

from marshmallow import fields

from torg import clock
from torg.field_base import HostField

MIN_BIGINT = -(2**63)
MAX_BIGINT = 2**63 - 1

_INTEGER_TEXT = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_EXAMPLE_MOMENT = "2026-01-31T12:00:00Z"
_EXAMPLE_DATE = "2026-01-31"


class Integer(HostField, fields.Integer):
    """A whole number within PostgreSQL's BIGINT.

    JSON `1.0`, `true` and `"1"` are no integers; in a query string only ASCII digits with an
    optional minus are.
    """

    default_error_messages = {  # noqa: RUF012 - marshmallow reads this class attribute
        "not_an_integer": "Has to be a whole number.",
        "out_of_range": "Has to be between {minimum} and {maximum}.",
    }

    def __init__(
        self, *, minimum: int = MIN_BIGINT, maximum: int = MAX_BIGINT, **keywords: Any
    ) -> None:
        """Bound the number; both bounds are allowed values."""
        super().__init__(**keywords)
        self.minimum = minimum
        self.maximum = maximum

    def openapi(self) -> dict[str, Any]:
        """Bounds and the size in bits."""
        return {"format": "int64", "minimum": self.minimum, "maximum": self.maximum}

    def example_value(self) -> Any:
        """The author's, or the number nearest to 1."""
        nearest = max(self.minimum, min(1, self.maximum))
        return nearest if self.example is None else self.example

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_keywords: Any) -> int:
        # `type` and not `isinstance`: bool is a subclass of int.
        if type(value) is int:
            number = value
        elif self.from_text and isinstance(value, str) and _INTEGER_TEXT.fullmatch(value):
            number = int(value)
        else:
            raise self.make_error("not_an_integer")
        if not self.minimum <= number <= self.maximum:
            raise self.make_error("out_of_range", minimum=self.minimum, maximum=self.maximum)
        return number


class Id(Integer):
    """The id of a record."""

    def __init__(self, **keywords: Any) -> None:
        """Ids begin at 1."""
        super().__init__(**{"minimum": 1, **keywords})


class Boolean(HostField, fields.Boolean):
    """`true` or `false`; in a query string the same two words."""

    default_error_messages = {  # noqa: RUF012 - marshmallow reads this class attribute
        "not_a_boolean": "Has to be true or false.",
    }

    def example_value(self) -> Any:
        """The author's, or true."""
        return True if self.example is None else self.example

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_keywords: Any) -> bool:
        if isinstance(value, bool):
            return value
        if self.from_text and value in ("true", "false"):
            return bool(value == "true")
        raise self.make_error("not_a_boolean")


class Decimal(HostField):
    """An exact decimal number, as text in JSON: a rate, a weight. Money is MoneyField."""

    default_error_messages = {  # noqa: RUF012 - marshmallow reads this class attribute
        "not_a_decimal": "Has to be a decimal text with at most {places} digits after the point.",
        "out_of_range": "Has to be between {minimum} and {maximum}.",
    }

    def __init__(
        self,
        *,
        places: int,
        minimum: ExactNumber | int,
        maximum: ExactNumber | int,
        **keywords: Any,
    ) -> None:
        """Bound the number.

        Args:
            places: most digits after the point; the column's scale.
            minimum: least allowed value.
            maximum: largest allowed value.
            **keywords: as in `HostField`.
        """
        super().__init__(**keywords)
        self.places = places
        self.minimum = ExactNumber(minimum)
        self.maximum = ExactNumber(maximum)
        widest = max(len(str(abs(int(bound)))) for bound in (minimum, maximum))
        fraction = rf"(\.[0-9]{{1,{places}}})?" if places else ""
        sign = "-?" if minimum < 0 else ""
        self._pattern = f"{sign}(0|[1-9][0-9]{{0,{widest - 1}}}){fraction}"
        self._matches = re.compile(self._pattern).fullmatch

    def openapi(self) -> dict[str, Any]:
        """A string with a pattern."""
        return {"type": "string", "format": "decimal", "pattern": f"^{self._pattern}$"}

    def example_value(self) -> Any:
        """The author's, or the number nearest to 1."""
        nearest = max(self.minimum, min(ExactNumber(1), self.maximum))
        return self.dump_value(nearest) if self.example is None else self.example

    def dump_value(self, value: Any) -> str:
        """Plain digits, never an exponent."""
        return format(value, "f")

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_keywords: Any
    ) -> ExactNumber:
        if not isinstance(value, str) or not self._matches(value):
            raise self.make_error("not_a_decimal", places=self.places)
        number = ExactNumber(value)
        if not self.minimum <= number <= self.maximum:
            raise self.make_error("out_of_range", minimum=self.minimum, maximum=self.maximum)
        return number


class Timestamp(HostField, fields.DateTime):
    """A moment: RFC 3339 with an offset, of the years 1970 to 9998; written in UTC with `Z`."""

    default_error_messages = {  # noqa: RUF012 - marshmallow reads this class attribute
        "not_a_moment": "Has to be a date and time like 2026-01-31T12:00:00Z (RFC 3339).",
        "offset_missing": "Needs an offset from UTC: write Z or +03:00 at its end.",
        "moment_out_of_range": "Has to be of the years 1970 to 9998.",
    }

    # The functions themselves: lists write thousands of moments and a call less shows.
    dump_value = staticmethod(clock.format_moment)
    json_value = staticmethod(clock.as_utc)

    def example_value(self) -> Any:
        """The author's, or a moment of 2026."""
        return self.example or _EXAMPLE_MOMENT

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_kw: Any) -> dt.datetime:
        if not isinstance(value, str):
            raise self.make_error("not_a_moment")
        try:
            return clock.parse_moment(value)
        except clock.MomentError as error:
            raise self.make_error(error.code) from None


class Date(HostField, fields.Date):
    """A day without a time, as `2026-01-31`, of the years 1900 to 9998."""

    default_error_messages = {  # noqa: RUF012 - marshmallow reads this class attribute
        "not_a_date": "Has to be a date like 2026-01-31.",
        "date_out_of_range": "Has to be of the years 1900 to 9998.",
    }
    _TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

    def dump_value(self, value: dt.date) -> str:
        """Year, month, day."""
        return value.isoformat()

    def example_value(self) -> Any:
        """The author's, or a day of 2026."""
        return self.example or _EXAMPLE_DATE

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_keywords: Any) -> dt.date:
        if not isinstance(value, str) or not self._TEXT.fullmatch(value):
            raise self.make_error("not_a_date")
        try:
            day = dt.date.fromisoformat(value)
        except ValueError:
            raise self.make_error("not_a_date") from None
        if not 1900 <= day.year <= clock.LATEST.year:
            raise self.make_error("date_out_of_range")
        return day


class Enum(HostField):
    """One of a closed set of words.

    Declared with an `enum.Enum` of text values it loads members; with a list, the texts.
    """

    default_error_messages = {  # noqa: RUF012 - marshmallow reads this class attribute
        "not_allowed": "Has to be one of: {allowed}.",
    }

    def __init__(self, choices: type[enum.Enum] | Sequence[str], **keywords: Any) -> None:
        """State the allowed words."""
        super().__init__(**keywords)
        self._holds_members = isinstance(choices, type)
        if isinstance(choices, type):
            self.choices: dict[str, Any] = {str(member.value): member for member in choices}
        else:
            self.choices = {word: word for word in choices}

    def is_plain(self) -> bool:
        """Words are; members have to give theirs."""
        return not self._holds_members

    def is_plain_for_encoder(self) -> bool:
        """It writes the value of a member by itself."""
        return True

    def openapi(self) -> dict[str, Any]:
        """The words."""
        return {"type": "string", "enum": list(self.choices)}

    def example_value(self) -> Any:
        """The author's, or the first word."""
        return self.example or next(iter(self.choices))

    def dump_value(self, value: Any) -> Any:
        """The word of a member, or the word itself."""
        return value.value if isinstance(value, enum.Enum) else value

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_keywords: Any) -> Any:
        if not isinstance(value, str) or value not in self.choices:
            raise self.make_error("not_allowed", allowed=", ".join(self.choices))
        return self.choices[value]
