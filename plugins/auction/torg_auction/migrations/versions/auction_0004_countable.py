"""Bids and outcomes are found by when they were written, as statistics look for news."""

from alembic import op

revision = "auction_0004"
down_revision = "auction_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step."""
    # The log grows at its end alone, and a bid should pay next to nothing for being counted.
    op.execute("CREATE INDEX ix_auction_bid_placed_at ON auction_bid USING brin (placed_at)")
    op.execute("CREATE INDEX ix_auction_outcome_created_at ON auction_outcome (created_at)")
    op.execute("CREATE INDEX ix_auction_outcome_closed_at ON auction_outcome (closed_at)")


def downgrade() -> None:
    """Undo the step."""
    op.execute("DROP INDEX ix_auction_outcome_closed_at")
    op.execute("DROP INDEX ix_auction_outcome_created_at")
    op.execute("DROP INDEX ix_auction_bid_placed_at")
