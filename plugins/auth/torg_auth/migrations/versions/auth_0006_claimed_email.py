"""Accounts are found by the address that they only claim, as signing in by e-mail looks for it."""

from alembic import op

revision = "auth_0006"
down_revision = "auth_0005"


def upgrade() -> None:
    """Apply the step."""
    op.execute(
        "CREATE INDEX ix_auth_user_claimed_email ON auth_user (lower(claimed_email), id)"
        " WHERE claimed_email IS NOT NULL"
    )


def downgrade() -> None:
    """Undo the step."""
    op.execute("DROP INDEX ix_auth_user_claimed_email")
