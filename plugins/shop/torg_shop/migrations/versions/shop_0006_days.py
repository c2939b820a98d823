"""Steps and carts are found by their day, as statistics add up the present one.

Those that were brought in afterwards lie among today's, so a summary of ranges would not do.
"""

from alembic import op

revision = "shop_0006"
down_revision = "shop_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step."""
    op.execute("DROP INDEX ix_shop_order_event_created_at")
    op.execute("CREATE INDEX ix_shop_order_event_created_at ON shop_order_event (created_at)")
    op.execute("CREATE INDEX ix_shop_cart_start_begun_at ON shop_cart_start (begun_at)")


def downgrade() -> None:
    """Undo the step."""
    op.execute("DROP INDEX ix_shop_cart_start_begun_at")
    op.execute("DROP INDEX ix_shop_order_event_created_at")
    op.execute(
        "CREATE INDEX ix_shop_order_event_created_at ON shop_order_event USING brin (created_at)"
    )
