"""Tables of requests for a higher verification level, with their documents.

The level itself stands in `torg_auth.models.User`, worked out from these and from what is
confirmed.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from torg.db import Base, Fact
from torg_auth.domain.verification import Status


class VerificationRequest(Fact, Base):
    """Somebody asks for a level by documents; staff approves or refuses it once."""

    __tablename__ = "auth_verification_request"
    __table_args__ = (
        Index("ix_auth_verification_request_user_id", "user_id", "id"),
        Index("ix_auth_verification_request_status", "status", "id"),
        Index(
            "uq_auth_verification_request_pending",
            "user_id",
            unique=True,
            postgresql_where=text("status = 'pending'"),
        ),
        CheckConstraint(
            f"status IN ({', '.join(repr(each.value) for each in Status)})", name="status"
        ),
        CheckConstraint("level BETWEEN 1 AND 3", name="level"),
        CheckConstraint("(status = 'pending') = (decided_at IS NULL)", name="decided"),
        CheckConstraint("status <> 'refused' OR reason <> ''", name="refusal_has_reason"),
        CheckConstraint(
            "(expires_at IS NOT NULL) = (status IN ('approved', 'expired'))", name="expiry"
        ),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("auth_user.id", ondelete="CASCADE"))
    level: Mapped[int] = mapped_column(SmallInteger)
    status: Mapped[str] = mapped_column(String(20), server_default=Status.PENDING.value)
    reason: Mapped[str] = mapped_column(String(500), server_default="")
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[int | None] = mapped_column(
        ForeignKey("torg_identity.id", ondelete="RESTRICT")
    )
    expires_at: Mapped[datetime | None]


class VerificationDocument(Fact, Base):
    """A document of a request; its content lies in the host's storage, and is deleted in time."""

    __tablename__ = "auth_verification_document"
    __table_args__ = (Index("ix_auth_verification_document_request_id", "request_id", "id"),)

    request_id: Mapped[int] = mapped_column(
        ForeignKey("auth_verification_request.id", ondelete="CASCADE")
    )
    kind: Mapped[str] = mapped_column(String(20))
    content_type: Mapped[str] = mapped_column(String(40))
    size_bytes: Mapped[int]
    storage_key: Mapped[str | None] = mapped_column(String(100))
