"""Payments of orders by providers: what was begun, and what became of it."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from torg.db import Base, Record
from torg_shop.models.orders import ORDER


class Payment(Record, Base):
    """A payment by a provider for an order; `reference` is the ledger's name of it.

    It is `under_way`, has paid the order (`applied`), came when the order no longer waited for it
    and stayed in the buyer's wallet (`kept`), or `failed`. An order is paid by one at most.
    """

    __tablename__ = "shop_payment"
    __table_args__ = (
        CheckConstraint("status IN ('under_way', 'applied', 'kept', 'failed')", name="status"),
        CheckConstraint("char_length(provider) BETWEEN 1 AND 64", name="provider"),
        UniqueConstraint("reference"),
        Index("ix_shop_payment_order_id", "order_id", "id"),
        Index(
            "uq_shop_payment_under_way",
            "order_id",
            "provider",
            unique=True,
            postgresql_where=text("status = 'under_way'"),
        ),
        Index(
            "uq_shop_payment_applied",
            "order_id",
            unique=True,
            postgresql_where=text("status = 'applied'"),
        ),
    )

    order_id: Mapped[int] = mapped_column(ForeignKey(ORDER, ondelete="RESTRICT"))
    reference: Mapped[str] = mapped_column(Text)
    provider: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default="under_way")
