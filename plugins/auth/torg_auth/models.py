"""Tables of accounts. Constraints here repeat the rules that must hold whatever the code does.

Whether a person may act at all (`is_active`) stands in the host's `torg_identity`, once.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from torg.db import Base, Fact, Record
from torg.search import search_column
from torg_auth.domain.codes import Purpose


class User(Base):
    """An account, one to one with an identity.

    An account whose address belonged to somebody else when it was registered has `claimed_email`
    instead of `email`: it works like any unconfirmed one, so that registering tells nobody which
    addresses have accounts, but it can never be confirmed and gets no mail.
    """

    __tablename__ = "auth_user"
    __table_args__ = (
        Index("uq_auth_user_username", text("lower(username)"), unique=True),
        Index("uq_auth_user_email", text("lower(email)"), unique=True),
        Index(
            "ix_auth_user_claimed_email",
            text("lower(claimed_email)"),
            "id",
            postgresql_where=text("claimed_email IS NOT NULL"),
        ),
        Index("ix_auth_user_created_at", "created_at", "id"),
        Index("ix_auth_user_search", "search", postgresql_using="gin"),
        CheckConstraint("email IS NULL OR claimed_email IS NULL", name="one_email"),
        CheckConstraint("email_verified_at IS NULL OR email IS NOT NULL", name="verified_email"),
        CheckConstraint("verification_level BETWEEN 0 AND 3", name="verification_level"),
        CheckConstraint("country ~ '^[A-Z]{2}$'", name="country"),
        Index("uq_auth_user_phone", "phone", unique=True),
        CheckConstraint("phone ~ '^[+][1-9][0-9]{6,14}$'", name="phone"),
        CheckConstraint("(phone IS NULL) = (phone_verified_at IS NULL)", name="verified_phone"),
    )

    id: Mapped[int] = mapped_column(
        ForeignKey("torg_identity.id", ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )
    username: Mapped[str] = mapped_column(String(32))
    email: Mapped[str | None] = mapped_column(String(254))
    claimed_email: Mapped[str | None] = mapped_column(String(254))
    password_hash: Mapped[str] = mapped_column(String(255))
    email_verified_at: Mapped[datetime | None]
    phone: Mapped[str | None] = mapped_column(String(16))
    phone_verified_at: Mapped[datetime | None]
    display_name: Mapped[str] = mapped_column(String(80), server_default="")
    about: Mapped[str] = mapped_column(String(2000), server_default="")
    country: Mapped[str | None] = mapped_column(String(2))
    locale: Mapped[str | None] = mapped_column(String(8))
    time_zone: Mapped[str | None] = mapped_column(String(64))
    verification_level: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    wants_announcements: Mapped[bool] = mapped_column(server_default=text("true"))
    avatar_key: Mapped[str | None] = mapped_column(String(100))
    status_text: Mapped[str] = mapped_column(String(200), server_default="")
    search: Mapped[str] = search_column("username", "display_name", "email", "claimed_email")
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(
        server_default=func.clock_timestamp(), onupdate=func.clock_timestamp()
    )


class Session(Fact, Base):
    """A sign-in on one device: the family of all refresh tokens that came out of it."""

    __tablename__ = "auth_session"
    __table_args__ = (
        Index(
            "ix_auth_session_live",
            "user_id",
            "last_used_at",
            postgresql_where=text("revoked_at IS NULL"),
        ),
        Index("ix_auth_session_place", "user_id", "place"),
        CheckConstraint("(revoked_at IS NULL) = (revoked_because IS NULL)", name="revoked"),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("auth_user.id", ondelete="CASCADE"))
    device_label: Mapped[str] = mapped_column(String(80))
    address: Mapped[str] = mapped_column(String(45))
    place: Mapped[str] = mapped_column(String(45))
    last_used_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_because: Mapped[str | None] = mapped_column(String(40))


class RefreshToken(Fact, Base):
    """One refresh token, as the hash of it. At most one of a session is unused."""

    __tablename__ = "auth_refresh_token"
    __table_args__ = (
        Index("uq_auth_refresh_token_token_hash", "token_hash", unique=True),
        Index(
            "uq_auth_refresh_token_live",
            "session_id",
            unique=True,
            postgresql_where=text("used_at IS NULL"),
        ),
    )

    session_id: Mapped[int] = mapped_column(ForeignKey("auth_session.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes]
    used_at: Mapped[datetime | None]


class OneTimeCode(Fact, Base):
    """A mailed code and its link, as a keyed hash. At most one of a purpose is open."""

    __tablename__ = "auth_one_time_code"
    __table_args__ = (
        Index(
            "uq_auth_one_time_code_open",
            "user_id",
            "purpose",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
        CheckConstraint(
            f"purpose IN ({', '.join(repr(each.value) for each in Purpose)})", name="purpose"
        ),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("auth_user.id", ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(String(40))
    key_id: Mapped[str] = mapped_column(String(40))
    nonce: Mapped[str] = mapped_column(String(64))
    code_hash: Mapped[str] = mapped_column(String(64))
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    expires_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_because: Mapped[str | None] = mapped_column(String(40))


class Role(Record, Base):
    """A named set of permissions."""

    __tablename__ = "auth_role"
    __table_args__ = (Index("uq_auth_role_name", "name", unique=True),)

    name: Mapped[str] = mapped_column(String(40))


class RolePermission(Base):
    """A role carries a permission, or (inactive) an administrator has taken it away for good."""

    __tablename__ = "auth_role_permission"

    role_id: Mapped[int] = mapped_column(
        ForeignKey("auth_role.id", ondelete="CASCADE"), primary_key=True
    )
    permission: Mapped[str] = mapped_column(String(100), primary_key=True)
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    is_default: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class UserRole(Base):
    """An account has a role, or (inactive) had it once."""

    __tablename__ = "auth_user_role"
    __table_args__ = (Index("ix_auth_user_role_role_id", "role_id", "user_id"),)

    user_id: Mapped[int] = mapped_column(
        ForeignKey("auth_user.id", ondelete="CASCADE"), primary_key=True
    )
    role_id: Mapped[int] = mapped_column(
        ForeignKey("auth_role.id", ondelete="RESTRICT"), primary_key=True
    )
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(
        server_default=func.clock_timestamp(), onupdate=func.clock_timestamp()
    )


class SecurityEventKind(StrEnum):
    """What the record of security events knows."""

    REGISTERED = "registered"
    EMAIL_CONFIRMED = "email_confirmed"
    LOGGED_IN = "logged_in"
    LOGIN_FAILED = "login_failed"
    LOGIN_LIMITED = "login_limited"
    REFRESH_REUSED = "refresh_reused"
    SESSION_ENDED = "session_ended"
    PASSWORD_RESET_ASKED = "password_reset_asked"  # noqa: S105 - the name of an event
    PASSWORD_RESET = "password_reset"  # noqa: S105 - the name of an event
    CODE_DEAD = "code_dead"
    DEACTIVATED = "deactivated"
    ACTIVATED = "activated"
    ROLES_CHANGED = "roles_changed"
    CHANGE_ASKED = "change_asked"
    CHANGE_APPLIED = "change_applied"
    CHANGE_UNDONE = "change_undone"
    NEW_DEVICE = "new_device"
    VERIFICATION_ASKED = "verification_asked"
    VERIFICATION_DECIDED = "verification_decided"
    VERIFICATION_EXPIRED = "verification_expired"
    ROLE_CHANGED = "role_changed"
    API_KEY_CREATED = "api_key_created"
    API_KEY_REVOKED = "api_key_revoked"
    PROVIDER_LINKED = "provider_linked"
    PROVIDER_UNLINKED = "provider_unlinked"
    ADDRESS_MOVED = "address_moved"
    EXPORTED = "exported"
    ERASED = "erased"


class SecurityEvent(Fact, Base):
    """Something happened to an account. Append-only: a trigger refuses every change."""

    __tablename__ = "auth_security_event"
    __table_args__ = (
        Index("ix_auth_security_event_user_id", "user_id", "id"),
        Index("ix_auth_security_event_created_at", "created_at", "id"),
    )

    kind: Mapped[str] = mapped_column(String(40))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("torg_identity.id", ondelete="RESTRICT"))
    actor_id: Mapped[int | None] = mapped_column(
        ForeignKey("torg_identity.id", ondelete="RESTRICT")
    )
    address: Mapped[str] = mapped_column(String(45), server_default="")
    device_label: Mapped[str] = mapped_column(String(80), server_default="")
    request_id: Mapped[str] = mapped_column(String(128), server_default="")
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
