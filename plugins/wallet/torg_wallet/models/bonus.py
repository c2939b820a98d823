"""Lots of points and what moved them, promo codes, referrals, as mapped classes."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text, UniqueConstraint, func
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from torg.db import Base, Fact, Record
from torg_wallet.models.ledger import PERSON

_CODE = "code ~ '^[A-Z0-9-]{4,40}$'"
_LEFT = sql("remaining_minor > 0")


class Lot(Fact, Base):
    """Points earned at once: they become available together and expire together."""

    __tablename__ = "wallet_bonus_lot"
    __table_args__ = (
        UniqueConstraint(
            "source", "external_reference", name="uq_wallet_bonus_lot_source_external_reference"
        ),
        CheckConstraint("status IN ('pending', 'available')", name="status"),
        CheckConstraint(
            "amount_minor > 0 AND remaining_minor BETWEEN 0 AND amount_minor"
            " AND taken_back_minor BETWEEN 0 AND amount_minor",
            name="amounts",
        ),
        CheckConstraint("expires_at > available_at", name="times"),
        Index(
            "ix_wallet_bonus_lot_identity_id", "identity_id", "expires_at", postgresql_where=_LEFT
        ),
        Index(
            "ix_wallet_bonus_lot_maturing",
            "available_at",
            postgresql_where=sql("status = 'pending' AND remaining_minor > 0"),
        ),
        Index("ix_wallet_bonus_lot_expiring", "expires_at", postgresql_where=_LEFT),
    )

    identity_id: Mapped[int] = mapped_column(ForeignKey(PERSON, ondelete="RESTRICT"))
    source: Mapped[str] = mapped_column(Text)
    external_reference: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    amount_minor: Mapped[int]
    remaining_minor: Mapped[int]
    taken_back_minor: Mapped[int] = mapped_column(server_default=sql("0"))
    available_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class LotMove(Base):
    """What a transfer took from a lot (negative) or gave back to it."""

    __tablename__ = "wallet_bonus_move"
    __table_args__ = (
        CheckConstraint("amount_minor <> 0", name="amount"),
        Index("ix_wallet_bonus_move_transfer_id", "transfer_id"),
    )

    lot_id: Mapped[int] = mapped_column(
        ForeignKey("wallet_bonus_lot.id", ondelete="RESTRICT"), primary_key=True
    )
    transfer_id: Mapped[int] = mapped_column(
        ForeignKey("wallet_transfer.id", ondelete="RESTRICT"), primary_key=True
    )
    amount_minor: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class LotRefund(Base):
    """Points asked back because of a refund; what could not be taken any more is forgiven."""

    __tablename__ = "wallet_bonus_refund"
    __table_args__ = (
        CheckConstraint(
            "points_minor > 0 AND taken_minor BETWEEN 0 AND points_minor", name="points"
        ),
        Index("ix_wallet_bonus_refund_lot_id", "lot_id"),
    )

    source: Mapped[str] = mapped_column(Text, primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(Text, primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("wallet_bonus_lot.id", ondelete="RESTRICT"))
    points_minor: Mapped[int]
    taken_minor: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class PromoCode(Record, Base):
    """A word that gives points, so many times in all and so many times to one person."""

    __tablename__ = "wallet_promo_code"
    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint(_CODE, name="code"),
        CheckConstraint("points_minor > 0", name="points"),
        CheckConstraint(
            "most_per_person > 0 AND most_uses > 0 AND used_count >= 0 AND used_count <= most_uses",
            name="limits",
        ),
        CheckConstraint("ends_at > starts_at", name="times"),
    )

    code: Mapped[str] = mapped_column(Text)
    points_minor: Mapped[int]
    most_uses: Mapped[int | None] = mapped_column(Integer)
    most_per_person: Mapped[int] = mapped_column(Integer)
    used_count: Mapped[int] = mapped_column(Integer, server_default=sql("0"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    created_by_id: Mapped[int] = mapped_column(ForeignKey(PERSON, ondelete="RESTRICT"))


class PromoUse(Base):
    """One use of a code by a person; `number` counts his uses of it."""

    __tablename__ = "wallet_promo_use"
    __table_args__ = (CheckConstraint("number > 0", name="number"),)

    code_id: Mapped[int] = mapped_column(
        ForeignKey("wallet_promo_code.id", ondelete="RESTRICT"), primary_key=True
    )
    identity_id: Mapped[int] = mapped_column(
        ForeignKey(PERSON, ondelete="RESTRICT"), primary_key=True
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class ReferralCode(Base):
    """The word by which somebody invites others."""

    __tablename__ = "wallet_referral_code"
    __table_args__ = (UniqueConstraint("code"), CheckConstraint(_CODE, name="code"))

    identity_id: Mapped[int] = mapped_column(
        ForeignKey(PERSON, ondelete="CASCADE"), primary_key=True
    )
    code: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Referral(Base):
    """Who was invited by whom: once in a life; `number` counts the inviter's guests.

    `lot_id` is the lot that the reward was given for; a refund of it takes the reward back, which
    `reversals` counts.
    """

    __tablename__ = "wallet_referral"
    __table_args__ = (
        UniqueConstraint("inviter_id", "number", name="uq_wallet_referral_inviter_id_number"),
        CheckConstraint("invited_id <> inviter_id AND number > 0", name="people"),
        CheckConstraint("reversals >= 0", name="reversals"),
        Index("ix_wallet_referral_lot_id", "lot_id", postgresql_where=sql("lot_id IS NOT NULL")),
    )

    invited_id: Mapped[int] = mapped_column(
        ForeignKey(PERSON, ondelete="CASCADE"), primary_key=True
    )
    inviter_id: Mapped[int] = mapped_column(ForeignKey(PERSON, ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    rewarded_at: Mapped[datetime | None]
    lot_id: Mapped[int | None] = mapped_column(
        ForeignKey("wallet_bonus_lot.id", ondelete="RESTRICT")
    )
    reversals: Mapped[int] = mapped_column(Integer, server_default=sql("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


MODELS = (Lot, LotMove, LotRefund, PromoCode, PromoUse, ReferralCode, Referral)
