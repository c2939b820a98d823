"""Numbers of an answer: shares of two sums, stocks from their changes, other currencies. Pure.

Money is minor units until it is written.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from torg.money import format_amount, scale

_SHOWN = Decimal("0.000001")
# Enough for products of the largest sums with the longest rates.
_DIGITS = 60


def ratio(top: Decimal | None, bottom: Decimal | None, *, percent: bool) -> Decimal | None:
    """`top / bottom`, a hundredfold in percent; None where nothing can be divided by."""
    if not bottom:
        return None
    with localcontext() as context:
        context.prec = _DIGITS
        return (top or Decimal(0)) * (100 if percent else 1) / bottom


def levels(
    opening: Decimal, changes: Mapping[date, Decimal], names: Sequence[date]
) -> dict[date, Decimal]:
    """How much there is at the end of each bucket.

    Args:
        opening: before the first.
        changes: by bucket.
        names: all buckets in their order.
    """
    found, level = {}, opening
    for name in names:
        level += changes.get(name, Decimal(0))
        found[name] = level
    return found


def converted(minor: Decimal, currency: str, into: str, rate: Decimal) -> Decimal:
    """Minor units in another currency, not rounded yet.

    Args:
        minor: in minor units of `currency`.
        currency, into: ISO 4217.
        rate: what one whole unit of `currency` is worth in whole units of `into`.
    """
    with localcontext() as context:
        context.prec = _DIGITS
        return (minor * rate).scaleb(scale(into) - scale(currency))


def written(value: Decimal | None, currency: str | None = None) -> str | None:
    """The text of a number: money in its currency's scale, others with six digits at most.

    Halves go to the even neighbour.
    """
    if value is None:
        return None
    with localcontext() as context:
        context.prec = _DIGITS
        if currency is not None:
            return format_amount(int(value.to_integral_value(ROUND_HALF_EVEN)), currency)
        short = value.quantize(_SHOWN, ROUND_HALF_EVEN).normalize()
        # A zero has a sign of its own, which would be nonsense to a reader.
        return "0" if not short else format(short, "f")
