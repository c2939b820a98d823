"""Coupons and who used them on which order."""

from datetime import datetime

from sqlalchemy import CHAR, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from torg.db import Base, Fact, Record


class Coupon(Record, Base):
    """A price cut by a share or by an amount; its count never passes its limit."""

    __tablename__ = "shop_coupon"
    __table_args__ = (
        CheckConstraint("code ~ '^[A-Z0-9-]{3,40}$'", name="code"),
        CheckConstraint("(percent IS NULL) <> (amount_minor IS NULL)", name="kind"),
        CheckConstraint("percent BETWEEN 1 AND 100", name="percent"),
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("minimum_minor >= 0", name="minimum"),
        CheckConstraint(
            "currency IS NOT NULL OR (amount_minor IS NULL AND minimum_minor = 0)",
            name="currency",
        ),
        CheckConstraint("valid_until > valid_from", name="validity"),
        CheckConstraint("total_limit >= 1 AND per_user_limit >= 1", name="limits"),
        CheckConstraint("used_count >= 0 AND used_count <= total_limit", name="used_count"),
        UniqueConstraint("code"),
    )

    code: Mapped[str] = mapped_column(Text)
    percent: Mapped[int | None]
    amount_minor: Mapped[int | None]
    minimum_minor: Mapped[int] = mapped_column(server_default="0")
    currency: Mapped[str | None] = mapped_column(CHAR(3))
    valid_from: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]
    total_limit: Mapped[int | None]
    per_user_limit: Mapped[int | None]
    used_count: Mapped[int] = mapped_column(server_default="0")


class CouponUse(Fact, Base):
    """One use by one person; a cancelled order gives it back."""

    __tablename__ = "shop_coupon_use"
    __table_args__ = (
        UniqueConstraint("order_id"),
        Index("ix_shop_coupon_use_coupon_id", "coupon_id", "identity_id"),
    )

    coupon_id: Mapped[int] = mapped_column(ForeignKey("shop_coupon.id", ondelete="RESTRICT"))
    identity_id: Mapped[int] = mapped_column(ForeignKey("torg_identity.id", ondelete="RESTRICT"))
    order_id: Mapped[int] = mapped_column(ForeignKey("shop_order.id", ondelete="RESTRICT"))
