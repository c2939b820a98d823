"""The contract `trading` 1.0 over this shop's own carts and orders."""

from typing import Any

from sqlalchemy import select

from torg import identity
from torg.db import session
from torg.errors import NotFoundError
from torg.money import Money
from torg_catalogue.trading import Cart, CartLine, OrderLine, Placed, Trading
from torg_shop.domain import pricing
from torg_shop.models.carts import CartLine as CartLineRow
from torg_shop.queries import orders as order_queries
from torg_shop.services import carts, orders

ORDER = "shop.order.own"


class ShopTrading(Trading):
    """`torg_catalogue.trading.Trading`, kept in PostgreSQL. Nobody's cart is a guest's here."""

    def cart(self, identity_id: int) -> Cart:
        """What is in somebody's cart."""
        cart_id = carts.of_person(identity_id, None)
        return _shown([] if cart_id is None else carts.lines(cart_id))

    def add(self, identity_id: int, product_id: int, quantity: int) -> Cart:
        """Put a product in."""
        cart_id = carts.opened_for(identity_id)
        carts.add(cart_id, product_id, quantity)
        return _shown(carts.lines(cart_id))

    def change(self, identity_id: int, product_id: int, quantity: int) -> Cart:
        """Say how many of a product there are to be."""
        cart_id, line_id = _place(identity_id, product_id)
        carts.change(cart_id, line_id, quantity)
        return _shown(carts.lines(cart_id))

    def remove(self, identity_id: int, product_id: int) -> None:
        """Take a product out."""
        carts.remove(*_place(identity_id, product_id))

    def clear(self, identity_id: int) -> None:
        """Take everything out."""
        cart_id = carts.of_person(identity_id, None)
        if cart_id is not None:
            carts.empty(cart_id)

    def order(self) -> Placed:
        """Order what is in the present caller's cart."""
        # A plugin that offers this at an address of its own opens no way around the permission.
        identity.check_access(ORDER, verified=True)
        buyer_id = identity.current().id
        return _placed(order_queries.show(orders.place(buyer_id), buyer_id))


def _place(identity_id: int, product_id: int) -> tuple[int, int]:
    """The person's cart, locked, and the line of a product in it.

    Raises:
        NotFoundError: it is not in there.
    """
    cart_id = carts.of_person(identity_id, None)
    line_id = session.scalar(
        select(CartLineRow.id).where(
            CartLineRow.cart_id == cart_id, CartLineRow.product_id == product_id
        )
    )
    if cart_id is None or line_id is None:
        raise NotFoundError
    return cart_id, line_id


def _shown(lines: list[dict[str, Any]]) -> Cart:
    total = None
    if len(currencies := {line["currency"] for line in lines}) == 1:
        minor = pricing.subtotal((line["price_minor"], line["quantity"]) for line in lines)
        total = Money(minor, currencies.pop())
    return Cart(
        tuple(
            CartLine(
                line["product_id"],
                line["name"],
                line["quantity"],
                Money(line["price_minor"], line["currency"]),
                line["problems"],
            )
            for line in lines
        ),
        total,
    )


def _placed(order: dict[str, Any]) -> Placed:
    return Placed(
        number=order["number"],
        status=order["status"],
        payment_status=order["payment_status"],
        total=Money(order["total_minor"], order["currency"]),
        lines=tuple(
            OrderLine(
                line["product_id"],
                line["name"],
                line["quantity"],
                Money(line["price_minor"], order["currency"]),
            )
            for line in order["lines"]
        ),
        created_at=order["created_at"],
    )
