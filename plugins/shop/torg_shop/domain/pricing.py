"""What a cart costs and what a coupon takes off. Pure; amounts are minor units."""

from collections.abc import Iterable
from dataclasses import dataclass

# A cart: so many different products, and so many of one.
MOST_LINES, MOST_OF_ONE = 200, 9999


@dataclass(frozen=True, slots=True)
class Reduction:
    """What a coupon is worth: a share in percent, or an amount; exactly one of the two.

    Attributes:
        percent: 1 to 100.
        amount_minor: more than zero.
        minimum_minor: what the goods have to cost at least.
    """

    percent: int | None
    amount_minor: int | None
    minimum_minor: int = 0


def subtotal(lines: Iterable[tuple[int, int]]) -> int:
    """What goods cost, from pairs of price and quantity."""
    return sum(price * quantity for price, quantity in lines)


def discount(subtotal_minor: int, reduction: Reduction) -> int | None:
    """What comes off; None when the goods cost less than the coupon asks for.

    A share is rounded down, and nothing becomes cheaper than free.
    """
    if subtotal_minor < reduction.minimum_minor:
        return None
    if reduction.percent is not None:
        return subtotal_minor * reduction.percent // 100
    return min(subtotal_minor, reduction.amount_minor or 0)


def points_earned(total_minor: int, percent: int) -> int:
    """Bonus points for what was paid, rounded down."""
    return total_minor * percent // 100


def merged(first: int, second: int, most: int) -> int:
    """How many a person wants whose guest cart and own cart name the same product."""
    return min(first + second, most)
