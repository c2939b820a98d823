"""Deposits, payouts, what providers told of them, and adjustments, as mapped classes."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CHAR,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from torg.db import Base, Fact
from torg_wallet.models.ledger import PERSON

_TEXTS = (
    "char_length(provider) BETWEEN 1 AND 64 AND char_length(provider_reference) <= 255"
    " AND char_length(reason) <= 500"
)


def _common(*more: Any) -> tuple[Any, ...]:
    return (
        UniqueConstraint("reference"),
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint(_TEXTS, name="texts"),
        *more,
    )


class _Payment:
    """What money that comes in and money that goes out have in common."""

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    reference: Mapped[str] = mapped_column(Text)
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(CHAR(3))
    provider: Mapped[str] = mapped_column(Text)
    provider_reference: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text, server_default=text("''"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    @declared_attr
    def identity_id(cls) -> Mapped[int]:  # noqa: N805 - declared_attr is called with the class
        return mapped_column(ForeignKey(PERSON, ondelete="RESTRICT"))

    @declared_attr
    def account_id(cls) -> Mapped[int]:  # noqa: N805
        return mapped_column(ForeignKey("wallet_account.id", ondelete="RESTRICT"))

    @declared_attr
    def transfer_id(cls) -> Mapped[int | None]:  # noqa: N805
        return mapped_column(ForeignKey("wallet_transfer.id", ondelete="RESTRICT"))


class Deposit(_Payment, Base):
    """Money that comes in."""

    __tablename__ = "wallet_deposit"
    __table_args__ = _common(
        CheckConstraint(
            "status IN ('created', 'processing', 'succeeded', 'failed')", name="status"
        ),
        CheckConstraint("(status = 'succeeded') = (transfer_id IS NOT NULL)", name="booked"),
        CheckConstraint("char_length(next_step) <= 2000", name="next_step"),
        Index("ix_wallet_deposit_identity_id_id", "identity_id", "id"),
        Index(
            "ix_wallet_deposit_waiting",
            "created_at",
            postgresql_where=text("status IN ('created', 'processing')"),
        ),
    )

    next_step: Mapped[str] = mapped_column(Text, server_default=text("''"))


class Payout(_Payment, Base):
    """Money that goes out; it is held from the first moment on."""

    __tablename__ = "wallet_payout"
    __table_args__ = _common(
        CheckConstraint("status IN ('held', 'sent', 'settled', 'returned')", name="status"),
        CheckConstraint("(status = 'settled') = (transfer_id IS NOT NULL)", name="booked"),
        CheckConstraint("char_length(destination) <= 200", name="destination"),
        Index("ix_wallet_payout_identity_id_id", "identity_id", "id"),
        Index(
            "ix_wallet_payout_waiting",
            "created_at",
            postgresql_where=text("status IN ('held', 'sent')"),
        ),
    )

    destination: Mapped[str] = mapped_column(Text)
    hold_id: Mapped[int] = mapped_column(ForeignKey("wallet_hold.id", ondelete="RESTRICT"))


class Collection(Fact, Base):
    """What a deposit was begun for by another plugin, and the hold that keeps its money."""

    __tablename__ = "wallet_collection"
    __table_args__ = (
        UniqueConstraint("deposit_id"),
        UniqueConstraint("hold_id"),
        UniqueConstraint("source", "idempotency_key"),
        CheckConstraint("held_seconds > 0", name="held_seconds"),
        CheckConstraint(
            "char_length(source) BETWEEN 1 AND 64 AND char_length(purpose) BETWEEN 1 AND 64"
            " AND char_length(idempotency_key) BETWEEN 1 AND 255"
            " AND char_length(description) <= 500",
            name="texts",
        ),
    )

    deposit_id: Mapped[int] = mapped_column(ForeignKey("wallet_deposit.id", ondelete="RESTRICT"))
    source: Mapped[str] = mapped_column(Text)
    idempotency_key: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    held_seconds: Mapped[int]
    hold_id: Mapped[int | None] = mapped_column(ForeignKey("wallet_hold.id", ondelete="RESTRICT"))


class ProviderEventRow(Fact, Base):
    """Something a provider told, once for each of its names, and what came of it."""

    __tablename__ = "wallet_provider_event"
    __table_args__ = (
        UniqueConstraint("provider", "event_id", name="uq_wallet_provider_event_provider_event_id"),
        CheckConstraint(
            "outcome IN ('applied', 'known', 'late', 'contradicts', 'unknown_payment',"
            " 'wrong_amount')",
            name="outcome",
        ),
        CheckConstraint(
            "char_length(event_id) BETWEEN 1 AND 255 AND char_length(reference) BETWEEN 1 AND 255",
            name="texts",
        ),
        Index("ix_wallet_provider_event_reference", "reference"),
        Index(
            "ix_wallet_provider_event_odd",
            "id",
            postgresql_where=text("outcome IN ('contradicts', 'unknown_payment', 'wrong_amount')"),
        ),
    )

    provider: Mapped[str] = mapped_column(Text)
    event_id: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(CHAR(3))
    outcome: Mapped[str] = mapped_column(Text)


class EventAcknowledgement(Base):
    """Somebody of the house has looked at an odd event, and what he says about it."""

    __tablename__ = "wallet_event_acknowledgement"
    __table_args__ = (CheckConstraint("char_length(note) BETWEEN 1 AND 500", name="note"),)

    event_id: Mapped[int] = mapped_column(
        ForeignKey("wallet_provider_event.id", ondelete="RESTRICT"), primary_key=True
    )
    identity_id: Mapped[int] = mapped_column(ForeignKey(PERSON, ondelete="RESTRICT"))
    note: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Adjustment(Fact, Base):
    """A correction by people of the house, with its reason; large ones wait for a second person."""

    __tablename__ = "wallet_adjustment"
    __table_args__ = (
        CheckConstraint("amount_minor <> 0", name="amount"),
        CheckConstraint("char_length(reason) BETWEEN 1 AND 500", name="reason"),
        CheckConstraint("status IN ('waiting', 'posted', 'declined')", name="status"),
        CheckConstraint("(status = 'posted') = (transfer_id IS NOT NULL)", name="posted"),
        CheckConstraint(
            "decided_by_id <> created_by_id"
            " AND (status <> 'posted' OR NOT needs_second OR decided_by_id IS NOT NULL)",
            name="second",
        ),
        CheckConstraint(
            "created_by_id <> identity_id AND decided_by_id <> identity_id", name="own"
        ),
        Index("ix_wallet_adjustment_waiting", "id", postgresql_where=text("status = 'waiting'")),
        Index("ix_wallet_adjustment_created_by_id", "created_by_id", "created_at"),
    )

    identity_id: Mapped[int] = mapped_column(ForeignKey(PERSON, ondelete="RESTRICT"))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(CHAR(3))
    reason: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    created_by_id: Mapped[int] = mapped_column(ForeignKey(PERSON, ondelete="RESTRICT"))
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey(PERSON, ondelete="RESTRICT"))
    needs_second: Mapped[bool]
    transfer_id: Mapped[int | None] = mapped_column(
        ForeignKey("wallet_transfer.id", ondelete="RESTRICT")
    )
    decided_at: Mapped[datetime | None]


MODELS = (Deposit, Payout, Collection, ProviderEventRow, EventAcknowledgement, Adjustment)
