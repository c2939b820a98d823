"""When a key of a program was last used."""

import sqlalchemy as sa
from alembic import op

revision = "auth_0004"
down_revision = "auth_0003"


def upgrade() -> None:
    """Apply the step."""
    op.add_column(
        "auth_api_key", sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True)
    )


def downgrade() -> None:
    """Undo the step."""
    op.drop_column("auth_api_key", "last_used_at")
