"""Tables of what belongs to an account besides itself: keys, sign-ins elsewhere, status.

The account and its sessions are `torg_auth.models`'.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from torg.db import Base, Fact


class ApiKey(Fact, Base):
    """A key by which a program speaks for an account, within its scopes; only a hash is kept."""

    __tablename__ = "auth_api_key"
    __table_args__ = (
        Index("uq_auth_api_key_key_hash", "key_hash", unique=True),
        Index("ix_auth_api_key_user_id", "user_id", "id"),
        CheckConstraint("cardinality(scopes) > 0", name="scopes"),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("auth_user.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(80))
    prefix: Mapped[str] = mapped_column(String(16))
    key_hash: Mapped[bytes]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(100)))
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class ExternalIdentity(Fact, Base):
    """An account at another provider that signs in here; it belongs to one account."""

    __tablename__ = "auth_external_identity"
    __table_args__ = (
        Index("uq_auth_external_identity_subject", "provider", "subject", unique=True),
        Index("ix_auth_external_identity_user_id", "user_id"),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("auth_user.id", ondelete="CASCADE"))
    provider: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(255))
    email: Mapped[str] = mapped_column(String(254))


class StatusChange(Fact, Base):
    """A person set his status text, to an empty one too; what it was before stays readable."""

    __tablename__ = "auth_user_status_change"
    __table_args__ = (Index("ix_auth_user_status_change_user_id", "user_id", "id"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("auth_user.id", ondelete="CASCADE"))
    text: Mapped[str] = mapped_column(String(200))
