"""Orders: placed, paid, shipped, cancelled, refunded; each in one transaction.

Locks are taken in one order everywhere: cart, coupon, order, stock by product id, accounts by id.
A new order needs none: nobody else sees it.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from torg import config
from torg.db import session
from torg.errors import FieldProblem, NotFoundError
from torg.i18n import gettext
from torg.money import Money
from torg_shop.domain import pricing, statuses
from torg_shop.errors.orders import (
    CartChangedError,
    CartCurrencyError,
    CartEmptyError,
    OrderStepError,
    OutOfStockError,
)
from torg_shop.models.orders import Order, OrderEvent, OrderLine
from torg_shop.services import bonus, carts, coupons, payments, stock, telling
from torg_shop.settings import ShopSettings

_COLUMNS = {
    "order": "status",
    "payment": "payment_status",
    "fulfilment": "fulfilment_status",
}
_DUE = (
    select(Order.number)
    .where(Order.payment_status == "awaiting_payment", Order.expires_at <= func.clock_timestamp())
    .order_by(Order.expires_at)
)
# Everything that makes an order, in one round trip. The two sums and the deadline come from here,
# the number, the statuses and the clock from the database.
_PLACE = text("""
WITH ordered AS (
    INSERT INTO shop_order (buyer_id, currency, subtotal_minor, discount_minor, points,
                            total_minor, coupon_id, expires_at)
    VALUES (:buyer_id, :currency, :subtotal, :discount, :points,
            CAST(:subtotal AS bigint) - :discount - :points, :coupon_id,
            clock_timestamp() + make_interval(mins => :minutes))
    RETURNING *
), wanted AS (
    SELECT * FROM unnest(CAST(:products AS bigint[]), CAST(:names AS text[]),
                         CAST(:skus AS text[]), CAST(:prices AS bigint[]),
                         CAST(:quantities AS bigint[]))
        AS w(product_id, name, sku, price_minor, quantity)
), lines AS (
    INSERT INTO shop_order_line (order_id, product_id, name, sku, price_minor, quantity)
    SELECT o.id, w.* FROM ordered o, wanted w
), told AS (
    INSERT INTO shop_order_event (order_id, kind, to_status, actor_id)
    SELECT o.id, s.kind, s.status, o.buyer_id FROM ordered o CROSS JOIN LATERAL (
        VALUES (1, 'order', o.status), (2, 'payment', o.payment_status),
               (3, 'fulfilment', o.fulfilment_status)) s (place, kind, status)
    ORDER BY s.place
), reserved AS (
    INSERT INTO shop_reservation (order_id, product_id, quantity, expires_at)
    SELECT o.id, w.product_id, w.quantity, o.expires_at FROM ordered o, wanted w
), emptied AS (
    DELETE FROM shop_cart_line WHERE cart_id = :cart_id
)
SELECT * FROM ordered
""")


def place(
    buyer_id: int,
    *,
    token: str | None = None,
    coupon: str | None = None,
    expected_total: Money | None = None,
    payment: str | None = None,
    points: int = 0,
) -> str:
    """Order what is in a person's cart at present prices; returns the order's number.

    Args:
        buyer_id: whose cart.
        token: of a guest cart, which is merged first.
        coupon: its code.
        expected_total: of the goods before a coupon; when it is right, changed prices are accepted.
        payment: `wallet` pays at once, `later` leaves it awaiting payment; by default from the
            wallet where there is one.
        points: bonus points that pay a part, each one minor unit.

    Raises:
        CartEmptyError, CartCurrencyError, CartChangedError, OutOfStockError, CouponInvalidError,
        CouponUsedUpError, PointsRefusedError, NotEnoughPointsError: nothing was ordered; and what
            the ledger refuses.
    """
    cart_id = carts.of_person(buyer_id, token)
    found = [] if cart_id is None else carts.lines(cart_id)
    if cart_id is None or not found:
        raise CartEmptyError
    cost = _cost(found, expected_total)
    coupon_id, off = (None, 0) if coupon is None else coupons.use(coupon, buyer_id, cost)
    paid_by_points = bonus.worth(points, cost.currency, cost.minor - off)
    _set_aside(found)
    less = {"discount": off, "points": paid_by_points}
    order = _insert(cart_id, buyer_id, found, cost, less, coupon_id)
    telling.placed(order)
    pays_now = payments.pays_at_once(payment, order.total_minor)
    if pays_now:
        stock.close_reservation(order.id, "taken")
    # Money before points, here as when it is given up: their accounts are locked in one order.
    transfer = payments.take(order) if pays_now else None
    bonus.spend(order)
    if pays_now:
        settle(order, transfer, buyer_id)
    number: str = order.number
    return number


def pay(number: str, buyer_id: int) -> None:
    """Pay one's order from the wallet.

    Raises:
        NotFoundError: the buyer has no such order.
        OrderStepError: it does not await payment.
    """
    order = locked(number, buyer_id)
    require(order, {"payment": "paid"})
    # Before the money: stock is locked before accounts.
    stock.close_reservation(order.id, "taken")
    settle(order, payments.take(order), buyer_id)


def confirm_payment(number: str, actor_id: int) -> None:
    """Staff saw the money of an order arrive outside of the wallet.

    Raises:
        NotFoundError: there is no such order.
        OrderStepError: it does not await payment.
    """
    order = locked(number)
    require(order, {"payment": "paid"})
    stock.close_reservation(order.id, "taken")
    settle(order, None, actor_id)


def cancel(number: str, *, buyer_id: int | None = None, actor_id: int | None = None) -> None:
    """Give up an order that is not shipped: goods, money and coupon go back.

    Args:
        number: of the order.
        buyer_id: only an order of his.
        actor_id: who wants it; None is its own time running out.

    Raises:
        NotFoundError: there is no such order, or it is somebody else's.
        OrderStepError: it is shipped or cancelled already.
    """
    order = locked(number, buyer_id)
    was_paid = order.payment_status == "paid"
    steps = {
        "order": "cancelled",
        "payment": "refunded" if was_paid else "voided",
        "fulfilment": "cancelled",
    }
    _step(order, steps, actor_id)
    if was_paid:
        stock.put_back(_quantities(order.id))
        payments.give_back(order)
    else:
        stock.close_reservation(order.id, "released")
    bonus.undo(order)
    telling.cancelled(order)


def ship(number: str, actor_id: int) -> None:
    """The goods of a paid order leave.

    Raises:
        NotFoundError: there is no such order.
        OrderStepError: it is not paid, or shipped or cancelled already.
    """
    order = locked(number)
    if order.payment_status != "paid":
        raise _refused(order)
    _step(order, {"order": "completed", "fulfilment": "shipped"}, actor_id)
    telling.shipped(order)


def refund(number: str, actor_id: int) -> None:
    """Give the money of an order back: one that is not shipped is cancelled with it.

    Raises:
        NotFoundError: there is no such order.
        OrderStepError: it is not paid, or refunded already.
    """
    order = locked(number)
    if order.payment_status != "paid":
        raise _refused(order)
    if order.fulfilment_status == "unfulfilled":
        cancel(number, actor_id=actor_id)
        return
    _step(order, {"payment": "refunded"}, actor_id)
    payments.give_back(order)
    bonus.undo(order)


def expired(most: int = 1000) -> list[str]:
    """Numbers of orders that were not paid in time, the oldest first."""
    return list(session.scalars(_DUE.limit(most)))


def cancel_expired(number: str) -> bool:
    """Cancel an order that was not paid in time; whether it was to be cancelled.

    One order in a transaction: several would lock stock and accounts in no order.
    """
    due = _DUE.where(Order.number == number).with_for_update(skip_locked=True)
    if session.scalar(due) is None:
        return False
    cancel(number)
    return True


def locked(number: str, buyer_id: int | None = None) -> Any:
    """The order, locked.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    asked = select(*Order.__table__.columns).where(Order.number == number)
    if buyer_id is not None:
        asked = asked.where(Order.buyer_id == buyer_id)
    order = session.execute(asked.with_for_update()).one_or_none()
    if order is None:
        raise NotFoundError
    return order


def require(order: Any, steps: Mapping[str, str]) -> None:
    """See that statuses may take these steps.

    Raises:
        OrderStepError: one of them may not.
    """
    for kind, following in steps.items():
        if not statuses.may_step(kind, getattr(order, _COLUMNS[kind]), following):
            raise _refused(order)


def settle(order: Any, transfer: str | None, actor_id: int) -> None:
    """Write down that a locked order is paid; its goods have left the stock.

    Args:
        order: its row.
        transfer: what it took from a wallet, if it did.
        actor_id: who paid, or saw the money.
    """
    _step(order, {"payment": "paid"}, actor_id, transfer=transfer)
    bonus.earn(order)
    telling.paid(order)


def _cost(found: list[dict[str, Any]], expected_total: Money | None) -> Money:
    if any("not_for_sale" in line["problems"] for line in found):
        raise CartChangedError(errors=_places(found, "not_for_sale"))
    if len({line["currency"] for line in found}) > 1:
        raise CartCurrencyError
    minor = pricing.subtotal((line["price_minor"], line["quantity"]) for line in found)
    cost = Money(minor, found[0]["currency"])
    if expected_total is not None and expected_total != cost:
        place_of_it = FieldProblem("/expected_total", "price_changed", gettext("It is another."))
        raise CartChangedError(errors=[place_of_it])
    if expected_total is None and (places := _places(found, "price_changed")):
        raise CartChangedError(errors=places)
    return cost


def _places(found: list[dict[str, Any]], problem: str) -> list[FieldProblem]:
    words = {
        "not_for_sale": gettext("The product is no longer for sale."),
        "price_changed": gettext("The price has changed."),
        "out_of_stock": gettext("There are not so many left."),
    }
    return [
        FieldProblem(f"/lines/{place}", problem, words[problem])
        for place, line in enumerate(found)
        if problem in line["problems"]
    ]


def _insert(
    cart_id: int,
    buyer_id: int,
    found: list[dict[str, Any]],
    cost: Money,
    less: Mapping[str, int],
    coupon_id: int | None,
) -> Any:
    """Write the order with its lines, history and reservations, and empty the cart."""
    columns = {"products": "product_id", "names": "name", "skus": "sku"}
    columns |= {"prices": "price_minor", "quantities": "quantity"}
    given = {
        "cart_id": cart_id,
        "buyer_id": buyer_id,
        "currency": cost.currency,
        "subtotal": cost.minor,
        "coupon_id": coupon_id,
        "minutes": config.plugin_settings("shop", ShopSettings).payment_minutes,
        **less,
        **{name: [line[column] for line in found] for name, column in columns.items()},
    }
    order = session.execute(_PLACE, given).one()
    if coupon_id is not None:
        coupons.note(coupon_id, buyer_id, order.id)
    return order


def _set_aside(found: list[dict[str, Any]]) -> None:
    if short := stock.set_aside({line["product_id"]: line["quantity"] for line in found}):
        for line in found:
            line["problems"] = ["out_of_stock"] if line["product_id"] in short else []
        raise OutOfStockError(errors=_places(found, "out_of_stock"))


def _step(order: Any, steps: Mapping[str, str], actor_id: int | None, **more: Any) -> None:
    """Let statuses take their steps, all or none, and write them down.

    Raises:
        OrderStepError: one of them may not.
    """
    require(order, steps)
    values = {_COLUMNS[kind]: following for kind, following in steps.items()}
    session.execute(
        update(Order)
        .where(Order.id == order.id)
        .values(**values, **more, updated_at=func.clock_timestamp())
    )
    present = {kind: getattr(order, _COLUMNS[kind]) for kind in steps}
    _note(order.id, {kind: (present[kind], steps[kind]) for kind in steps}, actor_id)
    if steps.get("order") == "cancelled" and order.coupon_id is not None:
        coupons.give_back(order.coupon_id, order.id)


def _note(order_id: int, steps: Mapping[str, tuple[str | None, str]], actor_id: int | None) -> None:
    rows = [
        {
            "order_id": order_id,
            "kind": kind,
            "from_status": before,
            "to_status": after,
            "actor_id": actor_id,
        }
        for kind, (before, after) in steps.items()
    ]
    session.execute(insert(OrderEvent).values(rows))


def _quantities(order_id: int) -> dict[int, int]:
    rows = session.execute(
        select(OrderLine.product_id, OrderLine.quantity).where(OrderLine.order_id == order_id)
    )
    return {row.product_id: row.quantity for row in rows}


def _refused(order: Any) -> OrderStepError:
    return OrderStepError(
        order_status=order.status,
        payment_status=order.payment_status,
        fulfilment_status=order.fulfilment_status,
    )
