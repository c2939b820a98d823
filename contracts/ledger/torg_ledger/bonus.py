"""The contract `bonus` 1.0: points that are earned on paid orders, spent and taken back.

Owns types alone. Look it up with `torg.contracts.find("bonus", ">=1,<2")`; it may be absent.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from torg.errors import ConflictError


class NotEnoughPointsError(ConflictError):
    """There are not so many points to spend: those that are pending or expired do not count."""

    code = "not_enough_points"
    title = "Not enough points"
    detail = "Only {available} points can be spent."
    public = ("available",)


@dataclass(frozen=True, slots=True)
class Points:
    """A person's points at one moment.

    Attributes:
        available: what can be spent.
        pending: what is earned and waits for its return window to end.
    """

    available: int
    pending: int


class Bonus(Protocol):
    """Points in the same books as money. Every call is part of the caller's unit of work.

    `source` is the calling plugin, `reference` its own name of the thing (an order); together they
    make each call repeatable.
    """

    def earn(
        self,
        identity_id: int,
        points: int,
        *,
        source: str,
        reference: str,
        available_at: datetime,
    ) -> None:
        """Give points for a paid order.

        They are pending until `available_at`, the end of the return window, and expire some time
        after it.

        Raises:
            KeyReusedError: the reference stands for other points already.
        """

    def take_back(self, *, source: str, reference: str, key: str, points: int | None = None) -> int:
        """Take earned points back because of a refund; returns how many could be taken.

        They come from the order's own lot first, then from what expires soonest. What was spent
        already is forgiven: points never become negative.

        Args:
            source, reference: as given to `earn`.
            key: makes the call repeatable, one for each refund.
            points: part of what was earned; None is all that was not taken back yet.
        """

    def spend(self, identity_id: int, points: int, *, source: str, reference: str) -> None:
        """Spend points, those first that expire soonest.

        Raises:
            NotEnoughPointsError: not so many can be spent.
        """

    def give_back(self, *, source: str, reference: str) -> int:
        """Undo a spending, into the lots it came from; returns how many points came back.

        Points whose lot has expired meanwhile come back and expire at once.
        """

    def balance(self, identity_id: int) -> Points:
        """What can be spent and what is pending, by the database's clock."""
