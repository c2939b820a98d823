"""Payments of orders by providers, as the shop knows them."""

from typing import Any

from sqlalchemy import Select, select

from torg.db import session
from torg.listing import Listing
from torg_shop.models.orders import Order
from torg_shop.models.payments import Payment


class PaymentListing(Listing):
    """Payments of an order, the newest first."""

    key = Payment.id
    default_sort = "-id"


_SHOWN: Select[*tuple[Any, ...]] = select(
    Payment.id,
    Payment.reference,
    Payment.provider,
    Payment.status,
    Payment.created_at,
    Payment.updated_at,
    Order.payment_status,
    Order.total_minor,
    Order.currency,
).join(Order, Order.id == Payment.order_id)


def is_own(number: str, buyer_id: int) -> bool:
    """Whether somebody has an order of this number."""
    asked = select(Order.id).where(Order.number == number, Order.buyer_id == buyer_id)
    return session.scalar(asked) is not None


def of_order(number: str, buyer_id: int) -> "Select[*tuple[Any, ...]]":
    """The payments of one's order."""
    return _SHOWN.where(Order.number == number, Order.buyer_id == buyer_id)
