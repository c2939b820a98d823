"""The books as mapped classes: accounts, transfers, entries, holds.

Names and constraints are those of the migrations (a test holds them so). Rows are written by the
database functions alone; nothing here is ever changed through the session.
"""

from datetime import datetime

from sqlalchemy import (
    CHAR,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from torg.db import Base, Fact, Record

PERSON = "torg_identity.id"
_TEXTS = (
    "char_length(source) BETWEEN 1 AND 64 AND purpose ~ '^[a-z][a-z0-9_.]{0,63}$'"
    " AND char_length(description) <= 500 AND char_length(idempotency_key) BETWEEN 1 AND 255"
)
_OPEN = text("status = 'open'")


class Account(Record, Base):
    """A person's money in one currency, or one of the house's own accounts."""

    __tablename__ = "wallet_account"
    __table_args__ = (
        UniqueConstraint("id", "currency"),
        CheckConstraint("code ~ '^[a-z][a-z0-9_:.-]{0,99}$'", name="code"),
        CheckConstraint(
            "kind IN ('asset', 'liability', 'income', 'expense', 'equity')", name="kind"
        ),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint("owner_id IS NULL OR overdraft_limit_minor IS NOT NULL", name="limited"),
        CheckConstraint("overdraft_limit_minor >= 0", name="limit_positive"),
        CheckConstraint("pending_minor >= 0", name="pending_positive"),
        CheckConstraint("posted_minor - pending_minor >= -overdraft_limit_minor", name="available"),
        Index(
            "uq_wallet_account_owned",
            *("owner_id", "code", "currency"),
            unique=True,
            postgresql_where=text("owner_id IS NOT NULL"),
        ),
        Index(
            "uq_wallet_account_system",
            *("code", "currency"),
            unique=True,
            postgresql_where=text("owner_id IS NULL"),
        ),
        {"postgresql_with": {"fillfactor": "50"}},
    )

    owner_id: Mapped[int | None] = mapped_column(ForeignKey(PERSON, ondelete="RESTRICT"))
    code: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(CHAR(3))
    overdraft_limit_minor: Mapped[int | None]
    posted_minor: Mapped[int] = mapped_column(server_default=text("0"))
    pending_minor: Mapped[int] = mapped_column(server_default=text("0"))
    version: Mapped[int] = mapped_column(server_default=text("0"))


class Hold(Base):
    """Money set aside on an account until it is captured, voided or expires."""

    __tablename__ = "wallet_hold"
    __table_args__ = (
        UniqueConstraint("reference"),
        UniqueConstraint("source", "idempotency_key", name="uq_wallet_hold_source_idempotency_key"),
        ForeignKeyConstraint(
            ["account_id", "currency"],
            ["wallet_account.id", "wallet_account.currency"],
            name="fk_wallet_hold_account_id_currency",
            ondelete="RESTRICT",
        ),
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint(
            "captured_minor >= 0 AND voided_minor >= 0"
            " AND captured_minor + voided_minor <= amount_minor",
            name="parts",
        ),
        CheckConstraint(
            "CASE status"
            " WHEN 'open' THEN closed_at IS NULL AND voided_minor = 0"
            " AND captured_minor < amount_minor"
            " WHEN 'captured' THEN closed_at IS NOT NULL AND captured_minor > 0"
            " AND captured_minor + voided_minor = amount_minor"
            " WHEN 'voided' THEN closed_at IS NOT NULL AND voided_minor = amount_minor"
            " WHEN 'expired' THEN closed_at IS NOT NULL AND expires_at IS NOT NULL"
            " AND closed_at >= expires_at AND captured_minor + voided_minor = amount_minor"
            " ELSE false END",
            name="status",
        ),
        CheckConstraint(_TEXTS, name="texts"),
        Index("ix_wallet_hold_account_id_id", "account_id", "id"),
        Index("ix_wallet_hold_due", "expires_at", "account_id", postgresql_where=_OPEN),
        Index("ix_wallet_hold_open", "account_id", "expires_at", postgresql_where=_OPEN),
        Index("ix_wallet_hold_created_at", "created_at"),
        Index("ix_wallet_hold_closed_at", "closed_at", postgresql_where=text("voided_minor > 0")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    reference: Mapped[str] = mapped_column(Text)
    account_id: Mapped[int]
    currency: Mapped[str] = mapped_column(CHAR(3))
    amount_minor: Mapped[int]
    captured_minor: Mapped[int] = mapped_column(server_default=text("0"))
    voided_minor: Mapped[int] = mapped_column(server_default=text("0"))
    status: Mapped[str] = mapped_column(Text, server_default="open")
    source: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    idempotency_key: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Transfer(Fact, Base):
    """Money that moved: final, with as many entries as `entry_count` says."""

    __tablename__ = "wallet_transfer"
    __table_args__ = (
        UniqueConstraint("reference"),
        UniqueConstraint(
            "source", "idempotency_key", name="uq_wallet_transfer_source_idempotency_key"
        ),
        UniqueConstraint(
            "source", "external_reference", name="uq_wallet_transfer_source_external_reference"
        ),
        CheckConstraint("entry_count BETWEEN 2 AND 100", name="entry_count"),
        CheckConstraint(
            f"{_TEXTS} AND char_length(external_reference) BETWEEN 1 AND 255", name="texts"
        ),
        Index(
            "ix_wallet_transfer_reverses_id",
            "reverses_id",
            postgresql_where=text("reverses_id IS NOT NULL"),
        ),
        Index(
            "ix_wallet_transfer_hold_id", "hold_id", postgresql_where=text("hold_id IS NOT NULL")
        ),
    )

    reference: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    external_reference: Mapped[str | None] = mapped_column(Text)
    idempotency_key: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    entry_count: Mapped[int] = mapped_column(SmallInteger)
    reverses_id: Mapped[int | None] = mapped_column(
        ForeignKey("wallet_transfer.id", ondelete="RESTRICT")
    )
    hold_id: Mapped[int | None] = mapped_column(ForeignKey("wallet_hold.id", ondelete="RESTRICT"))
    actor_id: Mapped[int | None] = mapped_column(ForeignKey(PERSON, ondelete="RESTRICT"))
    description: Mapped[str] = mapped_column(Text)


class EntryRow(Fact, Base):
    """One side of a transfer, with the balance and the version of its account after it."""

    __tablename__ = "wallet_entry"
    __table_args__ = (
        UniqueConstraint(
            "transfer_id", "account_id", name="uq_wallet_entry_transfer_id_account_id"
        ),
        UniqueConstraint(
            "account_id", "account_version", name="uq_wallet_entry_account_id_account_version"
        ),
        ForeignKeyConstraint(
            ["account_id", "currency"],
            ["wallet_account.id", "wallet_account.currency"],
            name="fk_wallet_entry_account_id_currency",
            ondelete="RESTRICT",
        ),
        CheckConstraint("amount_minor <> 0", name="amount"),
        CheckConstraint("account_version >= 1", name="account_version"),
        Index("ix_wallet_entry_created_at", "created_at", postgresql_using="brin"),
    )

    transfer_id: Mapped[int] = mapped_column(ForeignKey("wallet_transfer.id", ondelete="RESTRICT"))
    account_id: Mapped[int]
    currency: Mapped[str] = mapped_column(CHAR(3))
    amount_minor: Mapped[int]
    balance_after_minor: Mapped[int]
    account_version: Mapped[int]


class ReversedRow(Base):
    """How much of an entry was reversed; of the opposite sign, and never more than it."""

    __tablename__ = "wallet_reversed"
    __table_args__ = (
        ForeignKeyConstraint(
            ["transfer_id", "account_id"],
            ["wallet_entry.transfer_id", "wallet_entry.account_id"],
            name="fk_wallet_reversed_transfer_id_account_id",
            ondelete="RESTRICT",
        ),
        CheckConstraint(
            "reversed_minor <> 0 AND reversed_minor"
            " BETWEEN least(0, -original_minor) AND greatest(0, -original_minor)",
            name="within",
        ),
    )

    transfer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    account_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    original_minor: Mapped[int]
    reversed_minor: Mapped[int]


MODELS = (Account, Hold, Transfer, EntryRow, ReversedRow)
