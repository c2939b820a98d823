"""Tables of changes that wait for their confirmation, and of text messages to telephones.

The account itself is `torg_auth.models`'.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from torg.db import Base, Fact
from torg_auth.domain.changes import Kind


class PendingChange(Fact, Base):
    """Somebody asked for a new name, address, number or password of an account.

    It is open as long as its code is. `new_value` of a password is a hash, and forgotten when the
    change is over. What stood before stays in `old_value` until it can no longer be undone.
    """

    __tablename__ = "auth_pending_change"
    __table_args__ = (
        Index("ix_auth_pending_change_user_id", "user_id", "id"),
        Index("ix_auth_pending_change_code_id", "code_id"),
        Index(
            "ix_auth_pending_change_kept_username",
            func.lower(text("old_value")),
            postgresql_where=text("kind = 'username' AND undo_until IS NOT NULL"),
        ),
        CheckConstraint(f"kind IN ({', '.join(repr(each.value) for each in Kind)})", name="kind"),
        CheckConstraint("undo_until IS NULL OR applied_at IS NOT NULL", name="undo_applied"),
        CheckConstraint("undone_at IS NULL OR undo_until IS NOT NULL", name="undone"),
        CheckConstraint(
            "kind <> 'password' OR (old_value IS NULL AND undo_until IS NULL)", name="no_password"
        ),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("auth_user.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20))
    new_value: Mapped[str | None] = mapped_column(String(255))
    old_value: Mapped[str | None] = mapped_column(String(254))
    code_id: Mapped[int | None] = mapped_column(
        ForeignKey("auth_one_time_code.id", ondelete="SET NULL")
    )
    applied_at: Mapped[datetime | None]
    undo_nonce: Mapped[str | None] = mapped_column(String(64))
    undo_until: Mapped[datetime | None]
    undone_at: Mapped[datetime | None]


class TextMessage(Fact, Base):
    """A message to a telephone: counted when it is queued, so that limits and costs hold exactly.

    Its words are made when it is sent; neither code nor link is ever written down.
    """

    __tablename__ = "auth_text_message"
    __table_args__ = (
        Index("ix_auth_text_message_phone", "phone", "created_at"),
        Index("ix_auth_text_message_created_at", "created_at"),
        Index("ix_auth_text_message_user_id", "user_id"),
        CheckConstraint("num_nonnulls(code_id, change_id) <= 1", name="one_subject"),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("auth_user.id", ondelete="CASCADE"))
    phone: Mapped[str] = mapped_column(String(16))
    code_id: Mapped[int | None] = mapped_column(
        ForeignKey("auth_one_time_code.id", ondelete="SET NULL")
    )
    change_id: Mapped[int | None] = mapped_column(
        ForeignKey("auth_pending_change.id", ondelete="SET NULL")
    )
    sent_at: Mapped[datetime | None]
