"""A purpose of its own for codes that set a forgotten password by telephone.

The code of a text message proves a number, never an address: it must not pass where a mailed one is
expected.
"""

from alembic import op

revision = "auth_0005"
down_revision = "auth_0004"

_BEFORE = (
    "purpose IN ('confirm_email', 'reset_password', 'change_username', 'change_email', "
    "'change_phone', 'change_password')"
)
_AFTER = (
    "purpose IN ('confirm_email', 'reset_password', 'reset_by_phone', 'change_username', "
    "'change_email', 'change_phone', 'change_password')"
)


def upgrade() -> None:
    """Apply the step."""
    op.drop_constraint("purpose", "auth_one_time_code", type_="check")
    op.create_check_constraint("purpose", "auth_one_time_code", _AFTER)


def downgrade() -> None:
    """Undo the step."""
    op.execute("DELETE FROM auth_one_time_code WHERE purpose = 'reset_by_phone'")
    op.drop_constraint("purpose", "auth_one_time_code", type_="check")
    op.create_check_constraint("purpose", "auth_one_time_code", _BEFORE)
