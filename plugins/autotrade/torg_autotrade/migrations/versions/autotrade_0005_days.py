"""Offers and refusals are found by their day, as statistics add up the present one."""

from alembic import op

revision = "autotrade_0005"
down_revision = "autotrade_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step."""
    op.execute("CREATE INDEX ix_autotrade_offer_placed_at ON autotrade_offer (placed_at)")
    op.execute("CREATE INDEX ix_autotrade_refusal_refused_at ON autotrade_refusal (refused_at)")


def downgrade() -> None:
    """Undo the step."""
    op.execute("DROP INDEX ix_autotrade_refusal_refused_at")
    op.execute("DROP INDEX ix_autotrade_offer_placed_at")
