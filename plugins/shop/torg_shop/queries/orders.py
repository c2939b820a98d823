"""Orders as they are shown: lists of summaries, and one with its lines and history."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Select, Text, bindparam, select

from torg.errors import NotFoundError
from torg.filters import equals
from torg.listing import Listing
from torg.prepared import Prepared
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
_WHOLE = (
    select(*Order.__table__.columns, Coupon.code.label("coupon"))
    .outerjoin(Coupon, Coupon.id == Order.coupon_id)
    .where(Order.number == bindparam("number", type_=Text))
)
_ANYBODYS = Prepared(_WHOLE)
_OWN = Prepared(_WHOLE.where(Order.buyer_id == bindparam("buyer_id", type_=BigInteger)))
_BY_ORDER = bindparam("order_id", type_=BigInteger)
_LINES = Prepared(
    select(*OrderLine.__table__.columns)
    .where(OrderLine.order_id == _BY_ORDER)
    .order_by(OrderLine.product_id)
)
_EVENTS = Prepared(
    select(*OrderEvent.__table__.columns)
    .where(OrderEvent.order_id == _BY_ORDER)
    .order_by(OrderEvent.id)
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
    given = {"number": number}
    found = (
        _ANYBODYS.rows(given) if buyer_id is None else _OWN.rows({**given, "buyer_id": buyer_id})
    )
    if not found:
        raise NotFoundError
    order = found[0]._asdict()
    by_order, currency = {"order_id": order["id"]}, order["currency"]
    return {
        **order,
        "lines": [{**line._asdict(), "currency": currency} for line in _LINES.rows(by_order)],
        "events": [each._asdict() for each in _EVENTS.rows(by_order)],
    }
