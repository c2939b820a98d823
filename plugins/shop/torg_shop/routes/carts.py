"""One's own cart; a guest's is named by the header `Cart-Token`."""

from typing import Any

from flask import request

from torg import identity
from torg.errors import NotFoundError
from torg.money import Money
from torg_shop.domain import pricing
from torg_shop.errors.orders import CartFullError, ProductUnknownError
from torg_shop.routes.blueprint import blueprint
from torg_shop.schemas import orders as shapes
from torg_shop.services import carts

_LONGEST_TOKEN = 64


@blueprint.route("/cart", methods=["GET"])
@blueprint.public
@blueprint.transaction("write")
@blueprint.response(200, shapes.Cart)
def get_cart() -> Any:
    """Show your cart at present prices."""
    return _shown(_present())


@blueprint.route("/cart", methods=["DELETE"])
@blueprint.public
@blueprint.response(204)
def empty_cart() -> None:
    """Take everything out of your cart."""
    if (cart_id := _present()) is not None:
        carts.empty(cart_id)


@blueprint.route("/cart/lines", methods=["POST"])
@blueprint.public
@blueprint.limit("120 per minute", by="identity")
@blueprint.arguments(shapes.AddLine)
@blueprint.response(201, shapes.Cart)
@blueprint.fails(ProductUnknownError, CartFullError)
def add_cart_line(arguments: dict[str, Any]) -> Any:
    """Put a product into your cart; what is there already becomes more."""
    cart_id, token = _present(), None
    if cart_id is None:
        caller = identity.current_or_none()
        if caller is None:
            cart_id, token = carts.opened_for_guest()
        else:
            cart_id = carts.opened_for(caller.id)
    carts.add(cart_id, **arguments)
    return _shown(cart_id, token)


@blueprint.route("/cart/lines/<int:line_id>", methods=["PATCH"])
@blueprint.public
@blueprint.arguments(shapes.ChangeLine)
@blueprint.response(200, shapes.Cart)
@blueprint.fails(NotFoundError, ProductUnknownError)
def change_cart_line(arguments: dict[str, Any], line_id: int) -> Any:
    """Say how many; this accepts the product's present price."""
    cart_id = _required()
    carts.change(cart_id, line_id, **arguments)
    return _shown(cart_id)


@blueprint.route("/cart/lines/<int:line_id>", methods=["DELETE"])
@blueprint.public
@blueprint.response(204)
@blueprint.fails(NotFoundError)
def remove_cart_line(line_id: int) -> None:
    """Take a product out of your cart."""
    carts.remove(_required(), line_id)


def guest_token() -> str | None:
    """The token of a guest's cart that the request carries, if it can be one."""
    token = request.headers.get("Cart-Token")
    return token if token and len(token) <= _LONGEST_TOKEN else None


def _present() -> int | None:
    caller, token = identity.current_or_none(), guest_token()
    if caller is not None:
        return carts.of_person(caller.id, token)
    return None if token is None else carts.of_guest(token)


def _required() -> int:
    cart_id = _present()
    if cart_id is None:
        raise NotFoundError
    return cart_id


def _shown(cart_id: int | None, token: str | None = None) -> dict[str, Any]:
    found = [] if cart_id is None else carts.lines(cart_id)
    currencies = {line["currency"] for line in found}
    total = None
    if len(currencies) == 1:
        minor = pricing.subtotal((line["price_minor"], line["quantity"]) for line in found)
        total = Money(minor, currencies.pop())
    return {"lines": found, "total": total, "token": token}
