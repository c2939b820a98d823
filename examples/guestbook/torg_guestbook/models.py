"""The tables of the plugin."""

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column
from torg.db import Base, Record

LONGEST_TEXT = 500


class Note(Record, Base):
    """Something that somebody wrote down.

    `word_count` is empty until the job has counted.
    """

    __tablename__ = "guestbook_note"
    __table_args__ = (CheckConstraint("word_count >= 0", name="word_count_not_negative"),)

    author_id: Mapped[int] = mapped_column(
        ForeignKey("torg_identity.id", ondelete="CASCADE"), index=True
    )
    text: Mapped[str] = mapped_column(String(LONGEST_TEXT))
    word_count: Mapped[int | None]
