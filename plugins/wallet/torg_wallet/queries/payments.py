"""Payments: one by its reference, those nobody tells about, those somebody has to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, func, literal, select, text, union_all

from torg.db import session
from torg_ledger.payments import PaymentKind
from torg_wallet.domain.payments import ODD
from torg_wallet.models.ledger import Hold, Transfer
from torg_wallet.models.payments import (
    Deposit,
    EventAcknowledgement,
    Payout,
    ProviderEventRow,
)


@dataclass(frozen=True, slots=True)
class Payment:
    """What the services know of a deposit or payout."""

    kind: PaymentKind
    reference: str
    identity_id: int
    account_id: int
    amount_minor: int
    currency: str
    provider: str
    provider_reference: str | None
    status: str
    destination: str
    hold_reference: str | None


def find(kind: PaymentKind, reference: str, *, lock: bool = False) -> Payment | None:
    """One payment; with `lock` its row is locked, before any account's."""
    model: Any = Deposit if kind is PaymentKind.DEPOSIT else Payout
    statement = select(
        model.reference,
        model.identity_id,
        model.account_id,
        model.amount_minor,
        model.currency,
        model.provider,
        model.provider_reference,
        model.status,
    ).where(model.reference == reference)
    if kind is PaymentKind.PAYOUT:
        held = select(Hold.reference).where(Hold.id == Payout.hold_id).scalar_subquery()
        statement = statement.add_columns(
            Payout.destination.label("destination"), held.label("hold_reference")
        )
    else:
        statement = statement.add_columns(
            literal("").label("destination"), literal(None).label("hold_reference")
        )
    if lock:
        statement = statement.with_for_update(of=model)
    row = session.execute(statement).one_or_none()
    return None if row is None else Payment(kind=kind, **row._mapping)  # noqa: SLF001 - its name


def shown(kind: PaymentKind, identity_id: int | None = None) -> "Select[*tuple[Any, ...]]":
    """Payments as routes show them; only one person's, or everybody's."""
    model: Any = Deposit if kind is PaymentKind.DEPOSIT else Payout
    booked = select(Transfer.reference).where(Transfer.id == model.transfer_id).scalar_subquery()
    columns = [
        model.id,
        model.reference,
        model.identity_id,
        model.amount_minor,
        model.currency,
        model.provider,
        model.status,
        model.reason,
        model.created_at,
        model.updated_at,
        booked.label("transfer"),
        model.next_step if kind is PaymentKind.DEPOSIT else model.destination,
    ]
    statement = select(*columns)
    return statement if identity_id is None else statement.where(model.identity_id == identity_id)


def show(kind: PaymentKind, reference: str, identity_id: int | None = None) -> Row[Any] | None:
    """One payment as routes show it."""
    model: Any = Deposit if kind is PaymentKind.DEPOSIT else Payout
    statement = shown(kind, identity_id).where(model.reference == reference)
    found: Row[Any] | None = session.execute(statement).one_or_none()
    return found


def silent(minutes: int, limit: int, by_staff: Sequence[str] = ()) -> list[str]:
    """References of payments that have not ended and that were not touched for so long.

    Args:
        minutes: how long.
        limit: so many at most, the longest silent first.
        by_staff: providers that are left out.
    """
    since = func.clock_timestamp() - text(f"interval '{int(minutes)} min'")
    waiting = union_all(
        select(Deposit.reference, Deposit.updated_at).where(
            Deposit.status.in_(("created", "processing")),
            Deposit.updated_at < since,
            Deposit.provider.not_in(by_staff),
        ),
        select(Payout.reference, Payout.updated_at).where(
            Payout.status.in_(("held", "sent")),
            Payout.updated_at < since,
            Payout.provider.not_in(by_staff),
        ),
    ).subquery()
    rows = session.execute(select(waiting.c.reference).order_by(waiting.c.updated_at).limit(limit))
    return list(rows.scalars())


def events() -> "Select[*tuple[Any, ...]]":
    """What providers told, with what somebody said about it."""
    return select(
        *ProviderEventRow.__table__.columns,
        EventAcknowledgement.identity_id.label("acknowledged_by_id"),
        EventAcknowledgement.created_at.label("acknowledged_at"),
        func.coalesce(EventAcknowledgement.note, "").label("note"),
    ).outerjoin(EventAcknowledgement, EventAcknowledgement.event_id == ProviderEventRow.id)


def event(event_id: int) -> Row[Any]:
    """One of them."""
    return session.execute(events().where(ProviderEventRow.id == event_id)).one()


def odd_events() -> int:
    """How many events contradict a payment's end or amount, or name no payment, and wait for eyes.

    Counts no further than a thousand.
    """
    waiting = (
        select(ProviderEventRow.id)
        .outerjoin(EventAcknowledgement, EventAcknowledgement.event_id == ProviderEventRow.id)
        .where(
            ProviderEventRow.outcome.in_([str(each) for each in ODD]),
            EventAcknowledgement.event_id.is_(None),
        )
        .limit(1000)
        .subquery()
    )
    return int(session.execute(select(func.count()).select_from(waiting)).scalar_one())
