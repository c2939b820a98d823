"""Money: reading, writing, arithmetic."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_UP, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torg.money import (
    MAX_MINOR,
    AmountOutOfRangeError,
    CurrencyMismatchError,
    MalformedAmountError,
    Money,
    UnknownCurrencyError,
    currencies,
    format_amount,
    parse,
    scale,
)

CODES = st.sampled_from(sorted(currencies()))
MINORS = st.integers(-MAX_MINOR, MAX_MINOR)
SMALL = st.integers(-(10**15), 10**15)


def exact(money: Money) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        return Decimal(money.minor).scaleb(-scale(money.currency))


@given(MINORS, CODES)
def test_an_amount_that_is_written_is_read_as_the_same(minor: int, currency: str) -> None:
    amount = Money(minor, currency).format()

    assert parse(amount, currency) == Money(minor, currency)
    assert Decimal(amount) == exact(Money(minor, currency))


@pytest.mark.parametrize(
    ("minor", "currency", "amount"),
    [
        (1999, "EUR", "19.99"),
        (5, "EUR", "0.05"),
        (-5, "EUR", "-0.05"),
        (-100, "EUR", "-1.00"),
        (0, "EUR", "0.00"),
        (1990, "JPY", "1990"),
        (-7, "JPY", "-7"),
        (1999, "BHD", "1.999"),
        (-1, "BHD", "-0.001"),
        (12345, "CLF", "1.2345"),
    ],
)
def test_an_amount_has_exactly_the_scale_of_its_currency(
    minor: int, currency: str, amount: str
) -> None:
    assert format_amount(minor, currency) == amount
    assert str(Money(minor, currency)) == f"{amount} {currency}"


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        *((text, "EUR") for text in ("1e5", "1_000.00", "+1.00", " 1.00", "1.00 ", "1.00\n")),
        *((text, "EUR") for text in ("19.9", "19", "19.990", "19.", ".99", "", "-", "--1.00")),
        *((text, "EUR") for text in ("01.00", "-0.00", "00.00", "1,00", "1 000.00", "0x1.00")),
        *((text, "EUR") for text in ("1２.00", "١٢.00", "NaN", "Infinity", "1.00.00", "1.0e")),
        *((text, "JPY") for text in ("19.00", "19.", "1e3", "-0")),
        *((text, "BHD") for text in ("19.99", "19.9999")),
    ],
)
def test_any_other_spelling_of_an_amount_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(MalformedAmountError) as refusal:
        parse(amount, currency)

    assert refusal.value.extras() == {"currency": currency, "scale": scale(currency)}


@pytest.mark.parametrize(
    "amount", ["92233720368547758.08", "-92233720368547758.08", "9" * 5000 + ".00"]
)
def test_more_than_a_bigint_holds_is_refused(amount: str) -> None:
    with pytest.raises(AmountOutOfRangeError):
        parse(amount, "EUR")


@pytest.mark.parametrize("code", ["XXX", "XAU", "eur", "EU", "EURO", "ЕUR", "", "QQQ"])
def test_a_code_that_is_no_currency_is_refused(code: str) -> None:
    with pytest.raises(UnknownCurrencyError):
        parse("1.00", code)


def test_money_of_a_withdrawn_currency_can_still_be_shown() -> None:
    assert "HRK" not in currencies()
    assert Money(1050, "HRK").format() == "10.50"


@given(SMALL, SMALL, CODES)
def test_arithmetic_agrees_with_exact_decimals(left: int, right: int, code: str) -> None:
    a, b = Money(left, code), Money(right, code)

    assert exact(a + b) == exact(a) + exact(b)
    assert exact(a - b) == exact(a) - exact(b)
    assert exact(-a) == -exact(a)
    assert exact(abs(a)) == abs(exact(a))
    assert exact(3 * a) == exact(a * 3) == exact(a) * 3
    assert (a < b, a <= b, a > b, a >= b, a == b) == (
        exact(a) < exact(b),
        exact(a) <= exact(b),
        exact(a) > exact(b),
        exact(a) >= exact(b),
        exact(a) == exact(b),
    )


@given(SMALL, st.decimals("-1000", "1000", places=9))
def test_times_rounds_once_and_by_the_named_rule(minor: int, factor: Decimal) -> None:
    money = Money(minor, "EUR")
    with localcontext() as context:
        context.prec = 60
        for rounding in (ROUND_HALF_EVEN, ROUND_DOWN, ROUND_UP):
            expected = int((Decimal(minor) * factor).to_integral_value(rounding=rounding))

            assert money.times(factor, rounding).minor == expected


@given(MINORS, st.lists(st.integers(0, 10**6), min_size=1, max_size=12).filter(any))
def test_shares_sum_up_to_the_whole_and_none_is_off_by_a_unit(
    minor: int, weights: list[int]
) -> None:
    shares = Money(minor, "EUR").shares(weights)

    assert sum(share.minor for share in shares) == minor
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share.minor * sum(weights) - minor * weight) < sum(weights)


def test_the_first_part_gets_what_is_left_among_equals() -> None:
    assert [share.minor for share in Money(100, "EUR").shares([1, 1, 1])] == [34, 33, 33]


@pytest.mark.parametrize("weights", [[], [0, 0], [-1, 2]])
def test_shares_need_weights_that_make_sense(weights: list[int]) -> None:
    with pytest.raises(ValueError):
        Money(100, "EUR").shares(weights)


def test_two_currencies_are_never_mixed() -> None:
    euro, yen = Money(1, "EUR"), Money(1, "JPY")

    for operation in ("__add__", "__sub__", "__lt__", "__le__", "__gt__", "__ge__"):
        with pytest.raises(CurrencyMismatchError):
            getattr(euro, operation)(yen)
    assert euro != yen


def test_a_result_that_cannot_be_stored_is_refused() -> None:
    most = Money(MAX_MINOR, "EUR")

    with pytest.raises(AmountOutOfRangeError):
        most + Money(1, "EUR")
    with pytest.raises(AmountOutOfRangeError):
        -most - Money(1, "EUR")
    with pytest.raises(AmountOutOfRangeError):
        most * 2
    with pytest.raises(AmountOutOfRangeError):
        most.times(Decimal("1e1000000"))


@pytest.mark.parametrize("minor", [1.0, True, "1", Decimal(1)])
def test_minor_units_are_an_integer_and_nothing_else(minor: object) -> None:
    with pytest.raises(TypeError):
        Money(minor, "EUR")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Money(1, "EUR") * 1.5  # type: ignore[operator]


@pytest.mark.parametrize("factor", ["NaN", "Infinity"])
def test_a_factor_is_a_number(factor: str) -> None:
    with pytest.raises(ValueError):
        Money(1, "EUR").times(Decimal(factor))
