"""Money that a payment provider brings in for one thing: part of the contract `ledger` since 1.2.

Owns types alone. Whoever has something to be paid (an order) begins a collection. When the
provider confirms it, the money is the person's own and set aside by a hold in the same moment, so
that nobody spends it on something else; the plugin that began it then captures the hold, or voids
it when the thing is no longer wanted, and the money stays with the person.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from torg.money import Money


class CollectionStatus(StrEnum):
    """`under_way`, or how it ended: once, and for good."""

    UNDER_WAY = "under_way"
    COLLECTED = "collected"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Collection:
    """Money that is brought in for something.

    Attributes:
        reference: its public name: that of the deposit it is.
        amount: how much.
        provider: by whom.
        status: where it stands.
        next_step: what the person does now: an address to open, or a sentence.
        reason: why it failed.
        hold: reference of the hold, once it is collected.
        is_held: whether that hold is still open, by the database's clock.
    """

    reference: str
    amount: Money
    provider: str
    status: CollectionStatus
    next_step: str
    reason: str
    hold: str | None
    is_held: bool


class Collector(Protocol):
    """What `Ledger` can do about payments by providers. Every call is part of the caller's work."""

    def collect(
        self,
        owner_id: int,
        amount: Money,
        provider: str,
        *,
        source: str,
        purpose: str,
        key: str,
        held_for: timedelta,
        description: str = "",
    ) -> Collection:
        """Have a provider bring money into a person's account `main`, for one thing.

        It goes on after the commit. When it has ended, the event `wallet.deposit_ended` names its
        reference; hear it through the outbox, and ask `collections` what has become of it.

        Args:
            owner_id: whose account.
            amount: more than zero.
            provider: its name.
            source: the calling plugin.
            purpose: of the hold, as in `Ledger.hold`.
            key: makes the call repeatable; at most 255 characters.
            held_for: how long the money stays set aside when nobody captures it.
            description: of the hold.

        Raises:
            ProviderUnknownError, CurrencyNotOfferedError, PaymentTooLargeError: it cannot be.
            KeyReusedError: the key stands for something else.
        """

    def collections(self, references: Iterable[str]) -> Mapping[str, Collection]:
        """Collections by reference, in one statement; unknown ones are left out."""
