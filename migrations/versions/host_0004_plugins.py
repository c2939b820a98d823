"""Which plugins were on when somebody last looked, so that a switched-off one is noticed."""

import sqlalchemy as sa
from alembic import op

revision = "host_0004"
down_revision = "host_0003"
needs: dict[str, str] = {}


def upgrade() -> None:
    """Apply the step."""
    op.create_table(
        "torg_plugin",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            server_default=sa.func.clock_timestamp(),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name", name="pk_torg_plugin"),
    )


def downgrade() -> None:
    """Undo the step."""
    op.drop_table("torg_plugin")
