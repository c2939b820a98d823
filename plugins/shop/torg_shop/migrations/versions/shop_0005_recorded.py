"""When a row was written, beside when it happened: a history may be brought in afterwards.

Statistics look for rows by when they were written, and would never see one that claims an old day.
"""

from alembic import op

revision = "shop_0005"
down_revision = "shop_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step; what is there counts as written when it happened."""
    op.execute("""
ALTER TABLE shop_order_event ADD COLUMN recorded_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE shop_order_event DISABLE TRIGGER shop_order_event_kept;
UPDATE shop_order_event SET recorded_at = created_at;
ALTER TABLE shop_order_event ENABLE TRIGGER shop_order_event_kept;
ALTER TABLE shop_order_event ALTER COLUMN recorded_at SET NOT NULL,
    ALTER COLUMN recorded_at SET DEFAULT clock_timestamp();
CREATE INDEX ix_shop_order_event_recorded_at ON shop_order_event USING brin (recorded_at);

ALTER TABLE shop_cart_start ADD COLUMN begun_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE shop_cart_start DISABLE TRIGGER shop_cart_start_kept;
UPDATE shop_cart_start SET begun_at = created_at;
ALTER TABLE shop_cart_start ENABLE TRIGGER shop_cart_start_kept;
ALTER TABLE shop_cart_start ALTER COLUMN begun_at SET NOT NULL,
    ALTER COLUMN begun_at SET DEFAULT clock_timestamp();
""")


def downgrade() -> None:
    """Undo the step."""
    op.drop_column("shop_cart_start", "begun_at")
    op.drop_column("shop_order_event", "recorded_at")
