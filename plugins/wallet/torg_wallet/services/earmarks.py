"""Money that came in for something is set aside in the moment in which it is booked."""

from datetime import timedelta

from sqlalchemy import select, update

from torg.db import database_now, session
from torg.money import Money
from torg_wallet.models.ledger import Hold
from torg_wallet.models.payments import Collection, Deposit
from torg_wallet.services.ledger import LedgerService

_LEDGER = LedgerService()


def set_aside(reference: str, account_id: int, amount: Money) -> None:
    """Hold the money of a deposit that was begun for something; any other stays free.

    The account's lock is held since the deposit was booked, so nobody was faster.
    """
    wanted = session.execute(
        select(*Collection.__table__.columns)
        .join(Deposit, Deposit.id == Collection.deposit_id)
        .where(Deposit.reference == reference)
    ).one_or_none()
    if wanted is None:
        return
    held = _LEDGER.hold(
        account_id,
        amount,
        source=wanted.source,
        purpose=wanted.purpose,
        key=f"collected:{reference}",
        expires_at=database_now() + timedelta(seconds=wanted.held_seconds),
        description=wanted.description,
    )
    hold_id = select(Hold.id).where(Hold.reference == held.reference).scalar_subquery()
    session.execute(update(Collection).where(Collection.id == wanted.id).values(hold_id=hold_id))
