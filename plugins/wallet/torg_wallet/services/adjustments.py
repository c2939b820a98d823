"""Corrections by people of the house: with a reason, never of one's own money, never by an edit.

What one person adjusts within a day beyond his limit waits for a second person. That the two differ
and that neither is the owner is a constraint of the database as well.
"""

from typing import Any

from sqlalchemy import func, insert, select, text, update

from torg import config, contracts
from torg.db import session
from torg.errors import FieldProblem, NotFoundError
from torg.i18n import gettext
from torg.identity import Identity
from torg.money import Money
from torg_ledger import AccountKind, Entry
from torg_wallet import emails
from torg_wallet.errors import (
    AdjustmentDecidedError,
    OwnMoneyError,
    SecondPersonError,
    UnknownPersonError,
)
from torg_wallet.models.ledger import Transfer
from torg_wallet.models.payments import Adjustment
from torg_wallet.services.ledger import LedgerService
from torg_wallet.settings import WalletSettings

_LEDGER = LedgerService()
# One at a time for each person: else two at once would each fit below the limit.
_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('wallet.adjustment', :person_id))")


def create(by: Identity, username: str, amount: Money, reason: str) -> int:
    """Adjust a person's account, or propose it when it is too much for one; returns its id.

    Raises:
        UnknownPersonError: nobody has this username.
        OwnMoneyError: it is his own account.
        InsufficientFundsError: the account does not have so much to take.
    """
    owner_id = contracts.require("users").find(username)
    if owner_id is None:
        problem = FieldProblem("/user", UnknownPersonError.code, gettext(UnknownPersonError.detail))
        raise UnknownPersonError(errors=[problem])
    if owner_id == by.id:
        raise OwnMoneyError
    session.execute(_ALONE, {"person_id": by.id})
    needs_second = _adjusted_alone(by.id, amount.currency) + abs(amount.minor) > _limit()
    adjustment_id: int = session.execute(
        select(func.nextval(func.pg_get_serial_sequence("wallet_adjustment", "id")))
    ).scalar_one()
    transfer_id = None
    if not needs_second:
        transfer_id = _post(adjustment_id, owner_id, amount, reason, by.id)
    session.execute(
        insert(Adjustment).values(
            id=adjustment_id,
            identity_id=owner_id,
            amount_minor=amount.minor,
            currency=amount.currency,
            reason=reason,
            status="waiting" if needs_second else "posted",
            created_by_id=by.id,
            needs_second=needs_second,
            transfer_id=transfer_id,
        )
    )
    return adjustment_id


def decide(by: Identity, adjustment_id: int, *, approved: bool) -> None:
    """Approve or decline, as the second person; repeating the same decision changes nothing.

    Raises:
        NotFoundError: there is no such adjustment.
        SecondPersonError: he made it himself.
        OwnMoneyError: it is about his own account.
        AdjustmentDecidedError: it was decided the other way.
        InsufficientFundsError: the account no longer has so much to take.
    """
    row = session.execute(
        select(*Adjustment.__table__.columns)
        .where(Adjustment.id == adjustment_id)
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFoundError
    if by.id == row.created_by_id:
        raise SecondPersonError
    if by.id == row.identity_id:
        raise OwnMoneyError
    wanted = "posted" if approved else "declined"
    if row.status != "waiting":
        if row.status == wanted and row.decided_by_id == by.id:
            return
        raise AdjustmentDecidedError(state=row.status)
    transfer_id = None
    if approved:
        amount = Money(row.amount_minor, row.currency)
        transfer_id = _post(row.id, row.identity_id, amount, row.reason, by.id)
    session.execute(
        update(Adjustment)
        .where(Adjustment.id == adjustment_id)
        .values(
            status=wanted,
            decided_by_id=by.id,
            decided_at=func.clock_timestamp(),
            transfer_id=transfer_id,
        )
    )


def _limit() -> int:
    return config.plugin_settings("wallet", WalletSettings).adjustment_alone_minor


def _adjusted_alone(person_id: int, currency: str) -> int:
    total = func.coalesce(func.sum(func.abs(Adjustment.amount_minor)), 0)
    day = func.clock_timestamp() - text("interval '24 hours'")
    return int(
        session.execute(
            select(total).where(
                Adjustment.created_by_id == person_id,
                Adjustment.created_at > day,
                Adjustment.currency == currency,
                Adjustment.needs_second.is_(False),
            )
        ).scalar_one()
    )


def _post(adjustment_id: int, owner_id: int, amount: Money, reason: str, actor_id: int) -> int:
    house = _LEDGER.open_account("wallet:adjustments", amount.currency, kind=AccountKind.EQUITY)
    account = _LEDGER.open_account("main", amount.currency, owner_id=owner_id)
    named: dict[str, Any] = {
        "source": "wallet",
        "purpose": "adjustment",
        "key": f"adjustment:{adjustment_id}",
        "description": reason,
        "actor_id": actor_id,
    }
    emails.tell_adjusted(adjustment_id, owner_id, amount, reason)
    posted = _LEDGER.post([Entry(account, amount), Entry(house, -amount)], **named)
    return int(
        session.execute(
            select(Transfer.id).where(Transfer.reference == posted.reference)
        ).scalar_one()
    )
