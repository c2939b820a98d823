"""What people mean to buy: one cart for a person, or for a guest who holds its token."""

from datetime import datetime

from sqlalchemy import CHAR, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from torg.db import Base, Fact, Record
from torg_shop.models.catalogue import PRODUCT


class Cart(Record, Base):
    """A cart; of a guest's token only the hash is kept."""

    __tablename__ = "shop_cart"
    __table_args__ = (
        CheckConstraint("(owner_id IS NULL) <> (token_hash IS NULL)", name="owner"),
        UniqueConstraint("owner_id"),
        UniqueConstraint("token_hash"),
    )

    owner_id: Mapped[int | None] = mapped_column(
        ForeignKey("torg_identity.id", ondelete="RESTRICT")
    )
    token_hash: Mapped[str | None] = mapped_column(Text)


class CartLine(Record, Base):
    """A product in a cart, and the price its owner has seen and agreed to."""

    __tablename__ = "shop_cart_line"
    __table_args__ = (
        CheckConstraint("quantity BETWEEN 1 AND 9999", name="quantity"),
        CheckConstraint("seen_price_minor >= 0", name="seen_price"),
        UniqueConstraint("cart_id", "product_id"),
        Index("ix_shop_cart_line_product_id", "product_id"),
    )

    cart_id: Mapped[int] = mapped_column(ForeignKey("shop_cart.id", ondelete="CASCADE"))
    product_id: Mapped[int] = mapped_column(ForeignKey(PRODUCT, ondelete="RESTRICT"))
    quantity: Mapped[int]
    seen_price_minor: Mapped[int]
    seen_currency: Mapped[str] = mapped_column(CHAR(3))


class CartStart(Fact, Base):
    """Somebody put a product into an empty cart; the cart itself may be gone since."""

    __tablename__ = "shop_cart_start"
    __table_args__ = (
        Index("ix_shop_cart_start_created_at", "created_at", postgresql_using="brin"),
        Index("ix_shop_cart_start_begun_at", "begun_at"),
    )

    cart_id: Mapped[int]
    begun_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
