"""What can be counted of the shop: orders and what is in them, refunds, people, carts.

An order changes; the steps of its history do not. So what is counted are steps: money and pieces
come in when an order is paid, and go out again, with a minus, when it is refunded.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, and_, case, exists, literal, select
from sqlalchemy.orm import aliased

from torg import contracts
from torg.db import session
from torg_metrics import Aggregate, Dimension, Facts, Metric, Ratio, Unit
from torg_shop.models.carts import CartStart
from torg_shop.models.catalogue import Category, Product
from torg_shop.models.orders import Order, OrderEvent, OrderLine

_PAYMENT = and_(OrderEvent.kind == "payment", OrderEvent.to_status.in_(("paid", "refunded")))
_IS_PAID = OrderEvent.to_status == "paid"


def _ids(values: Sequence[str]) -> list[int]:
    return [int(each) for each in values if each.isascii() and each.isdigit()]


def _usernames(values: Sequence[str]) -> Mapping[str, str]:
    users = contracts.require("users", ">=1,<2")
    return {str(number): name for number, name in users.names(_ids(values)).items()}


def _product_names(values: Sequence[str]) -> Mapping[str, str]:
    rows = session.execute(select(Product.id, Product.name).where(Product.id.in_(_ids(values))))
    return {str(row.id): row.name for row in rows}


def _category_names(values: Sequence[str]) -> Mapping[str, str]:
    rows = session.execute(select(Category.id, Category.name).where(Category.id.in_(_ids(values))))
    return {str(row.id): row.name for row in rows}


def _oneself(person_id: int) -> Select[Any]:
    return select(literal(person_id))


def _signed(value: Any) -> Any:
    return case((_IS_PAID, value), else_=-value)


def _payments() -> Any:
    before, earlier = aliased(Order), aliased(OrderEvent)
    has_bought = exists(
        select(literal(1))
        .select_from(before)
        .join(earlier, earlier.order_id == before.id)
        .where(
            before.buyer_id == Order.buyer_id,
            before.id != Order.id,
            earlier.kind == "payment",
            earlier.to_status == "paid",
            earlier.id < OrderEvent.id,
        )
    )
    return (
        select(
            OrderEvent.created_at.label("happened_at"),
            OrderEvent.recorded_at,
            Order.buyer_id.label("customer"),
            Order.currency,
            _IS_PAID.label("is_paid"),
            (~_IS_PAID).label("is_refunded"),
            and_(_IS_PAID, has_bought).label("is_returning"),
            Order.total_minor.label("total"),
            _signed(Order.total_minor).label("net"),
            (Order.discount_minor + Order.points).label("reduction"),
        )
        .join(Order, Order.id == OrderEvent.order_id)
        .where(_PAYMENT)
    )


def _lines() -> Any:
    return (
        select(
            OrderEvent.created_at.label("happened_at"),
            OrderEvent.recorded_at,
            OrderLine.product_id.label("product"),
            OrderLine.category_id.label("category"),
            Order.buyer_id.label("customer"),
            Order.currency,
            _IS_PAID.label("is_paid"),
            _signed(OrderLine.quantity).label("units"),
            (OrderLine.price_minor * OrderLine.quantity).label("worth"),
        )
        .join(Order, Order.id == OrderEvent.order_id)
        .join(OrderLine, OrderLine.order_id == OrderEvent.order_id)
        .where(_PAYMENT)
    )


def _placed() -> Any:
    return (
        select(
            OrderEvent.created_at.label("happened_at"),
            OrderEvent.recorded_at,
            Order.buyer_id.label("customer"),
        )
        .join(Order, Order.id == OrderEvent.order_id)
        .where(OrderEvent.kind == "order", OrderEvent.to_status == "placed")
    )


def _carts() -> Any:
    return select(
        CartStart.begun_at.label("happened_at"),
        CartStart.created_at.label("recorded_at"),
    )


_CUSTOMER = Dimension("customer", "Customer", names=_usernames, own=_oneself)
PAYMENTS = Facts("shop.payments", _payments, (_CUSTOMER,))
LINES = Facts(
    "shop.lines",
    _lines,
    (
        Dimension("product", "Product", names=_product_names),
        Dimension("category", "Category", names=_category_names),
        _CUSTOMER,
    ),
)
PLACED = Facts("shop.placed", _placed, (_CUSTOMER,))
CARTS = Facts("shop.carts", _carts)

GROSS = Metric(
    "shop.gross_sales",
    "Gross sales",
    Unit.MONEY,
    LINES,
    "gross = sum of the lines of paid orders, before coupons, points and refunds",
    value="worth",
    where="is_paid",
)
UNITS = Metric(
    "shop.units",
    "Units sold",
    Unit.COUNT,
    LINES,
    "units = pieces in paid orders − pieces in refunded orders",
    value="units",
)
REDUCTIONS = Metric(
    "shop.reductions",
    "Coupons and points",
    Unit.MONEY,
    PAYMENTS,
    "coupons and points = what they took off paid orders",
    value="reduction",
    where="is_paid",
)
PAID = Metric(
    "shop.paid",
    "Paid for orders",
    Unit.MONEY,
    PAYMENTS,
    "paid = what buyers paid for orders = gross − coupons and points",
    value="total",
    where="is_paid",
)
REFUNDS = Metric(
    "shop.refunds",
    "Refunds",
    Unit.MONEY,
    PAYMENTS,
    "refunds = what was given back for paid orders",
    value="total",
    where="is_refunded",
)
NET = Metric(
    "shop.net_sales",
    "Net sales",
    Unit.MONEY,
    PAYMENTS,
    "net = gross − coupons and points − refunds",
    value="net",
)
ORDERS = Metric(
    "shop.orders",
    "Paid orders",
    Unit.COUNT,
    PAYMENTS,
    "orders = orders that were paid, by the moment of payment",
    where="is_paid",
)
CUSTOMERS = Metric(
    "shop.customers",
    "Customers",
    Unit.COUNT,
    PAYMENTS,
    "customers = different people who paid for an order",
    value="customer",
    where="is_paid",
    aggregate=Aggregate.DISTINCT,
)
RETURNING = Metric(
    "shop.returning_customers",
    "Returning customers",
    Unit.COUNT,
    PAYMENTS,
    "returning customers = customers who had paid for another order before",
    value="customer",
    where="is_returning",
    aggregate=Aggregate.DISTINCT,
)
ORDERS_PLACED = Metric(
    "shop.orders_placed",
    "Orders placed",
    Unit.COUNT,
    PLACED,
    "orders placed = carts that became orders, paid or not",
)
CARTS_BEGUN = Metric(
    "shop.carts",
    "Carts begun",
    Unit.COUNT,
    CARTS,
    "carts = how often somebody put a product into an empty cart",
)
METRICS: tuple[Metric | Ratio, ...] = (
    GROSS,
    REDUCTIONS,
    PAID,
    REFUNDS,
    NET,
    ORDERS,
    Ratio(
        "shop.average_order",
        "Average order value",
        Unit.MONEY,
        PAID,
        ORDERS,
        "average order value = paid / orders",
    ),
    UNITS,
    CUSTOMERS,
    RETURNING,
    Ratio(
        "shop.returning_rate",
        "Returning rate",
        Unit.PERCENT,
        RETURNING,
        CUSTOMERS,
        "returning rate = returning customers / customers",
    ),
    ORDERS_PLACED,
    CARTS_BEGUN,
    Ratio(
        "shop.conversion",
        "Conversion from cart to order",
        Unit.PERCENT,
        ORDERS_PLACED,
        CARTS_BEGUN,
        "conversion = orders placed / carts",
    ),
)
