"""The pictures of products: keys of the storage, never bytes."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from torg.db import Base, Record
from torg_shop.models.catalogue import PRODUCT


class Media(Record, Base):
    """One picture. `thumbnail_key` comes from a job, a moment after the picture."""

    __tablename__ = "shop_media"
    __table_args__ = (
        CheckConstraint("kind = 'image'", name="kind"),
        CheckConstraint("char_length(alt) <= 200", name="alt"),
        Index("ix_shop_media_product_id", "product_id", "position", "id"),
    )

    product_id: Mapped[int] = mapped_column(ForeignKey(PRODUCT, ondelete="RESTRICT"))
    key: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text, server_default="image")
    alt: Mapped[str] = mapped_column(Text, server_default="")
    position: Mapped[int] = mapped_column(Integer, server_default="0")
    thumbnail_key: Mapped[str | None] = mapped_column(Text)
