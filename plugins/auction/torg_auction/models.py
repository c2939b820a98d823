"""The tables of auctions as mapped classes.

Owns names and constraints, equal to the migrations (a test holds them so). Four of the tables are
facts that the database refuses to change; `AuctionState` is moved by its triggers alone, when a bid
or an outcome is inserted. `MaximumRow` is secret: no listing or detail query reads it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CHAR,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from torg.db import Base, Fact
from torg.search import search_column

_LOT = "auction_auction.id"
_PERSON = "torg_identity.id"


class Auction(Fact, Base):
    """What is given at creation; it can never be changed or removed."""

    __tablename__ = "auction_auction"
    __table_args__ = (
        UniqueConstraint("id", "owner_id"),
        CheckConstraint("char_length(title) BETWEEN 1 AND 200", name="title"),
        CheckConstraint("char_length(description) <= 10000", name="description"),
        CheckConstraint("char_length(category) BETWEEN 1 AND 100", name="category"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint(
            "starting_price_minor >= 0 AND bid_increment_minor > 0"
            " AND reserve_price_minor >= starting_price_minor"
            " AND buy_now_price_minor > 0 AND buy_now_price_minor >= starting_price_minor"
            " AND buy_now_price_minor >= reserve_price_minor",
            name="prices",
        ),
        CheckConstraint(
            "scheduled_ends_at > starts_at AND soft_hard_ends_at >= scheduled_ends_at",
            name="times",
        ),
        CheckConstraint(
            "num_nonnulls(soft_window_seconds, soft_extension_seconds, soft_max_extensions)"
            " IN (0, 3) AND soft_window_seconds > 0 AND soft_extension_seconds > 0"
            " AND soft_max_extensions > 0",
            name="soft_close",
        ),
        Index("ix_auction_auction_owner_id_id", "owner_id", "id"),
        Index("ix_auction_auction_category", "category"),
        Index("ix_auction_auction_created_at", "created_at"),
        Index("ix_auction_auction_search", "search", postgresql_using="gin"),
    )

    owner_id: Mapped[int] = mapped_column(ForeignKey(_PERSON, ondelete="RESTRICT"))
    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    category: Mapped[str | None] = mapped_column(Text)
    pictures: Mapped[Any] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    currency: Mapped[str] = mapped_column(CHAR(3))
    starting_price_minor: Mapped[int]
    bid_increment_minor: Mapped[int]
    reserve_price_minor: Mapped[int | None]
    buy_now_price_minor: Mapped[int | None]
    starts_at: Mapped[datetime]
    scheduled_ends_at: Mapped[datetime]
    soft_window_seconds: Mapped[int | None] = mapped_column(Integer)
    soft_extension_seconds: Mapped[int | None] = mapped_column(Integer)
    soft_max_extensions: Mapped[int | None] = mapped_column(Integer)
    soft_hard_ends_at: Mapped[datetime | None]
    search: Mapped[Any] = search_column("title", "description", "category")


class AuctionState(Base):
    """What bids move: price, leader, number of bids, end. One narrow row, rewritten in place."""

    __tablename__ = "auction_state"
    __table_args__ = (
        Index("ix_auction_state_ends_at", "ends_at", "auction_id"),
        Index("ix_auction_state_starts_at", "starts_at"),
        Index(
            "ix_auction_state_open",
            *("ends_at", "auction_id"),
            postgresql_where=text("closed_at IS NULL"),
        ),
        {"postgresql_with": {"fillfactor": "50"}},
    )

    auction_id: Mapped[int] = mapped_column(
        ForeignKey(_LOT, ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    current_price_minor: Mapped[int]
    # No foreign key: the trigger takes it from a bid, whose bidder has one.
    leader_id: Mapped[int | None]
    bid_count: Mapped[int] = mapped_column(Integer)
    extension_count: Mapped[int] = mapped_column(Integer)
    closed_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class BidRow(Base):
    """One line of the public log; an automatic one is the answer of a leader's maximum."""

    __tablename__ = "auction_bid"
    __table_args__ = (
        # The owner stands in the row so that the CHECK can see him; the key holds him true.
        ForeignKeyConstraint(
            ["auction_id", "owner_id"],
            ["auction_auction.id", "auction_auction.owner_id"],
            ondelete="RESTRICT",
        ),
        CheckConstraint("owner_id <> bidder_id", name="owner_never_bids"),
        CheckConstraint("amount_minor >= 0 AND seq >= 1", name="amount"),
        CheckConstraint("is_leading OR NOT is_automatic", name="automatic_leads"),
        Index(
            "uq_auction_bid_leading_amount",
            *("auction_id", "amount_minor"),
            unique=True,
            postgresql_where=text("is_leading"),
        ),
        Index("ix_auction_bid_bidder_id_auction_id", "bidder_id", "auction_id"),
        Index("ix_auction_bid_placed_at", "placed_at", postgresql_using="brin"),
    )

    auction_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    owner_id: Mapped[int]
    bidder_id: Mapped[int] = mapped_column(ForeignKey(_PERSON, ondelete="RESTRICT"))
    amount_minor: Mapped[int]
    is_leading: Mapped[bool]
    is_automatic: Mapped[bool]
    ends_at_after: Mapped[datetime]
    placed_at: Mapped[datetime]


class MaximumRow(Base):
    """A secret maximum, given when the log had `after_seq` bids; `bid_seq` is its own, if any."""

    __tablename__ = "auction_maximum"
    __table_args__ = (
        UniqueConstraint("auction_id", "bidder_id", "amount_minor"),
        ForeignKeyConstraint(
            ["auction_id", "bid_seq"],
            ["auction_bid.auction_id", "auction_bid.seq"],
            ondelete="RESTRICT",
        ),
        CheckConstraint("bid_seq = after_seq + 1", name="bid_seq"),
        CheckConstraint("amount_minor >= 0", name="amount"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    auction_id: Mapped[int] = mapped_column(ForeignKey(_LOT, ondelete="RESTRICT"))
    bidder_id: Mapped[int] = mapped_column(ForeignKey(_PERSON, ondelete="RESTRICT"))
    amount_minor: Mapped[int]
    after_seq: Mapped[int] = mapped_column(Integer)
    bid_seq: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class OutcomeRow(Base):
    """How an auction ended, fixed once; `closed_at` is its end, however late it was noticed."""

    __tablename__ = "auction_outcome"
    __table_args__ = (
        CheckConstraint(
            "reason IN ('sold', 'reserve_not_met', 'no_bids', 'bought_now')", name="reason"
        ),
        CheckConstraint(
            "(reason IN ('sold', 'bought_now')) = (winner_id IS NOT NULL)"
            " AND (winner_id IS NULL) = (hammer_price_minor IS NULL)",
            name="winner",
        ),
        Index("ix_auction_outcome_winner_id", "winner_id"),
        Index("ix_auction_outcome_created_at", "created_at"),
        Index("ix_auction_outcome_closed_at", "closed_at"),
    )

    auction_id: Mapped[int] = mapped_column(
        ForeignKey(_LOT, ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )
    reason: Mapped[str] = mapped_column(Text)
    winner_id: Mapped[int | None] = mapped_column(ForeignKey(_PERSON, ondelete="RESTRICT"))
    hammer_price_minor: Mapped[int | None]
    closed_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Watch(Base):
    """Somebody keeps an eye on an auction; `told_at` is when its end was announced to him."""

    __tablename__ = "auction_watch"
    __table_args__ = (
        Index("ix_auction_watch_untold", "auction_id", postgresql_where=text("told_at IS NULL")),
    )

    identity_id: Mapped[int] = mapped_column(
        ForeignKey(_PERSON, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    auction_id: Mapped[int] = mapped_column(
        ForeignKey(_LOT, ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    told_at: Mapped[datetime | None]


class Preference(Base):
    """What somebody wants to be told; without a row he is told everything."""

    __tablename__ = "auction_preference"

    identity_id: Mapped[int] = mapped_column(
        ForeignKey(_PERSON, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    announcements: Mapped[bool]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


MODELS = (Auction, AuctionState, BidRow, MaximumRow, OutcomeRow, Watch, Preference)
