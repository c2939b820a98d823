"""Answers kept by Idempotency-Key, so that a repeated request has no second effect."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "host_0003"
down_revision = "host_0002"
needs: dict[str, str] = {}


def upgrade() -> None:
    """Apply the step."""
    op.create_table(
        "torg_idempotency",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("identity_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("headers", postgresql.JSONB(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.func.clock_timestamp(),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("digest", name="pk_torg_idempotency"),
        sa.ForeignKeyConstraint(
            ["identity_id"],
            ["torg_identity.id"],
            name="fk_torg_idempotency_identity_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_torg_idempotency_identity_id", "torg_idempotency", ["identity_id"])
    op.create_index("ix_torg_idempotency_created_at", "torg_idempotency", ["created_at"])


def downgrade() -> None:
    """Undo the step."""
    op.drop_table("torg_idempotency")
