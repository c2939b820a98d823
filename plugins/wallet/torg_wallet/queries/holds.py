"""Holds as of the moment of reading: one past its expiry is expired, marked or not."""

from typing import Any

from sqlalchemy import Row, Select, and_, bindparam, case, func, select

from torg.db import session
from torg.money import Money
from torg_ledger import Held, HoldStatus
from torg_wallet.models.ledger import Account, Hold

_LAPSED = and_(Hold.status == "open", Hold.expires_at <= func.statement_timestamp())
LIVE_STATUS = case(
    (and_(_LAPSED, Hold.captured_minor > 0), "captured"), (_LAPSED, "expired"), else_=Hold.status
)
COLUMNS = (
    Hold.id,
    Hold.reference,
    Hold.account_id,
    Hold.currency,
    Hold.amount_minor,
    Hold.captured_minor,
    case((_LAPSED, 0), else_=Hold.amount_minor - Hold.captured_minor - Hold.voided_minor).label(
        "remaining_minor"
    ),
    LIVE_STATUS.label("live_status"),
    Hold.source,
    Hold.purpose,
    Hold.description,
    Hold.expires_at,
    Hold.created_at,
)
_ONE = select(*COLUMNS).where(Hold.reference == bindparam("reference"))


def find(reference: str) -> Row[Any] | None:
    """One hold."""
    found: Row[Any] | None = session.execute(_ONE, {"reference": reference}).one_or_none()
    return found


def owned_by(owner_id: int) -> "Select[*tuple[Any, ...]]":
    """The holds on a person's accounts."""
    return (
        select(*COLUMNS)
        .join(Account, Account.id == Hold.account_id)
        .where(Account.owner_id == owner_id)
    )


def as_value(row: Any) -> Held:
    """A row as the contract shows it."""
    return Held(
        reference=row.reference,
        account_id=row.account_id,
        amount=Money(row.amount_minor, row.currency),
        captured=Money(row.captured_minor, row.currency),
        remaining=Money(int(row.remaining_minor), row.currency),
        status=HoldStatus(row.live_status),
        expires_at=row.expires_at,
    )
