"""Auctions: the frozen terms, the moving state, bids, maxima, outcomes, watchers, preferences.

What holds for one row is a constraint here; what holds between rows is a trigger of the next step.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

revision = "auction_0001"
down_revision = None
branch_labels = None
depends_on = None

needs = {"host": "host_0002"}

_TABLES = (
    "auction_preference",
    "auction_watch",
    "auction_outcome",
    "auction_maximum",
    "auction_bid",
    "auction_state",
    "auction_auction",
)
_TEXT = "coalesce(title, '') || ' ' || coalesce(description, '') || ' ' || coalesce(category, '')"
_SEARCH = " || ".join(
    f"to_tsvector('{language}', {_TEXT})" for language in ("english", "russian", "simple")
)


def upgrade() -> None:
    """Create the tables."""
    _create_auction()
    _create_state()
    _create_bid()
    _create_maximum()
    _create_outcome()
    _create_watching()


def downgrade() -> None:
    """Drop them."""
    for table in _TABLES:
        op.drop_table(table)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _created_at() -> sa.Column[object]:
    return sa.Column(
        "created_at",
        sa.DateTime(timezone=True),
        server_default=sa.text("clock_timestamp()"),
        nullable=False,
    )


def _person(table: str, column: str, *, cascade: bool = False) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column],
        ["torg_identity.id"],
        name=f"fk_{table}_{column}",
        ondelete="CASCADE" if cascade else "RESTRICT",
    )


def _lot(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["auction_id"],
        ["auction_auction.id"],
        name=f"fk_{table}_auction_id",
        ondelete="RESTRICT",
    )


def _create_auction() -> None:
    table = "auction_auction"
    op.create_table(
        table,
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("pictures", JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("currency", sa.CHAR(3), nullable=False),
        sa.Column("starting_price_minor", sa.BigInteger(), nullable=False),
        sa.Column("bid_increment_minor", sa.BigInteger(), nullable=False),
        sa.Column("reserve_price_minor", sa.BigInteger(), nullable=True),
        sa.Column("buy_now_price_minor", sa.BigInteger(), nullable=True),
        _moment("starts_at"),
        _moment("scheduled_ends_at"),
        sa.Column("soft_window_seconds", sa.Integer(), nullable=True),
        sa.Column("soft_extension_seconds", sa.Integer(), nullable=True),
        sa.Column("soft_max_extensions", sa.Integer(), nullable=True),
        _moment("soft_hard_ends_at", nullable=True),
        _created_at(),
        sa.Column("search", TSVECTOR(), sa.Computed(_SEARCH, persisted=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint("id", "owner_id", name=f"uq_{table}_id_owner_id"),
        _person(table, "owner_id"),
        sa.CheckConstraint("char_length(title) BETWEEN 1 AND 200", name="title"),
        sa.CheckConstraint("char_length(description) <= 10000", name="description"),
        sa.CheckConstraint("char_length(category) BETWEEN 1 AND 100", name="category"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        sa.CheckConstraint(
            "starting_price_minor >= 0 AND bid_increment_minor > 0"
            " AND reserve_price_minor >= starting_price_minor"
            " AND buy_now_price_minor > 0 AND buy_now_price_minor >= starting_price_minor"
            " AND buy_now_price_minor >= reserve_price_minor",
            name="prices",
        ),
        sa.CheckConstraint(
            "scheduled_ends_at > starts_at AND soft_hard_ends_at >= scheduled_ends_at",
            name="times",
        ),
        sa.CheckConstraint(
            "num_nonnulls(soft_window_seconds, soft_extension_seconds, soft_max_extensions)"
            " IN (0, 3) AND soft_window_seconds > 0 AND soft_extension_seconds > 0"
            " AND soft_max_extensions > 0",
            name="soft_close",
        ),
    )
    op.create_index(f"ix_{table}_owner_id_id", table, ["owner_id", "id"])
    op.create_index(f"ix_{table}_category", table, ["category"])
    op.create_index(f"ix_{table}_created_at", table, ["created_at"])
    op.create_index(f"ix_{table}_search", table, ["search"], postgresql_using="gin")


def _create_state() -> None:
    table = "auction_state"
    op.create_table(
        table,
        sa.Column("auction_id", sa.BigInteger(), autoincrement=False, nullable=False),
        _moment("starts_at"),
        _moment("ends_at"),
        sa.Column("current_price_minor", sa.BigInteger(), nullable=False),
        sa.Column("leader_id", sa.BigInteger(), nullable=True),
        sa.Column("bid_count", sa.Integer(), nullable=False),
        sa.Column("extension_count", sa.Integer(), nullable=False),
        _moment("closed_at", nullable=True),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("auction_id", name=f"pk_{table}"),
        _lot(table),
        # Room in the page: a bid rewrites this row in place (HOT), without touching an index.
        postgresql_with={"fillfactor": "50"},
    )
    op.create_index(f"ix_{table}_ends_at", table, ["ends_at", "auction_id"])
    op.create_index(f"ix_{table}_starts_at", table, ["starts_at"])
    op.create_index(
        f"ix_{table}_open",
        table,
        ["ends_at", "auction_id"],
        postgresql_where=sa.text("closed_at IS NULL"),
    )


def _create_bid() -> None:
    table = "auction_bid"
    op.create_table(
        table,
        sa.Column("auction_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("bidder_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("is_leading", sa.Boolean(), nullable=False),
        sa.Column("is_automatic", sa.Boolean(), nullable=False),
        _moment("ends_at_after"),
        _moment("placed_at"),
        sa.PrimaryKeyConstraint("auction_id", "seq", name=f"pk_{table}"),
        # The owner stands in the row so that the CHECK can see him; the key holds him true.
        sa.ForeignKeyConstraint(
            ["auction_id", "owner_id"],
            ["auction_auction.id", "auction_auction.owner_id"],
            name=f"fk_{table}_auction_id_owner_id",
            ondelete="RESTRICT",
        ),
        _person(table, "bidder_id"),
        sa.CheckConstraint("owner_id <> bidder_id", name="owner_never_bids"),
        sa.CheckConstraint("amount_minor >= 0 AND seq >= 1", name="amount"),
        sa.CheckConstraint("is_leading OR NOT is_automatic", name="automatic_leads"),
    )
    op.create_index(
        f"uq_{table}_leading_amount",
        table,
        ["auction_id", "amount_minor"],
        unique=True,
        postgresql_where=sa.text("is_leading"),
    )
    op.create_index(f"ix_{table}_bidder_id_auction_id", table, ["bidder_id", "auction_id"])


def _create_maximum() -> None:
    table = "auction_maximum"
    op.create_table(
        table,
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("auction_id", sa.BigInteger(), nullable=False),
        sa.Column("bidder_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("after_seq", sa.Integer(), nullable=False),
        sa.Column("bid_seq", sa.Integer(), nullable=True),
        _created_at(),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint(
            "auction_id",
            "bidder_id",
            "amount_minor",
            name=f"uq_{table}_auction_id_bidder_id_amount_minor",
        ),
        _lot(table),
        _person(table, "bidder_id"),
        sa.ForeignKeyConstraint(
            ["auction_id", "bid_seq"],
            ["auction_bid.auction_id", "auction_bid.seq"],
            name=f"fk_{table}_auction_id_bid_seq",
            ondelete="RESTRICT",
        ),
        sa.CheckConstraint("bid_seq = after_seq + 1", name="bid_seq"),
        sa.CheckConstraint("amount_minor >= 0", name="amount"),
    )


def _create_outcome() -> None:
    table = "auction_outcome"
    op.create_table(
        table,
        sa.Column("auction_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("winner_id", sa.BigInteger(), nullable=True),
        sa.Column("hammer_price_minor", sa.BigInteger(), nullable=True),
        _moment("closed_at"),
        _created_at(),
        sa.PrimaryKeyConstraint("auction_id", name=f"pk_{table}"),
        _lot(table),
        _person(table, "winner_id"),
        sa.CheckConstraint(
            "reason IN ('sold', 'reserve_not_met', 'no_bids', 'bought_now')",
            name="reason",
        ),
        sa.CheckConstraint(
            "(reason IN ('sold', 'bought_now')) = (winner_id IS NOT NULL)"
            " AND (winner_id IS NULL) = (hammer_price_minor IS NULL)",
            name="winner",
        ),
    )
    op.create_index(f"ix_{table}_winner_id", table, ["winner_id"])


def _create_watching() -> None:
    table = "auction_watch"
    op.create_table(
        table,
        sa.Column("identity_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("auction_id", sa.BigInteger(), autoincrement=False, nullable=False),
        _created_at(),
        _moment("told_at", nullable=True),
        sa.PrimaryKeyConstraint("identity_id", "auction_id", name=f"pk_{table}"),
        _person(table, "identity_id", cascade=True),
        _lot(table),
    )
    op.create_index(
        f"ix_{table}_untold",
        table,
        ["auction_id"],
        postgresql_where=sa.text("told_at IS NULL"),
    )
    table = "auction_preference"
    op.create_table(
        table,
        sa.Column("identity_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("announcements", sa.Boolean(), nullable=False),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("identity_id", name=f"pk_{table}"),
        _person(table, "identity_id", cascade=True),
    )
