"""Telephone numbers, changes with confirmation, text messages, verification requests."""

import sqlalchemy as sa
from alembic import op

revision = "auth_0002"
down_revision = "auth_0001"

_OLD_PURPOSES = "purpose IN ('confirm_email', 'reset_password')"
_PURPOSES = (
    "purpose IN ('confirm_email', 'reset_password', 'change_username', 'change_email', "
    "'change_phone', 'change_password')"
)


def upgrade() -> None:
    """Apply the step."""
    _add_phone()
    op.drop_constraint("purpose", "auth_one_time_code", type_="check")
    op.create_check_constraint("purpose", "auth_one_time_code", _PURPOSES)
    _create_changes()
    _create_text_messages()
    _create_verification()


def downgrade() -> None:
    """Undo the step."""
    op.drop_table("auth_verification_document")
    op.drop_table("auth_verification_request")
    op.drop_table("auth_text_message")
    op.drop_table("auth_pending_change")
    op.execute("DELETE FROM auth_one_time_code WHERE purpose LIKE 'change%'")
    op.drop_constraint("purpose", "auth_one_time_code", type_="check")
    op.create_check_constraint("purpose", "auth_one_time_code", _OLD_PURPOSES)
    op.drop_index("uq_auth_user_phone", "auth_user")
    op.drop_constraint("phone", "auth_user", type_="check")
    op.drop_constraint("verified_phone", "auth_user", type_="check")
    op.drop_column("auth_user", "phone_verified_at")
    op.drop_column("auth_user", "phone")


def _moment(name: str, *, filled: bool = False) -> sa.Column:
    default = sa.func.clock_timestamp() if filled else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=not filled)


def _own(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        _moment("created_at", filled=True),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
    ]


def _reference(table: str, column: str, target: str, deleting: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete=deleting
    )


def _add_phone() -> None:
    op.add_column("auth_user", sa.Column("phone", sa.String(16), nullable=True))
    op.add_column("auth_user", _moment("phone_verified_at"))
    op.create_check_constraint("phone", "auth_user", "phone ~ '^[+][1-9][0-9]{6,14}$'")
    op.create_check_constraint(
        "verified_phone", "auth_user", "(phone IS NULL) = (phone_verified_at IS NULL)"
    )
    op.create_index("uq_auth_user_phone", "auth_user", ["phone"], unique=True)


def _create_changes() -> None:
    table = "auth_pending_change"
    op.create_table(
        table,
        *_own(table),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("new_value", sa.String(255), nullable=True),
        sa.Column("old_value", sa.String(254), nullable=True),
        sa.Column("code_id", sa.BigInteger(), nullable=True),
        _moment("applied_at"),
        sa.Column("undo_nonce", sa.String(64), nullable=True),
        _moment("undo_until"),
        _moment("undone_at"),
        sa.CheckConstraint("kind IN ('username', 'email', 'phone', 'password')", name="kind"),
        sa.CheckConstraint("undo_until IS NULL OR applied_at IS NOT NULL", name="undo_applied"),
        sa.CheckConstraint("undone_at IS NULL OR undo_until IS NOT NULL", name="undone"),
        sa.CheckConstraint(
            "kind <> 'password' OR (old_value IS NULL AND undo_until IS NULL)", name="no_password"
        ),
        _reference(table, "user_id", "auth_user", "CASCADE"),
        _reference(table, "code_id", "auth_one_time_code", "SET NULL"),
    )
    op.create_index("ix_auth_pending_change_user_id", table, ["user_id", "id"])
    op.create_index("ix_auth_pending_change_code_id", table, ["code_id"])
    op.create_index(
        "ix_auth_pending_change_kept_username",
        table,
        [sa.text("lower(old_value)")],
        postgresql_where=sa.text("kind = 'username' AND undo_until IS NOT NULL"),
    )


def _create_text_messages() -> None:
    table = "auth_text_message"
    op.create_table(
        table,
        *_own(table),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("phone", sa.String(16), nullable=False),
        sa.Column("code_id", sa.BigInteger(), nullable=True),
        sa.Column("change_id", sa.BigInteger(), nullable=True),
        _moment("sent_at"),
        sa.CheckConstraint("num_nonnulls(code_id, change_id) <= 1", name="one_subject"),
        _reference(table, "user_id", "auth_user", "CASCADE"),
        _reference(table, "code_id", "auth_one_time_code", "SET NULL"),
        _reference(table, "change_id", "auth_pending_change", "SET NULL"),
    )
    op.create_index("ix_auth_text_message_phone", table, ["phone", "created_at"])
    op.create_index("ix_auth_text_message_created_at", table, ["created_at"])
    op.create_index("ix_auth_text_message_user_id", table, ["user_id"])


def _create_verification() -> None:
    table = "auth_verification_request"
    op.create_table(
        table,
        *_own(table),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.String(20), server_default="pending", nullable=False),
        sa.Column("reason", sa.String(500), server_default="", nullable=False),
        _moment("decided_at"),
        sa.Column("decided_by", sa.BigInteger(), nullable=True),
        _moment("expires_at"),
        sa.CheckConstraint(
            "status IN ('pending', 'approved', 'refused', 'expired')", name="status"
        ),
        sa.CheckConstraint("level BETWEEN 1 AND 3", name="level"),
        sa.CheckConstraint("(status = 'pending') = (decided_at IS NULL)", name="decided"),
        sa.CheckConstraint("status <> 'refused' OR reason <> ''", name="refusal_has_reason"),
        sa.CheckConstraint(
            "(expires_at IS NOT NULL) = (status IN ('approved', 'expired'))", name="expiry"
        ),
        _reference(table, "user_id", "auth_user", "CASCADE"),
        _reference(table, "decided_by", "torg_identity", "RESTRICT"),
    )
    op.create_index("ix_auth_verification_request_user_id", table, ["user_id", "id"])
    op.create_index("ix_auth_verification_request_status", table, ["status", "id"])
    op.create_index(
        "uq_auth_verification_request_pending",
        table,
        ["user_id"],
        unique=True,
        postgresql_where=sa.text("status = 'pending'"),
    )
    document = "auth_verification_document"
    op.create_table(
        document,
        *_own(document),
        sa.Column("request_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("content_type", sa.String(40), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("storage_key", sa.String(100), nullable=True),
        _reference(document, "request_id", table, "CASCADE"),
    )
    op.create_index("ix_auth_verification_document_request_id", document, ["request_id", "id"])
