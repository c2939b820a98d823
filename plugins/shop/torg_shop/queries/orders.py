"""Orders as they are shown: lists of summaries, and one with its lines and history."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, select

from torg.db import session
from torg.errors import NotFoundError
from torg.filters import equals
from torg.listing import Listing
from torg.schemas import Enum
from torg_shop.domain import statuses
from torg_shop.models.coupons import Coupon
from torg_shop.models.orders import Order, OrderEvent, OrderLine


class OrderListing(Listing):
    """Orders; the newest first unless asked otherwise."""

    key = Order.id
    sorts = {  # noqa: RUF012 - declared so by the host
        "created_at": Order.created_at,
        "total": Order.total_minor,
    }
    default_sort = "-id"
    filters = {  # noqa: RUF012 - declared so by the host
        "status": equals(Enum(tuple(statuses.ORDER)), Order.status),
        "payment_status": equals(Enum(tuple(statuses.PAYMENT)), Order.payment_status),
        "fulfilment_status": equals(Enum(tuple(statuses.FULFILMENT)), Order.fulfilment_status),
    }


_SUMMARY: Select[*tuple[Any, ...]] = select(
    Order.id,
    Order.number,
    Order.status,
    Order.payment_status,
    Order.fulfilment_status,
    Order.total_minor,
    Order.currency,
    Order.created_at,
)
_WHOLE = select(*Order.__table__.columns, Coupon.code.label("coupon")).outerjoin(
    Coupon, Coupon.id == Order.coupon_id
)


def page(arguments: Mapping[str, Any], buyer_id: int | None = None) -> Any:
    """A page of somebody's orders, or of everybody's."""
    asked = _SUMMARY if buyer_id is None else _SUMMARY.where(Order.buyer_id == buyer_id)
    return OrderListing.page(asked, arguments)


def show(number: str, buyer_id: int | None = None) -> dict[str, Any]:
    """An order with lines and history, in three statements.

    Raises:
        NotFoundError: there is none of this number, or it is somebody else's.
    """
    asked = _WHOLE.where(Order.number == number)
    if buyer_id is not None:
        asked = asked.where(Order.buyer_id == buyer_id)
    order = session.execute(asked).mappings().one_or_none()
    if order is None:
        raise NotFoundError
    lines = session.execute(
        select(*OrderLine.__table__.columns)
        .where(OrderLine.order_id == order["id"])
        .order_by(OrderLine.product_id)
    ).mappings()
    happened = session.execute(
        select(*OrderEvent.__table__.columns)
        .where(OrderEvent.order_id == order["id"])
        .order_by(OrderEvent.id)
    ).mappings()
    currency = order["currency"]
    return {
        **order,
        "lines": [{**line, "currency": currency} for line in lines],
        "events": [dict(each) for each in happened],
    }
