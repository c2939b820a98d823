"""New orders have a number that does not count: nobody learns from two of them how much is sold.

Orders that are there keep theirs.
"""

from alembic import op

revision = "shop_0009"
down_revision = "shop_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Draw numbers instead of counting: 60 random bits, kept apart by the unique constraint."""
    op.execute(
        "ALTER TABLE shop_order ALTER COLUMN number SET DEFAULT"
        " 'S' || upper(left(replace(gen_random_uuid()::text, '-', ''), 16))"
    )
    op.execute("DROP SEQUENCE shop_order_number")


def downgrade() -> None:
    """Count on where it was left."""
    op.execute("CREATE SEQUENCE shop_order_number")
    op.execute(
        "SELECT setval('shop_order_number', max(substr(number, 2)::bigint)) FROM shop_order"
        " WHERE number ~ '^S[0-9]{9}$'"
    )
    op.execute(
        "ALTER TABLE shop_order ALTER COLUMN number SET DEFAULT"
        " 'S' || lpad(nextval('shop_order_number'::regclass)::text, 9, '0')"
    )
