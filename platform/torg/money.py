"""Money: an integer of minor units and a currency, never a float.

Owns reading, writing and arithmetic. Pure; storing it is two columns of a table (`BIGINT` minor
units and `CHAR(3)`), and its JSON shape is `torg.fields.MoneyField`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import cache
from typing import Self

from torg.errors import InvalidError

# What PostgreSQL's BIGINT holds; kept symmetric so that a negation never overflows.
MAX_MINOR = 2**63 - 1

# Digits after the point that are not two (ISO 4217, table A.1). Written down here and not taken
# from a library: stored minor units would change their worth with an upgrade of its tables. CLDR
# states what is customary (0 for RSD, ALL, LBP...), which is for display, not for accounts.
UNUSUAL_SCALES = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
_DEFAULT_SCALE = 2
MAX_SCALE = max(UNUSUAL_SCALES.values())

# Codes under X are metals, funds and test codes without a minor unit, except these currencies.
_REAL_X_CODES = frozenset({"XAF", "XCD", "XCG", "XOF", "XPF"})

_CURRENCY = re.compile(r"[A-Z]{3}")
_AMOUNTS = [
    re.compile(r"-?(0|[1-9][0-9]*)" + (rf"\.[0-9]{{{digits}}}" if digits else ""))
    for digits in range(MAX_SCALE + 1)
]


class MalformedAmountError(InvalidError):
    """An amount is a decimal text with exactly as many digits after the point as the currency has.

    Examples: `"19.90"` EUR, `"1990"` JPY, `"19.900"` BHD. No sign but a leading minus, no
    separators, no exponent.
    """

    code = "malformed_amount"
    title = "Malformed amount"
    detail = "An amount in {currency} is a decimal text with {scale} digits after the point."
    public = ("currency", "scale")


class UnknownCurrencyError(InvalidError):
    """The currency is no code of ISO 4217, or not one of those that are accepted here."""

    code = "unknown_currency"
    title = "Unknown currency"
    detail = "The currency is not known. Use an ISO 4217 code such as EUR."


class AmountOutOfRangeError(InvalidError):
    """The amount, or the result of a computation with it, is larger than what can be stored."""

    code = "amount_out_of_range"
    title = "Amount out of range"
    detail = "The amount is larger than what can be stored."


class CurrencyMismatchError(InvalidError):
    """Amounts in two currencies were to be added or compared; nothing is converted silently."""

    code = "currency_mismatch"
    title = "Two currencies"
    detail = "{left} and {right} cannot be added or compared."
    public = ("left", "right")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount: `minor` units (cents) of `currency` (ISO 4217 code).

    Arithmetic needs the same currency on both sides (`CurrencyMismatchError`) and stays within
    `MAX_MINOR` (`AmountOutOfRangeError`).
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"minor units are an int, not {type(self.minor).__name__}")
        if not -MAX_MINOR <= self.minor <= MAX_MINOR:
            raise AmountOutOfRangeError
        if not _CURRENCY.fullmatch(self.currency):
            raise UnknownCurrencyError

    def __str__(self) -> str:
        return f"{self.format()} {self.currency}"

    def format(self) -> str:
        """The decimal text with exactly the currency's scale, such as "19.90"."""
        return format_amount(self.minor, self.currency)

    def __add__(self, other: Self) -> Self:
        self._require_same_currency(other)
        return self._with(self.minor + other.minor)

    def __sub__(self, other: Self) -> Self:
        self._require_same_currency(other)
        return self._with(self.minor - other.minor)

    def __neg__(self) -> Self:
        return self._with(-self.minor)

    def __abs__(self) -> Self:
        return self._with(abs(self.minor))

    def __mul__(self, count: int) -> Self:
        if type(count) is not int:
            raise TypeError("money is multiplied by a whole number; for a share use `times`")
        return self._with(self.minor * count)

    __rmul__ = __mul__

    def __lt__(self, other: Self) -> bool:
        self._require_same_currency(other)
        return self.minor < other.minor

    def __le__(self, other: Self) -> bool:
        self._require_same_currency(other)
        return self.minor <= other.minor

    def __gt__(self, other: Self) -> bool:
        self._require_same_currency(other)
        return self.minor > other.minor

    def __ge__(self, other: Self) -> bool:
        self._require_same_currency(other)
        return self.minor >= other.minor

    def times(self, factor: Decimal, rounding: str = ROUND_HALF_EVEN) -> Self:
        """This much times an exact factor, rounded once to whole minor units.

        Args:
            factor: for example `Decimal("0.15")` for 15 %.
            rounding: a rounding of the module `decimal`; the default is banker's rounding.

        Raises:
            ValueError: the factor is NaN or infinite.
            AmountOutOfRangeError: the result is more than `MAX_MINOR`.
        """
        if not factor.is_finite():
            raise ValueError("the factor has to be finite")
        if factor.adjusted() > len(str(MAX_MINOR)):
            raise AmountOutOfRangeError
        with localcontext() as context:
            # Enough digits that the product is exact and only `to_integral_value` rounds.
            context.prec = 40 + len(factor.as_tuple().digits)
            product = (Decimal(self.minor) * factor).to_integral_value(rounding=rounding)
        return self._with(int(product))

    def shares(self, weights: Sequence[int]) -> list[Self]:
        """Divides it by whole weights so that the parts sum up to exactly this.

        What does not divide goes, one minor unit each, to the largest remainders; the earlier
        part wins among equals (the method of Hamilton).

        Raises:
            ValueError: a weight is negative, or there is none above zero.
        """
        total = sum(weights)
        if total <= 0 or min(weights) < 0:
            raise ValueError("weights are not negative and at least one is above zero")
        sign = -1 if self.minor < 0 else 1
        parts = [divmod(abs(self.minor) * weight, total) for weight in weights]
        left = abs(self.minor) - sum(whole for whole, _ in parts)
        by_remainder = sorted(range(len(parts)), key=lambda index: -parts[index][1])
        lucky = set(by_remainder[:left])
        return [
            self._with(sign * (whole + (index in lucky))) for index, (whole, _) in enumerate(parts)
        ]

    def _with(self, minor: int) -> Self:
        return type(self)(minor, self.currency)

    def _require_same_currency(self, other: Self) -> None:
        if self.currency != other.currency:
            raise CurrencyMismatchError(left=self.currency, right=other.currency)


def parse(amount: str, currency: str) -> Money:
    """Reads a decimal text that has exactly the currency's scale: the reverse of `Money.format`.

    Raises:
        UnknownCurrencyError: the currency is not a current one of ISO 4217.
        MalformedAmountError: "1e5", "1_000", "+1", " 1", "01", "-0", other digits than ASCII, or
            another number of digits after the point.
        AmountOutOfRangeError: more than `MAX_MINOR`.
    """
    if currency not in currencies():
        raise UnknownCurrencyError
    digits = scale(currency)
    if not _AMOUNTS[digits].fullmatch(amount):
        raise MalformedAmountError(currency=currency, scale=digits)
    # Bounded before `int` sees it: its time grows with the square of the length.
    if len(amount) > len(str(MAX_MINOR)) + 2:
        raise AmountOutOfRangeError
    minor = int(amount.replace(".", ""))
    if minor == 0 and amount.startswith("-"):
        raise MalformedAmountError(currency=currency, scale=digits)
    return Money(minor, currency)


def format_amount(minor: int, currency: str) -> str:
    """The decimal text of minor units with exactly the currency's scale.

    Works for withdrawn currencies too: what was once stored can always be shown.
    """
    digits = UNUSUAL_SCALES.get(currency, _DEFAULT_SCALE)
    text = str(minor)
    if digits == 0:
        return text
    if len(text) <= digits + 1:
        text = text.zfill(digits + 1 + (minor < 0))
    return f"{text[:-digits]}.{text[-digits:]}"


def scale(currency: str) -> int:
    """Digits after the decimal point of a currency (ISO 4217): EUR 2, JPY 0, BHD 3."""
    return UNUSUAL_SCALES.get(currency, _DEFAULT_SCALE)


def declare_points(code: str, digits: int = 0) -> None:
    """Make a unit known that is counted like money and is none, such as bonus points.

    Amounts in it can be computed and shown. `parse` goes on refusing it, so no client can name a
    price in it. Called when a module is loaded; saying the same twice is fine.

    Raises:
        ValueError: the code is a currency's, or is declared with other digits.
    """
    is_taken = code in currencies() or UNUSUAL_SCALES.get(code, digits) != digits
    if is_taken or not _CURRENCY.fullmatch(code) or not 0 <= digits <= MAX_SCALE:
        raise ValueError(f"{code} with {digits} digits cannot be declared as points")
    UNUSUAL_SCALES[code] = digits


@cache
def currencies() -> frozenset[str]:
    """The current codes of ISO 4217 that have a minor unit (no metals, funds or test codes)."""
    # Imported late: reading the tables costs a start of the command line 50 ms.
    import pycountry

    codes = {currency.alpha_3 for currency in pycountry.currencies}
    return frozenset(code for code in codes if not code.startswith("X") or code in _REAL_X_CODES)
