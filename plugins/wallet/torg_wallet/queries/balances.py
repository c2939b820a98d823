"""Balances as of the moment of reading: holds that have expired do not count, marked or not."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Select, any_, bindparam, case, func, select

from torg.db import session
from torg.money import Money
from torg_ledger import AccountNotFoundError, Balance
from torg_wallet.models.ledger import Account, Hold

# What holds that expired unnoticed still count for in the account's row.
LAPSED = (
    select(func.coalesce(func.sum(Hold.amount_minor - Hold.captured_minor - Hold.voided_minor), 0))
    .where(
        Hold.account_id == Account.id,
        Hold.status == "open",
        Hold.expires_at <= func.statement_timestamp(),
    )
    .correlate(Account)
    .scalar_subquery()
)
COLUMNS = (
    Account.id,
    Account.owner_id,
    Account.code,
    Account.kind,
    Account.currency,
    Account.overdraft_limit_minor,
    Account.posted_minor,
    case((Account.pending_minor > 0, Account.pending_minor - LAPSED), else_=0).label(
        "live_pending_minor"
    ),
    (
        Account.posted_minor
        - case((Account.pending_minor > 0, Account.pending_minor - LAPSED), else_=0)
    ).label("available_minor"),
    Account.version,
    Account.is_active,
    Account.created_at,
    Account.updated_at,
)
_IDS = ARRAY(BigInteger)
_ONE = select(*COLUMNS).where(Account.id == bindparam("account_id"))


def accounts() -> "Select[*tuple[Any, ...]]":
    """Accounts with what is posted, pending and available now."""
    return select(*COLUMNS)


def of(account_id: int) -> Balance:
    """The balance of an account.

    Raises:
        AccountNotFoundError: there is no such account.
    """
    row = session.execute(_ONE, {"account_id": account_id}).one_or_none()
    if row is None:
        raise AccountNotFoundError
    return _as_value(row)


def of_many(account_ids: Iterable[int]) -> dict[int, Balance]:
    """The balances of accounts, by id; unknown ones are left out."""
    rows = session.execute(
        select(*COLUMNS).where(Account.id == any_(bindparam("ids", _IDS))),
        {"ids": list(account_ids)},
    )
    return {row.id: _as_value(row) for row in rows}


def _as_value(row: Any) -> Balance:
    return Balance(
        posted=Money(row.posted_minor, row.currency),
        pending=Money(int(row.live_pending_minor), row.currency),
        available=Money(int(row.available_minor), row.currency),
        version=row.version,
    )
