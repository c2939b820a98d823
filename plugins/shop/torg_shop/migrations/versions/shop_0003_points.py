"""Points that an order was paid with; they are part of what is never changed."""

from alembic import op

revision = "shop_0003"
down_revision = "shop_0002"
branch_labels = None
depends_on = None

_KEPT = "number buyer_id currency subtotal_minor discount_minor total_minor"


def _keep(columns: str) -> None:
    """Write the law of an order's steps with these columns among what stays."""
    new, old = (", ".join(f"{row}.{name}" for name in columns.split()) for row in ("NEW", "OLD"))
    # Made of the names above alone.
    op.execute(f"""
CREATE OR REPLACE FUNCTION shop_keep_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF ({new}) IS DISTINCT FROM ({old}) THEN
        RAISE EXCEPTION 'what was ordered is never changed'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'shop_order_kept';
    END IF;
    IF NOT (NEW.status = OLD.status OR OLD.status = 'placed'
            AND NEW.status IN ('completed', 'cancelled'))
        OR NOT (NEW.payment_status = OLD.payment_status
            OR OLD.payment_status = 'awaiting_payment' AND NEW.payment_status IN ('paid', 'voided')
            OR OLD.payment_status = 'paid' AND NEW.payment_status = 'refunded')
        OR NOT (NEW.fulfilment_status = OLD.fulfilment_status
            OR OLD.fulfilment_status = 'unfulfilled'
            AND NEW.fulfilment_status IN ('shipped', 'cancelled')) THEN
        RAISE EXCEPTION 'a status cannot take this step'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'shop_order_steps';
    END IF;
    RETURN NEW;
END $$""")


def upgrade() -> None:
    """Let points pay a part."""
    op.execute("""
ALTER TABLE shop_order
    ADD COLUMN points BIGINT DEFAULT '0' NOT NULL,
    ADD CONSTRAINT ck_shop_order_points CHECK (points >= 0),
    DROP CONSTRAINT ck_shop_order_total,
    ADD CONSTRAINT ck_shop_order_total
        CHECK (total_minor = subtotal_minor - discount_minor - points)""")
    _keep(f"{_KEPT} points")


def downgrade() -> None:
    """Forget them: what they paid becomes a discount, so that the sums still add up."""
    _keep("number buyer_id currency subtotal_minor total_minor")
    op.execute("UPDATE shop_order SET discount_minor = discount_minor + points WHERE points > 0")
    op.execute("""
ALTER TABLE shop_order
    DROP CONSTRAINT ck_shop_order_total,
    DROP COLUMN points,
    ADD CONSTRAINT ck_shop_order_total CHECK (total_minor = subtotal_minor - discount_minor)""")
    _keep(_KEPT)
