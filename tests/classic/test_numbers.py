"""Money as bare numbers: what is written is what is meant, held to a naive reading of the text."""

import json
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as some
from marshmallow import ValidationError

from torg import strict_json
from torg.money import MAX_MINOR, Money, scale
from torg_classic.numbers import Bound, number
from torg_classic.schemas import Wanted

CURRENCIES = ["EUR", "USD", "JPY", "KWD", "BHD", "KRW", "RUB"]


@given(minor=some.integers(0, MAX_MINOR), currency=some.sampled_from(CURRENCIES))
def test_a_written_price_reads_as_exactly_its_minor_units(minor: int, currency: str) -> None:
    text = orjson.dumps({"price": number(Money(minor, currency))})

    read = json.loads(text, parse_float=Decimal, parse_int=Decimal)["price"]
    assert read == Decimal(minor).scaleb(-scale(currency))
    assert -read.as_tuple().exponent == scale(currency)


@given(some.decimals(0, 10**12, places=3, allow_nan=False))
def test_a_bound_is_the_number_that_was_sent(sent: Decimal) -> None:
    body = strict_json.loads(f'{{"price_min": {sent:f}}}'.encode())

    assert Wanted().load(body)["price_min"] == sent


@given(some.floats() | some.integers() | some.text(max_size=5) | some.booleans() | some.none())
def test_a_bound_takes_a_number_in_its_range_and_nothing_else(value: object) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 <= value <= 10**15:
        assert Bound().deserialize(value) == Decimal(repr(value))
    else:
        with pytest.raises(ValidationError):
            Bound().deserialize(value)
