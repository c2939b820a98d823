"""Which lots points are taken from: those that expire soonest, first.

Pure. A lot is its id, what is left in it, and when it expires; ids break ties.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class LotRest:
    """What is left of a lot."""

    id: int
    remaining: int
    expires_at: datetime


def soonest_first(lots: Iterable[LotRest], own: int | None = None) -> list[LotRest]:
    """Lots in the order in which they are burnt; the lot `own`, if given, goes before all."""
    return sorted(lots, key=lambda lot: (lot.id != own, lot.expires_at, lot.id))


def burnt(lots: Sequence[LotRest], points: int) -> dict[int, int]:
    """How much each lot gives, in the given order, until `points` are together or nothing is left.

    Returns:
        Points above zero by lot id; their sum is `points`, or all there is when that is less.
    """
    found: dict[int, int] = {}
    for lot in lots:
        given = min(lot.remaining, points - sum(found.values()))
        if given > 0:
            found[lot.id] = given
    return found
