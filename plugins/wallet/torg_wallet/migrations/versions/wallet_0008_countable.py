"""Entries and holds are found by when they were written, as statistics look for news."""

from alembic import op

revision = "wallet_0008"
down_revision = "wallet_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step."""
    # The books grow at their end alone, and a transfer should pay next to nothing for being
    # counted.
    op.execute("CREATE INDEX ix_wallet_entry_created_at ON wallet_entry USING brin (created_at)")
    op.execute("CREATE INDEX ix_wallet_hold_created_at ON wallet_hold (created_at)")
    op.execute(
        "CREATE INDEX ix_wallet_hold_closed_at ON wallet_hold (closed_at) WHERE voided_minor > 0"
    )


def downgrade() -> None:
    """Undo the step."""
    op.execute("DROP INDEX ix_wallet_hold_closed_at")
    op.execute("DROP INDEX ix_wallet_hold_created_at")
    op.execute("DROP INDEX ix_wallet_entry_created_at")
