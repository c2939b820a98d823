"""Money as bare JSON numbers, which this API's shapes ask for: read and written without rounding.

A number is written with exactly the digits of its currency (`19.90`, `1500`, `0.125`), never by way
of a binary fraction, so 19.99 stays 19.99 however large the amount.
"""

from decimal import Decimal
from functools import lru_cache
from typing import Any

import orjson

from torg.field_base import HostField
from torg.money import Money

_LARGEST = 10**15


@lru_cache(maxsize=16384)
def number(money: Money) -> orjson.Fragment:
    """The amount as the text of a JSON number; a list repeats the same few amounts."""
    return orjson.Fragment(money.format().encode())


class Price(HostField):
    """Money, written as a number alone; its currency stands beside it, where the shape has one."""

    dump_value = staticmethod(number)

    def openapi(self) -> dict[str, Any]:
        """A number."""
        return {"type": "number", "minimum": 0}

    def example_value(self) -> Any:
        """The author's, or a price."""
        return 19.99 if self.example is None else self.example


class Bound(HostField):
    """The least or most that something may cost, sent as a JSON number; loads a `Decimal`."""

    default_error_messages = {  # noqa: RUF012 - marshmallow reads this class attribute
        "not_a_number": "Has to be a number.",
        "out_of_range": "Has to be between {minimum} and {maximum}.",
    }

    def openapi(self) -> dict[str, Any]:
        """A number with its bounds."""
        return {"type": "number", "minimum": 0, "maximum": _LARGEST}

    def example_value(self) -> Any:
        """The author's, or a price."""
        return 19.99 if self.example is None else self.example

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_keywords: Any) -> Decimal:
        # `type` and not `isinstance`: bool is a subclass of int.
        if type(value) not in (int, float):
            raise self.make_error("not_a_number")
        if not 0 <= value <= _LARGEST:
            raise self.make_error("out_of_range", minimum=0, maximum=_LARGEST)
        # The shortest text that reads as this number is the one that was sent.
        return Decimal(repr(value))
