"""Filters of lists: a typed query parameter and what it means in SQL.

Owns the ordinary ones. A list declares them by name (`torg.listing`).
"""

import decimal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal as ExactNumber
from typing import Any

from sqlalchemy import ColumnElement, case

from torg.container_fields import List
from torg.field_base import HostField
from torg.fields import Decimal
from torg.money import MAX_SCALE, UNUSUAL_SCALES, scale

_MOST_CHOICES = 50
_LARGEST_AMOUNT = 10**15


@dataclass(frozen=True, slots=True)
class Filter:
    """A query parameter: the field that reads it and the predicate that its value stands for."""

    field: HostField
    predicate: Callable[[Any], ColumnElement[bool]]


def equals(field: HostField, column: Any) -> Filter:
    """The column has this value."""
    return Filter(field, lambda value: column == value)


def one_of(field: HostField, column: Any) -> Filter:
    """The column has one of these values: the parameter may be repeated."""
    return Filter(
        List(
            field, maximum=_MOST_CHOICES, minimum=1, description=field.metadata.get("description")
        ),
        lambda values: column.in_(values),
    )


def at_least(field: HostField, column: Any) -> Filter:
    """The column is this value or more."""
    return Filter(field, lambda value: column >= value)


def at_most(field: HostField, column: Any) -> Filter:
    """The column is this value or less."""
    return Filter(field, lambda value: column <= value)


def above(field: HostField, column: Any) -> Filter:
    """The column is more than this value (`created_after`)."""
    return Filter(field, lambda value: column > value)


def below(field: HostField, column: Any) -> Filter:
    """The column is less than this value (`created_before`)."""
    return Filter(field, lambda value: column < value)


def amount_at_least(minor: Any, currency: Any, **keywords: Any) -> Filter:
    """The money in two columns is at least this amount, each row in its own currency.

    The parameter is a decimal text such as `19.99`; combine it with a filter by currency.
    """
    return Filter(
        _amount(keywords),
        lambda value: minor >= _in_minor_units(value, currency, decimal.ROUND_CEILING),
    )


def amount_at_most(minor: Any, currency: Any, **keywords: Any) -> Filter:
    """The money in two columns is at most this amount, each row in its own currency."""
    return Filter(
        _amount(keywords),
        lambda value: minor <= _in_minor_units(value, currency, decimal.ROUND_FLOOR),
    )


def _amount(keywords: dict[str, Any]) -> HostField:
    about = {"example": "19.99", **keywords}
    return Decimal(places=MAX_SCALE, minimum=0, maximum=_LARGEST_AMOUNT, **about)


def _in_minor_units(value: ExactNumber, currency: Any, rounding: str) -> ColumnElement[int]:
    def minor_units(digits: int) -> int:
        return int(value.scaleb(digits).to_integral_value(rounding=rounding))

    def codes(digits: int) -> Sequence[str]:
        return [code for code, each in UNUSUAL_SCALES.items() if each == digits]

    return case(
        *(
            (currency.in_(codes(digits)), minor_units(digits))
            for digits in sorted(set(UNUSUAL_SCALES.values()))
        ),
        else_=minor_units(scale("EUR")),
    )
