"""Orders: one's own, and those that staff sends and refunds."""

from typing import Any

import flask

from torg import identity
from torg.errors import NotFoundError
from torg_ledger import InsufficientFundsError
from torg_ledger.bonus import NotEnoughPointsError
from torg_shop.errors.orders import (
    CartChangedError,
    CartCurrencyError,
    CartEmptyError,
    CouponInvalidError,
    CouponUsedUpError,
    OrderStepError,
    OutOfStockError,
    PointsRefusedError,
)
from torg_shop.queries import orders as queries
from torg_shop.routes.blueprint import ORDER, ORDERS, blueprint
from torg_shop.routes.carts import guest_token
from torg_shop.schemas import orders as shapes
from torg_shop.services import orders

_Summaries = queries.OrderListing.envelope(shapes.OrderSummary)


@blueprint.route("/orders", methods=["POST"])
@blueprint.requires(ORDER, verified=True)
@blueprint.idempotent
@blueprint.arguments(shapes.PlaceOrder, example={})
@blueprint.response(201, shapes.Order)
@blueprint.fails(
    CartEmptyError,
    CartCurrencyError,
    CartChangedError,
    OutOfStockError,
    CouponInvalidError,
    CouponUsedUpError,
    InsufficientFundsError,
    NotEnoughPointsError,
    PointsRefusedError,
)
def place_order(arguments: dict[str, Any]) -> Any:
    """Order what is in your cart, which is empty then."""
    buyer_id = identity.current().id
    number = orders.place(buyer_id, token=guest_token(), **arguments)
    where = {"Location": f"{flask.request.base_url.rstrip('/')}/{number}"}
    return queries.show(number, buyer_id), where


@blueprint.route("/orders", methods=["GET"])
@blueprint.requires(ORDER)
@blueprint.arguments(queries.OrderListing.arguments(), location="query")
@blueprint.response(200, _Summaries)
def list_orders(arguments: dict[str, Any]) -> Any:
    """List your orders."""
    return queries.page(arguments, identity.current().id)


@blueprint.route("/orders/<string:number>", methods=["GET"])
@blueprint.requires(ORDER)
@blueprint.response(200, shapes.Order)
@blueprint.fails(NotFoundError)
def get_order(number: str) -> Any:
    """Show one of your orders with its history."""
    return queries.show(number, identity.current().id)


@blueprint.route("/orders/<string:number>/cancel", methods=["POST"])
@blueprint.requires(ORDER)
@blueprint.idempotent
@blueprint.response(200, shapes.Order)
@blueprint.fails(NotFoundError, OrderStepError)
def cancel_order(number: str) -> Any:
    """Cancel an order that is not sent yet; goods and money go back."""
    buyer_id = identity.current().id
    orders.cancel(number, buyer_id=buyer_id, actor_id=buyer_id)
    return queries.show(number, buyer_id)


@blueprint.route("/orders/<string:number>/pay", methods=["POST"])
@blueprint.requires(ORDER, verified=True)
@blueprint.idempotent
@blueprint.response(200, shapes.Order)
@blueprint.fails(NotFoundError, OrderStepError, InsufficientFundsError)
def pay_order(number: str) -> Any:
    """Pay an order from your wallet."""
    buyer_id = identity.current().id
    orders.pay(number, buyer_id)
    return queries.show(number, buyer_id)


@blueprint.route("/admin/orders", methods=["GET"])
@blueprint.requires(ORDERS)
@blueprint.arguments(queries.OrderListing.arguments(), location="query")
@blueprint.response(200, _Summaries)
def list_all_orders(arguments: dict[str, Any]) -> Any:
    """List everybody's orders."""
    return queries.page(arguments)


@blueprint.route("/admin/orders/<string:number>", methods=["GET"])
@blueprint.requires(ORDERS)
@blueprint.response(200, shapes.Order)
@blueprint.fails(NotFoundError)
def get_any_order(number: str) -> Any:
    """Show anybody's order."""
    return queries.show(number)


@blueprint.route("/admin/orders/<string:number>/confirm-payment", methods=["POST"])
@blueprint.requires(ORDERS)
@blueprint.idempotent
@blueprint.response(200, shapes.Order)
@blueprint.fails(NotFoundError, OrderStepError)
def confirm_order_payment(number: str) -> Any:
    """Say that an order was paid outside of the wallet."""
    orders.confirm_payment(number, identity.current().id)
    return queries.show(number)


@blueprint.route("/admin/orders/<string:number>/ship", methods=["POST"])
@blueprint.requires(ORDERS)
@blueprint.idempotent
@blueprint.response(200, shapes.Order)
@blueprint.fails(NotFoundError, OrderStepError)
def ship_order(number: str) -> Any:
    """Say that the goods of a paid order are on their way."""
    orders.ship(number, identity.current().id)
    return queries.show(number)


@blueprint.route("/admin/orders/<string:number>/refund", methods=["POST"])
@blueprint.requires(ORDERS)
@blueprint.idempotent
@blueprint.response(200, shapes.Order)
@blueprint.fails(NotFoundError, OrderStepError, InsufficientFundsError)
def refund_order(number: str) -> Any:
    """Give the money of a paid order back; one that is not sent is cancelled with it."""
    orders.refund(number, identity.current().id)
    return queries.show(number)
