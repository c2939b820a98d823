"""What people ordered: sums, three statuses, their history, and the goods set aside for them."""

from datetime import datetime

from sqlalchemy import (
    CHAR,
    CheckConstraint,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from torg.db import Base, Fact, Record
from torg_shop.models.catalogue import CATEGORY, PRODUCT

IDENTITY, ORDER = "torg_identity.id", "shop_order.id"
# As PostgreSQL writes it: models and tables are compared by text.
_NUMBER = text(
    "('S'::text || upper(\"left\"(replace((gen_random_uuid())::text, '-'::text, ''::text), 16)))"
)


class Order(Record, Base):
    """An order; a trigger lets each status take its allowed steps only and keeps the sums."""

    __tablename__ = "shop_order"
    __table_args__ = (
        CheckConstraint("subtotal_minor >= 0 AND discount_minor >= 0", name="sums"),
        CheckConstraint("total_minor = subtotal_minor - discount_minor - points", name="total"),
        CheckConstraint("points >= 0", name="points"),
        CheckConstraint("total_minor >= 0", name="total_positive"),
        CheckConstraint("status IN ('placed', 'completed', 'cancelled')", name="status"),
        CheckConstraint(
            "payment_status IN ('awaiting_payment', 'paid', 'refunded', 'voided')",
            name="payment_status",
        ),
        CheckConstraint(
            "fulfilment_status IN ('unfulfilled', 'shipped', 'cancelled')",
            name="fulfilment_status",
        ),
        UniqueConstraint("number"),
        Index("ix_shop_order_buyer_id", "buyer_id", "id"),
        Index("ix_shop_order_coupon_id", "coupon_id"),
        Index(
            "ix_shop_order_expires_at",
            "expires_at",
            postgresql_where=text("payment_status = 'awaiting_payment'"),
        ),
    )

    number: Mapped[str] = mapped_column(Text, server_default=_NUMBER)
    buyer_id: Mapped[int] = mapped_column(ForeignKey(IDENTITY, ondelete="RESTRICT"))
    currency: Mapped[str] = mapped_column(CHAR(3))
    subtotal_minor: Mapped[int]
    discount_minor: Mapped[int] = mapped_column(server_default="0")
    points: Mapped[int] = mapped_column(server_default="0")
    total_minor: Mapped[int]
    coupon_id: Mapped[int | None] = mapped_column(ForeignKey("shop_coupon.id", ondelete="RESTRICT"))
    status: Mapped[str] = mapped_column(Text, server_default="placed")
    payment_status: Mapped[str] = mapped_column(Text, server_default="awaiting_payment")
    fulfilment_status: Mapped[str] = mapped_column(Text, server_default="unfulfilled")
    transfer: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[datetime | None]


class OrderLine(Base):
    """What was ordered, as it was called, priced and filed at that moment; never changed.

    A trigger notes the category.
    """

    __tablename__ = "shop_order_line"
    __table_args__ = (
        CheckConstraint("quantity BETWEEN 1 AND 9999", name="quantity"),
        CheckConstraint("price_minor >= 0", name="price"),
        Index("ix_shop_order_line_product_id", "product_id"),
    )

    order_id: Mapped[int] = mapped_column(ForeignKey(ORDER, ondelete="RESTRICT"), primary_key=True)
    product_id: Mapped[int] = mapped_column(
        ForeignKey(PRODUCT, ondelete="RESTRICT"), primary_key=True
    )
    name: Mapped[str] = mapped_column(Text)
    sku: Mapped[str] = mapped_column(Text)
    price_minor: Mapped[int]
    quantity: Mapped[int]
    category_id: Mapped[int | None] = mapped_column(ForeignKey(CATEGORY, ondelete="RESTRICT"))


class OrderEvent(Fact, Base):
    """A step of one of the three statuses; never changed.

    `created_at` is when it was taken, `recorded_at` when the row was written.
    """

    __tablename__ = "shop_order_event"
    __table_args__ = (
        CheckConstraint("kind IN ('order', 'payment', 'fulfilment')", name="kind"),
        Index("ix_shop_order_event_order_id", "order_id", "id"),
        Index("ix_shop_order_event_created_at", "created_at"),
        Index("ix_shop_order_event_recorded_at", "recorded_at", postgresql_using="brin"),
    )

    order_id: Mapped[int] = mapped_column(ForeignKey(ORDER, ondelete="RESTRICT"))
    kind: Mapped[str] = mapped_column(Text)
    from_status: Mapped[str | None] = mapped_column(Text)
    to_status: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey(IDENTITY, ondelete="RESTRICT"))
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Reservation(Record, Base):
    """Goods set aside for an order that is not paid yet."""

    __tablename__ = "shop_reservation"
    __table_args__ = (
        CheckConstraint("quantity >= 1", name="quantity"),
        CheckConstraint("status IN ('open', 'taken', 'released')", name="status"),
        UniqueConstraint("order_id", "product_id"),
        Index(
            "ix_shop_reservation_product_id",
            "product_id",
            postgresql_where=text("status = 'open'"),
        ),
    )

    order_id: Mapped[int] = mapped_column(ForeignKey(ORDER, ondelete="RESTRICT"))
    product_id: Mapped[int] = mapped_column(ForeignKey(PRODUCT, ondelete="RESTRICT"))
    quantity: Mapped[int]
    expires_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(Text, server_default="open")
