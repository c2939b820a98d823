"""Accounts, sessions, one-time codes, roles and the record of security events."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "auth_0001"
down_revision = None
needs = {"host": "host_0001"}

_TEXTS = " || ' ' || ".join(
    f"coalesce({column}, '')" for column in ("username", "display_name", "email", "claimed_email")
)
_SEARCH = " || ".join(
    f"to_tsvector('{words}', {_TEXTS})" for words in ("english", "russian", "simple")
)


def upgrade() -> None:
    """Apply the step."""
    _create_users()
    _create_sessions()
    _create_codes()
    _create_roles()
    _create_security_events()


def downgrade() -> None:
    """Undo the step."""
    op.drop_table("auth_security_event")
    op.execute("DROP FUNCTION auth_refuse_change()")
    op.drop_table("auth_user_role")
    op.drop_table("auth_role_permission")
    op.drop_table("auth_role")
    op.drop_table("auth_one_time_code")
    op.drop_table("auth_refresh_token")
    op.drop_table("auth_session")
    op.drop_table("auth_user")


def _moment(name: str, *, nullable: bool = False, filled: bool = False) -> sa.Column:
    default = sa.func.clock_timestamp() if filled else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=nullable)


def _id() -> sa.Column:
    return sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False)


def _active() -> sa.Column:
    return sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False)


def _reference(table: str, column: str, target: str, deleting: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete=deleting
    )


def _create_users() -> None:
    op.create_table(
        "auth_user",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("username", sa.String(32), nullable=False),
        sa.Column("email", sa.String(254), nullable=True),
        sa.Column("claimed_email", sa.String(254), nullable=True),
        sa.Column("password_hash", sa.String(255), nullable=False),
        _moment("email_verified_at", nullable=True),
        sa.Column("display_name", sa.String(80), server_default="", nullable=False),
        sa.Column("about", sa.String(2000), server_default="", nullable=False),
        sa.Column("country", sa.String(2), nullable=True),
        sa.Column("locale", sa.String(8), nullable=True),
        sa.Column("time_zone", sa.String(64), nullable=True),
        sa.Column("verification_level", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column(
            "wants_announcements", sa.Boolean(), server_default=sa.text("true"), nullable=False
        ),
        sa.Column("search", postgresql.TSVECTOR(), sa.Computed(_SEARCH, persisted=True)),
        _moment("created_at", filled=True),
        _moment("updated_at", filled=True),
        sa.CheckConstraint("email IS NULL OR claimed_email IS NULL", name="one_email"),
        sa.CheckConstraint("email_verified_at IS NULL OR email IS NOT NULL", name="verified_email"),
        sa.CheckConstraint("verification_level BETWEEN 0 AND 3", name="verification_level"),
        sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name="country"),
        _reference("auth_user", "id", "torg_identity", "RESTRICT"),
        sa.PrimaryKeyConstraint("id", name="pk_auth_user"),
    )
    op.create_index("uq_auth_user_username", "auth_user", [sa.text("lower(username)")], unique=True)
    op.create_index("uq_auth_user_email", "auth_user", [sa.text("lower(email)")], unique=True)
    op.create_index("ix_auth_user_search", "auth_user", ["search"], postgresql_using="gin")
    op.create_index("ix_auth_user_created_at", "auth_user", ["created_at", "id"])


def _create_sessions() -> None:
    op.create_table(
        "auth_session",
        _id(),
        _moment("created_at", filled=True),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("device_label", sa.String(80), nullable=False),
        sa.Column("address", sa.String(45), nullable=False),
        sa.Column("place", sa.String(45), nullable=False),
        _moment("last_used_at", filled=True),
        _moment("expires_at"),
        _moment("revoked_at", nullable=True),
        sa.Column("revoked_because", sa.String(40), nullable=True),
        sa.CheckConstraint("(revoked_at IS NULL) = (revoked_because IS NULL)", name="revoked"),
        _reference("auth_session", "user_id", "auth_user", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_auth_session"),
    )
    op.create_index(
        "ix_auth_session_live",
        "auth_session",
        ["user_id", "last_used_at"],
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_index("ix_auth_session_place", "auth_session", ["user_id", "place"])
    op.create_table(
        "auth_refresh_token",
        _id(),
        _moment("created_at", filled=True),
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        _moment("used_at", nullable=True),
        _reference("auth_refresh_token", "session_id", "auth_session", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_auth_refresh_token"),
    )
    op.create_index(
        "uq_auth_refresh_token_token_hash", "auth_refresh_token", ["token_hash"], unique=True
    )
    op.create_index(
        "uq_auth_refresh_token_live",
        "auth_refresh_token",
        ["session_id"],
        unique=True,
        postgresql_where=sa.text("used_at IS NULL"),
    )


def _create_codes() -> None:
    op.create_table(
        "auth_one_time_code",
        _id(),
        _moment("created_at", filled=True),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.String(40), nullable=False),
        sa.Column("key_id", sa.String(40), nullable=False),
        sa.Column("nonce", sa.String(64), nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        _moment("expires_at"),
        _moment("closed_at", nullable=True),
        sa.Column("closed_because", sa.String(40), nullable=True),
        sa.CheckConstraint("purpose IN ('confirm_email', 'reset_password')", name="purpose"),
        _reference("auth_one_time_code", "user_id", "auth_user", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_auth_one_time_code"),
    )
    op.create_index(
        "uq_auth_one_time_code_open",
        "auth_one_time_code",
        ["user_id", "purpose"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )


def _create_roles() -> None:
    op.create_table(
        "auth_role",
        _id(),
        _moment("created_at", filled=True),
        _active(),
        _moment("updated_at", filled=True),
        sa.Column("name", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_auth_role"),
    )
    op.create_index("uq_auth_role_name", "auth_role", ["name"], unique=True)
    op.create_table(
        "auth_role_permission",
        sa.Column("role_id", sa.BigInteger(), nullable=False),
        sa.Column("permission", sa.String(100), nullable=False),
        _active(),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        _moment("created_at", filled=True),
        _reference("auth_role_permission", "role_id", "auth_role", "CASCADE"),
        sa.PrimaryKeyConstraint("role_id", "permission", name="pk_auth_role_permission"),
    )
    op.create_table(
        "auth_user_role",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("role_id", sa.BigInteger(), nullable=False),
        _active(),
        _moment("created_at", filled=True),
        _moment("updated_at", filled=True),
        _reference("auth_user_role", "user_id", "auth_user", "CASCADE"),
        _reference("auth_user_role", "role_id", "auth_role", "RESTRICT"),
        sa.PrimaryKeyConstraint("user_id", "role_id", name="pk_auth_user_role"),
    )
    op.create_index("ix_auth_user_role_role_id", "auth_user_role", ["role_id", "user_id"])


def _create_security_events() -> None:
    op.create_table(
        "auth_security_event",
        _id(),
        _moment("created_at", filled=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("address", sa.String(45), server_default="", nullable=False),
        sa.Column("device_label", sa.String(80), server_default="", nullable=False),
        sa.Column("request_id", sa.String(128), server_default="", nullable=False),
        sa.Column(
            "details", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        _reference("auth_security_event", "user_id", "torg_identity", "RESTRICT"),
        _reference("auth_security_event", "actor_id", "torg_identity", "RESTRICT"),
        sa.PrimaryKeyConstraint("id", name="pk_auth_security_event"),
    )
    op.create_index("ix_auth_security_event_user_id", "auth_security_event", ["user_id", "id"])
    op.create_index(
        "ix_auth_security_event_created_at", "auth_security_event", ["created_at", "id"]
    )
    op.execute(
        """
        CREATE FUNCTION auth_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
                USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER auth_security_event_append_only
        BEFORE UPDATE OR DELETE OR TRUNCATE ON auth_security_event
        FOR EACH STATEMENT EXECUTE FUNCTION auth_refuse_change()
        """
    )
