"""Points by lots: what is left, of whom, and what moved it. The clock is the database's."""

from typing import Any

from sqlalchemy import Row, Select, and_, case, func, or_, select

from torg.db import session
from torg_ledger.bonus import Points
from torg_wallet.domain.lots import LotRest
from torg_wallet.models.bonus import Lot, LotMove, LotRefund, PromoCode
from torg_wallet.models.ledger import Transfer

_NOW = func.statement_timestamp()
_SPENDABLE = and_(or_(Lot.status == "available", Lot.available_at <= _NOW), Lot.expires_at > _NOW)
_PENDING = and_(Lot.status == "pending", Lot.available_at > _NOW)
SHOWN_STATUS = case((Lot.expires_at <= _NOW, "expired"), (_PENDING, "pending"), else_="available")


def lot(source: str, reference: str) -> Row[Any] | None:
    """The lot that was earned for this."""
    found: Row[Any] | None = session.execute(
        select(*Lot.__table__.columns).where(
            Lot.source == source, Lot.external_reference == reference
        )
    ).one_or_none()
    return found


def rests(identity_id: int) -> list[LotRest]:
    """What is left of those of a person's lots that are marked as available (settle first)."""
    statement = select(Lot.id, Lot.remaining_minor, Lot.expires_at).where(
        Lot.identity_id == identity_id, Lot.remaining_minor > 0, Lot.status == "available"
    )
    return [LotRest(*row) for row in session.execute(statement)]


def lots_shown(identity_id: int) -> "Select[*tuple[Any, ...]]":
    """A person's lots with something left, as routes show them."""
    return select(
        Lot.id,
        Lot.source,
        Lot.amount_minor,
        Lot.remaining_minor,
        SHOWN_STATUS.label("shown_status"),
        Lot.available_at,
        Lot.expires_at,
        Lot.created_at,
    ).where(Lot.identity_id == identity_id, Lot.remaining_minor > 0, Lot.expires_at > _NOW)


def balance(identity_id: int) -> Points:
    """What can be spent and what is pending now."""
    left = func.coalesce(func.sum(Lot.remaining_minor).filter(_SPENDABLE), 0)
    waits = func.coalesce(func.sum(Lot.remaining_minor).filter(_PENDING), 0)
    row = session.execute(
        select(left.label("available"), waits.label("pending")).where(
            Lot.identity_id == identity_id, Lot.remaining_minor > 0
        )
    ).one()
    return Points(int(row.available), int(row.pending))


def refund(source: str, key: str) -> int | None:
    """How many points a refund of this key took, if there was one."""
    taken: int | None = session.execute(
        select(LotRefund.taken_minor).where(
            LotRefund.source == source, LotRefund.idempotency_key == key
        )
    ).scalar()
    return taken


def transfer_id(source: str, key: str) -> int | None:
    """The transfer of a key."""
    found: int | None = session.execute(
        select(Transfer.id).where(Transfer.source == source, Transfer.idempotency_key == key)
    ).scalar()
    return found


def reference_of(transfer: int) -> str:
    """The public name of a transfer."""
    found: str = session.execute(
        select(Transfer.reference).where(Transfer.id == transfer)
    ).scalar_one()
    return found


def moves(transfer: int) -> dict[int, int]:
    """What a transfer moved, by lot."""
    rows = session.execute(
        select(LotMove.lot_id, LotMove.amount_minor).where(LotMove.transfer_id == transfer)
    )
    return {row.lot_id: row.amount_minor for row in rows}


def owner_of(lot_id: int) -> int:
    """Whose lot it is."""
    return int(session.execute(select(Lot.identity_id).where(Lot.id == lot_id)).scalar_one())


def people_due(limit: int) -> list[int]:
    """People with lots that have matured or expired and were not touched since."""
    due = or_(and_(Lot.status == "pending", Lot.available_at <= _NOW), Lot.expires_at <= _NOW)
    statement = (
        select(Lot.identity_id)
        .where(Lot.remaining_minor > 0, due)
        .distinct()
        .order_by(Lot.identity_id)
        .limit(limit)
    )
    return list(session.execute(statement).scalars())


def codes() -> "Select[*tuple[Any, ...]]":
    """Promo codes."""
    return select(*PromoCode.__table__.columns)
