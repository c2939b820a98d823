"""Collections: deposits that were begun for something, with the hold that keeps their money."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ARRAY, Row, Select, Text, any_, bindparam, select

from torg.db import session
from torg.money import Money
from torg_ledger import Collection as Value
from torg_ledger import CollectionStatus, HoldStatus
from torg_wallet.models.ledger import Hold
from torg_wallet.models.payments import Collection, Deposit
from torg_wallet.queries.holds import LIVE_STATUS

_STATUSES = {
    "created": CollectionStatus.UNDER_WAY,
    "processing": CollectionStatus.UNDER_WAY,
    "succeeded": CollectionStatus.COLLECTED,
    "failed": CollectionStatus.FAILED,
}
_FOUND: Select[*tuple[Any, ...]] = (
    select(
        Deposit.reference,
        Deposit.identity_id,
        Deposit.amount_minor,
        Deposit.currency,
        Deposit.provider,
        Deposit.status,
        Deposit.next_step,
        Deposit.reason,
        Collection.purpose,
        Hold.reference.label("hold"),
        LIVE_STATUS.label("live_status"),
    )
    .join(Collection, Collection.deposit_id == Deposit.id)
    .outerjoin(Hold, Hold.id == Collection.hold_id)
)
_REFERENCES = ARRAY(Text)


def named(references: Iterable[str]) -> dict[str, Value]:
    """Those of these references, as the contract shows them."""
    asked = _FOUND.where(Deposit.reference == any_(bindparam("references", _REFERENCES)))
    rows = session.execute(asked, {"references": list(references)})
    return {row.reference: as_value(row) for row in rows}


def of_key(source: str, key: str) -> Row[Any] | None:
    """The one that a plugin began under this key."""
    asked = _FOUND.where(Collection.source == source, Collection.idempotency_key == key)
    found: Row[Any] | None = session.execute(asked).one_or_none()
    return found


def as_value(row: Any) -> Value:
    """A row as the contract shows it."""
    return Value(
        reference=row.reference,
        amount=Money(row.amount_minor, row.currency),
        provider=row.provider,
        status=_STATUSES[row.status],
        next_step=row.next_step,
        reason=row.reason,
        hold=row.hold,
        is_held=row.hold is not None and row.live_status == HoldStatus.OPEN,
    )
