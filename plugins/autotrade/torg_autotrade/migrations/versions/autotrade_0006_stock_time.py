"""How long the cars of a sale stood in stock, together.

They may have come on different days; `stocked_at` is the day of the oldest. Of deals that were made
before this step no more is known than that.
"""

from alembic import op

revision = "autotrade_0006"
down_revision = "autotrade_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step."""
    op.execute("""
ALTER TABLE autotrade_sale ADD COLUMN stock_seconds NUMERIC;
ALTER TABLE autotrade_sale DISABLE TRIGGER autotrade_sale_is_final;
UPDATE autotrade_sale SET stock_seconds = quantity * extract(epoch FROM sold_at - stocked_at);
ALTER TABLE autotrade_sale ENABLE TRIGGER autotrade_sale_is_final;
ALTER TABLE autotrade_sale ALTER COLUMN stock_seconds SET NOT NULL;
ALTER TABLE autotrade_sale ADD CONSTRAINT ck_autotrade_sale_stock_seconds
    CHECK (stock_seconds >= 0);
""")


def downgrade() -> None:
    """Undo the step."""
    op.drop_column("autotrade_sale", "stock_seconds")
