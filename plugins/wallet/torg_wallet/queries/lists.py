"""The lists of accounts, entries, holds, payments and adjustments: what they are filtered by."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, select

from torg.db import session
from torg.filters import above, below, equals
from torg.listing import Listing
from torg.schemas import Boolean, Enum, Text, Timestamp
from torg_ledger import HoldStatus
from torg_wallet.domain.payments import ODD, Outcome
from torg_wallet.models.bonus import Lot, PromoCode
from torg_wallet.models.ledger import Account, EntryRow, Hold, Transfer
from torg_wallet.models.payments import (
    Adjustment,
    Deposit,
    EventAcknowledgement,
    Payout,
    ProviderEventRow,
)
from torg_wallet.queries import balances
from torg_wallet.queries.holds import LIVE_STATUS

PURPOSE = r"[a-z][a-z0-9_.]{0,63}"
_CURRENCY = Text(maximum=3, pattern="[A-Z]{3}", example="EUR")
_PROVIDER = Text(maximum=64, pattern="[a-z][a-z0-9_]*", example="sandbox")
_IS_WAITING = and_(
    ProviderEventRow.outcome.in_([str(each) for each in ODD]),
    EventAcknowledgement.event_id.is_(None),
)
_PURPOSE = Text(maximum=64, pattern=PURPOSE, example="order")


class AccountListing(Listing):
    """A person's accounts."""

    key = Account.id
    filters = {"currency": equals(_CURRENCY, Account.currency)}  # noqa: RUF012 - declared so


class EntryListing(Listing):
    """The statement of one account, newest first."""

    key = EntryRow.id
    default_sort = "-id"
    filters = {  # noqa: RUF012 - declared so by the host
        "purpose": equals(_PURPOSE, Transfer.purpose),
        "created_after": above(Timestamp(), EntryRow.created_at),
        "created_before": below(Timestamp(), EntryRow.created_at),
    }


class HoldListing(Listing):
    """Holds, newest first."""

    key = Hold.id
    default_sort = "-id"
    filters = {  # noqa: RUF012 - declared so by the host
        "status": equals(Enum([str(each) for each in HoldStatus]), LIVE_STATUS),
        "purpose": equals(_PURPOSE, Hold.purpose),
    }


class DepositListing(Listing):
    """Deposits, newest first."""

    key = Deposit.id
    default_sort = "-id"
    filters = {  # noqa: RUF012 - declared so by the host
        "status": equals(Enum(["created", "processing", "succeeded", "failed"]), Deposit.status),
    }


class PayoutListing(Listing):
    """Payouts, newest first."""

    key = Payout.id
    default_sort = "-id"
    filters = {  # noqa: RUF012 - declared so by the host
        "status": equals(Enum(["held", "sent", "settled", "returned"]), Payout.status),
    }


class AnyDepositListing(DepositListing):
    """Everybody's deposits, newest first."""

    filters = {  # noqa: RUF012 - declared so by the host
        **DepositListing.filters,
        "provider": equals(_PROVIDER, Deposit.provider),
    }


class AnyPayoutListing(PayoutListing):
    """Everybody's payouts, newest first."""

    filters = {  # noqa: RUF012 - declared so by the host
        **PayoutListing.filters,
        "provider": equals(_PROVIDER, Payout.provider),
    }


class EventListing(Listing):
    """What providers told, newest first."""

    key = ProviderEventRow.id
    default_sort = "-id"
    filters = {  # noqa: RUF012 - declared so by the host
        "provider": equals(_PROVIDER, ProviderEventRow.provider),
        "reference": equals(
            Text(maximum=40, example="DP0123456789ABCDEF01234567"), ProviderEventRow.reference
        ),
        "outcome": equals(Enum([str(each) for each in Outcome]), ProviderEventRow.outcome),
        "is_waiting": equals(Boolean(), _IS_WAITING),
    }


class AdjustmentListing(Listing):
    """Adjustments, newest first."""

    key = Adjustment.id
    default_sort = "-id"
    filters = {  # noqa: RUF012 - declared so by the host
        "status": equals(Enum(["waiting", "posted", "declined"]), Adjustment.status),
    }


_ENTRIES = select(
    EntryRow.id,
    EntryRow.amount_minor,
    EntryRow.balance_after_minor,
    EntryRow.currency,
    EntryRow.account_version,
    EntryRow.created_at,
    Transfer.reference,
    Transfer.purpose,
    Transfer.source,
    Transfer.description,
).join(Transfer, Transfer.id == EntryRow.transfer_id)


class LotListing(Listing):
    """Points by lots, those that expire soonest first."""

    key = Lot.id
    sorts = {"expires_at": Lot.expires_at}  # noqa: RUF012 - declared so by the host
    default_sort = "expires_at"


class CodeListing(Listing):
    """Promo codes, newest first."""

    key = PromoCode.id
    default_sort = "-id"


def code(code_id: int) -> Row[Any]:
    """One promo code."""
    return session.execute(
        select(*PromoCode.__table__.columns).where(PromoCode.id == code_id)
    ).one()


def accounts_of(owner_id: int) -> "Select[*tuple[Any, ...]]":
    """A person's accounts."""
    return balances.accounts().where(Account.owner_id == owner_id)


def own_account(owner_id: int, account_id: int) -> Row[Any] | None:
    """One account, if it is his."""
    found: Row[Any] | None = session.execute(
        accounts_of(owner_id).where(Account.id == account_id)
    ).one_or_none()
    return found


def entries_of(account_id: int) -> "Select[*tuple[Any, ...]]":
    """The statement of an account."""
    return _ENTRIES.where(EntryRow.account_id == account_id)


def adjustments() -> "Select[*tuple[Any, ...]]":
    """All adjustments."""
    booked = select(Transfer.reference).where(Transfer.id == Adjustment.transfer_id)
    return select(*Adjustment.__table__.columns, booked.scalar_subquery().label("transfer"))


def adjustment(adjustment_id: int) -> Row[Any] | None:
    """One adjustment."""
    found: Row[Any] | None = session.execute(
        adjustments().where(Adjustment.id == adjustment_id)
    ).one_or_none()
    return found


_OWN_SIDES = (
    select(
        Transfer.reference,
        Transfer.purpose,
        Transfer.source,
        Transfer.description,
        Transfer.created_at,
        EntryRow.account_id,
        EntryRow.amount_minor,
        EntryRow.currency,
    )
    .join(EntryRow, EntryRow.transfer_id == Transfer.id)
    .join(Account, Account.id == EntryRow.account_id)
    .where(Transfer.reference == bindparam("reference"), Account.owner_id == bindparam("owner_id"))
    .order_by(EntryRow.account_id)
)


def statement_page(
    account_id: int, after_version: int, limit: int, wanted: Mapping[str, Any]
) -> list[Row[Any]]:
    """The next lines of a statement, oldest first.

    Args:
        account_id: of which account.
        after_version: the version of the last line before.
        limit: lines at most.
        wanted: values of the filters of `EntryListing`.
    """
    return list(
        session.execute(
            entries_of(account_id)
            .where(EntryRow.account_version > after_version, *_chosen(wanted))
            .order_by(EntryRow.account_version)
            .limit(limit)
        )
    )


def statement_is_longer(account_id: int, than: int, wanted: Mapping[str, Any]) -> bool:
    """Whether a statement has more lines than this; it counts no further."""
    lines = entries_of(account_id).where(*_chosen(wanted)).order_by(EntryRow.account_version)
    return session.execute(lines.offset(than).limit(1)).first() is not None


def _chosen(wanted: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    return [
        EntryListing.filters[name].predicate(value)
        for name, value in wanted.items()
        if value is not None
    ]


def own_transfer(owner_id: int, reference: str) -> list[Row[Any]]:
    """His sides of a transfer; none when he has no part in it."""
    return list(session.execute(_OWN_SIDES, {"owner_id": owner_id, "reference": reference}))
