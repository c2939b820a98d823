"""The contract `ledger` 1.2: how plugins move money without knowing who keeps the books.

Owns types alone: the service's Protocol, its values and its errors. Payment providers are
`torg_ledger.payments`, money they bring in for something `torg_ledger.collecting`, bonus points
`torg_ledger.bonus`. Look the service up with `torg.contracts.require("ledger", ">=1,<2")`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from torg.money import Money
from torg_ledger.collecting import Collection, CollectionStatus, Collector
from torg_ledger.errors import (
    AccountMismatchError,
    AccountNotFoundError,
    DuplicateReferenceError,
    ExpiryPassedError,
    HoldClosedError,
    HoldExceededError,
    HoldNotFoundError,
    InsufficientFundsError,
    KeyReusedError,
    ReversalError,
    TransferNotFoundError,
    UnbalancedError,
    WrongAccountCurrencyError,
)

__all__ = [
    "AccountKind",
    "AccountMismatchError",
    "AccountNotFoundError",
    "Balance",
    "Collection",
    "CollectionStatus",
    "DuplicateReferenceError",
    "Entry",
    "ExpiryPassedError",
    "Held",
    "HoldClosedError",
    "HoldExceededError",
    "HoldNotFoundError",
    "HoldStatus",
    "InsufficientFundsError",
    "KeyReusedError",
    "Ledger",
    "Posted",
    "Posting",
    "ReversalError",
    "Settlement",
    "TransferNotFoundError",
    "UnbalancedError",
    "WrongAccountCurrencyError",
]


class AccountKind(StrEnum):
    """What an account stands for, seen from the house that keeps the books.

    A positive balance is what the house owes (liability), has earned (income) or owns free of debt
    (equity); of an asset or an expense the normal balance is negative.
    """

    ASSET = "asset"
    LIABILITY = "liability"
    INCOME = "income"
    EXPENSE = "expense"
    EQUITY = "equity"


class HoldStatus(StrEnum):
    """`open`, or how it ended: once, and for good."""

    OPEN = "open"
    CAPTURED = "captured"
    VOIDED = "voided"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Entry:
    """One side of a transfer: positive money goes to the account, negative comes from it."""

    account_id: int
    amount: Money


@dataclass(frozen=True, slots=True)
class Posted:
    """A transfer in the books.

    Attributes:
        reference: its public name.
        is_replay: whether an earlier call with this key had made it.
        created_at: when, by the database's clock.
    """

    reference: str
    is_replay: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Posting:
    """One of many transfers that are asked for together.

    Attributes:
        key: makes it repeatable, as in `Ledger.post`.
        entries: as in `post`; with a hold, where its money goes, as in `capture`.
        hold: reference of the hold that is captured, all of it or in part, and closed.
        external_reference: as in `post`.
        description: as in `post`.
    """

    key: str
    entries: Sequence[Entry]
    hold: str | None = None
    external_reference: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a `Posting`: one of the two is None.

    Attributes:
        posted: the transfer.
        refusal: the code of the error that it alone would have raised, such as `hold_closed`.
    """

    posted: Posted | None
    refusal: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """Money set aside on an account.

    Attributes:
        reference: its public name, by which it is captured or voided.
        account_id: on which account.
        amount: how much was set aside.
        captured: how much of it was taken.
        remaining: how much of it is still set aside; zero once it is closed or has expired.
        status: by the database's clock, also while nobody has written an expiry down yet.
        expires_at: when it lets go by itself; None is never.
    """

    reference: str
    account_id: int
    amount: Money
    captured: Money
    remaining: Money
    status: HoldStatus
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account holds at one moment.

    Attributes:
        posted: sum of its entries.
        pending: sum of what live holds set aside.
        available: posted less pending; what can be spent, apart from an overdraft.
        version: number of its entries.
    """

    posted: Money
    pending: Money
    available: Money
    version: int


class Ledger(Collector, Protocol):
    """Double-entry books. Every call is part of the caller's unit of work.

    `source` is the calling plugin's name. `key` makes a call repeatable: within a source one key
    has one effect, however often the call is repeated (`KeyReusedError` when it asks for something
    else). A call that raises has changed nothing.
    """

    def open_account(
        self,
        code: str,
        currency: str,
        *,
        owner_id: int | None = None,
        kind: AccountKind = AccountKind.LIABILITY,
        overdraft_limit: Money | None = None,
    ) -> int:
        """The id of an account, which is opened by the first call; safe to repeat.

        Args:
            code: "main" for a person's money; "<plugin>:<what>" for the house's own accounts.
            currency: of the account, for ever.
            owner_id: whose it is; None is the house.
            kind: what it stands for.
            overdraft_limit: how far below zero it may go. None is not at all for a person's
                account, and without bound for one of the house.

        Raises:
            AccountMismatchError: it is open already and of another kind.
        """

    def post(
        self,
        entries: Sequence[Entry],
        *,
        source: str,
        purpose: str,
        key: str,
        external_reference: str | None = None,
        description: str = "",
        actor_id: int | None = None,
    ) -> Posted:
        """Put a transfer into the books; its entries sum to zero in each currency.

        Args:
            entries: several for one account are added up.
            source: the calling plugin.
            purpose: what for, in one word of lower_snake, by which statements are filtered.
            key: makes the call repeatable; at most 255 characters.
            external_reference: a name outside of the books, unique within the source.
            description: for people, shown on statements; at most 500 characters.
            actor_id: who caused it, if a person did.

        Raises:
            UnbalancedError, AccountNotFoundError, WrongAccountCurrencyError, KeyReusedError,
            DuplicateReferenceError, InsufficientFundsError: nothing was posted.
        """

    def hold(
        self,
        account_id: int,
        amount: Money,
        *,
        source: str,
        purpose: str,
        key: str,
        expires_at: datetime | None,
        description: str = "",
    ) -> Held:
        """Set money aside; it counts as spent until it is captured, voided or has expired.

        Args:
            account_id: on which account.
            amount: more than zero.
            source: the calling plugin.
            purpose: as in `post`.
            key: makes the call repeatable.
            expires_at: aware, in the future of the database's clock; None is never.
            description: as in `post`.

        Raises:
            AccountNotFoundError, WrongAccountCurrencyError, KeyReusedError, ExpiryPassedError,
            InsufficientFundsError: nothing is held.
        """

    def capture(
        self,
        hold: str,
        entries: Sequence[Entry],
        *,
        source: str,
        purpose: str,
        key: str,
        external_reference: str | None = None,
        description: str = "",
        actor_id: int | None = None,
        closes: bool = True,
    ) -> Posted:
        """Take what is held and give it to accounts.

        Args:
            hold: its reference.
            entries: where it goes; their sum, above zero, is what is captured. Several calls may
                take parts.
            closes: whether the rest is let go and the hold closed.
            source, purpose, key, external_reference, description, actor_id: as in `post`.

        Raises:
            HoldNotFoundError, HoldClosedError, HoldExceededError: and those of `post`.
        """

    def void(self, hold: str) -> Held:
        """Let go of what is still held and close the hold.

        Voiding what was voided or has expired changes nothing and is no error.

        Raises:
            HoldNotFoundError: there is none of this reference.
            HoldClosedError: it was captured.
        """

    def reverse(
        self,
        transfer: str,
        *,
        source: str,
        key: str,
        amount: Money | None = None,
        purpose: str = "reversal",
        external_reference: str | None = None,
        description: str = "",
        actor_id: int | None = None,
    ) -> Posted:
        """Move money back by a transfer of its own, linked to the first.

        Args:
            transfer: its reference.
            amount: a part, of a transfer with two entries; None is all that is not reversed yet.
            source, key, purpose, external_reference, description, actor_id: as in `post`.

        Raises:
            TransferNotFoundError: there is none of this reference.
            ReversalError: there is not so much left to reverse, or it is a reversal itself.
            InsufficientFundsError, KeyReusedError, DuplicateReferenceError: as in `post`.
        """

    def balance(self, account_id: int) -> Balance:
        """Posted, pending and available of one moment; expired holds do not count.

        Raises:
            AccountNotFoundError: there is no such account.
        """

    def settle(
        self, postings: Sequence[Posting], *, source: str, purpose: str
    ) -> Sequence[Settlement]:
        """Put many transfers into the books with a constant number of statements. Since 1.1.

        All their accounts are locked at once, in order of ids; then each is judged and posted after
        the other, just as `post` or `capture` would. One that is refused changes nothing and stops
        no other.

        Args:
            postings: with keys that differ.
            source: the calling plugin.
            purpose: as in `post`, of all of them.

        Returns:
            What became of each, in their order.

        Raises:
            UnbalancedError: one of them does not sum to zero, or moves nothing; none is posted.
        """

    def void_many(self, holds: Iterable[str]) -> int:
        """Let go of many holds with one statement; returns how many were open. Since 1.1.

        Those that are unknown or closed already are passed over.
        """

    def balances(self, account_ids: Iterable[int]) -> Mapping[int, Balance]:
        """`balance` of many accounts by one statement; unknown ones are left out. Since 1.1."""
