"""Avatars, status texts, keys of programs and sign-ins at other providers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "auth_0003"
down_revision = "auth_0002"


def upgrade() -> None:
    """Apply the step."""
    op.add_column("auth_user", sa.Column("avatar_key", sa.String(100), nullable=True))
    op.add_column(
        "auth_user", sa.Column("status_text", sa.String(200), server_default="", nullable=False)
    )
    _create_api_keys()
    _create_external_identities()
    _create_status_changes()


def downgrade() -> None:
    """Undo the step."""
    op.drop_table("auth_user_status_change")
    op.drop_table("auth_external_identity")
    op.drop_table("auth_api_key")
    op.drop_column("auth_user", "status_text")
    op.drop_column("auth_user", "avatar_key")


def _own(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.func.clock_timestamp(),
            nullable=False,
        ),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["auth_user.id"], name=f"fk_{table}_user_id", ondelete="CASCADE"
        ),
    ]


def _create_api_keys() -> None:
    op.create_table(
        "auth_api_key",
        *_own("auth_api_key"),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.String(100)), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("cardinality(scopes) > 0", name="scopes"),
    )
    op.create_index("uq_auth_api_key_key_hash", "auth_api_key", ["key_hash"], unique=True)
    op.create_index("ix_auth_api_key_user_id", "auth_api_key", ["user_id", "id"])


def _create_external_identities() -> None:
    op.create_table(
        "auth_external_identity",
        *_own("auth_external_identity"),
        sa.Column("provider", sa.String(20), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
    )
    op.create_index(
        "uq_auth_external_identity_subject",
        "auth_external_identity",
        ["provider", "subject"],
        unique=True,
    )
    op.create_index("ix_auth_external_identity_user_id", "auth_external_identity", ["user_id"])


def _create_status_changes() -> None:
    op.create_table(
        "auth_user_status_change",
        *_own("auth_user_status_change"),
        sa.Column("text", sa.String(200), nullable=False),
    )
    op.create_index(
        "ix_auth_user_status_change_user_id", "auth_user_status_change", ["user_id", "id"]
    )
