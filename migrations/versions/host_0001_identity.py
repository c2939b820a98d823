"""People that every plugin refers to, and the record of applied migrations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "host_0001"
down_revision = None
needs: dict[str, str] = {}


def upgrade() -> None:
    """Apply the step."""
    op.create_table(
        "torg_identity",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("access_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.func.clock_timestamp(),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_torg_identity"),
    )
    op.create_table(
        "torg_plugin_migration",
        sa.Column("plugin", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column(
            "applied_at",
            sa.DateTime(timezone=True),
            server_default=sa.func.clock_timestamp(),
            nullable=False,
        ),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("checksum", sa.Text(), nullable=False),
        sa.Column("needs", postgresql.JSONB(), nullable=False),
        sa.Column("owned_tables", postgresql.JSONB(), nullable=False),
        sa.Column("removal_sql", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("plugin", "revision", name="pk_torg_plugin_migration"),
    )


def downgrade() -> None:
    """Undo the step."""
    op.drop_table("torg_plugin_migration")
    op.drop_table("torg_identity")
