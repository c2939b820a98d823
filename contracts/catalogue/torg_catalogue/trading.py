"""The contract `trading` 1.0: people's carts and orders, for plugins that offer them their own way.

A cart is named by whose it is, never by an id of its own, so nobody can reach another's. All of it
happens in the present transaction; the provider takes the locks that it needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from torg.money import Money

__all__ = ["MOST_LINES", "MOST_OF_ONE", "Cart", "CartLine", "OrderLine", "Placed", "Trading"]

# A cart: so many different products, and so many of one.
MOST_LINES, MOST_OF_ONE = 200, 9999


@dataclass(frozen=True, slots=True)
class CartLine:
    """A product in a cart.

    Attributes:
        product_id: each is there once.
        name: as it is called now.
        quantity: 1 to `MOST_OF_ONE`.
        price: of one, now.
        problems: why it cannot be ordered as it is: `price_changed`, `out_of_stock`,
            `not_for_sale`.
    """

    product_id: int
    name: str
    quantity: int
    price: Money
    problems: Sequence[str]


@dataclass(frozen=True, slots=True)
class Cart:
    """Somebody's cart at present prices; `total` is None when empty or in several currencies."""

    lines: Sequence[CartLine]
    total: Money | None


@dataclass(frozen=True, slots=True)
class OrderLine:
    """What was ordered, as it was called and priced then."""

    product_id: int
    name: str
    quantity: int
    price: Money


@dataclass(frozen=True, slots=True)
class Placed:
    """An order that was made."""

    number: str
    status: str
    payment_status: str
    total: Money
    lines: Sequence[OrderLine]
    created_at: datetime


class Trading(Protocol):
    """What `contracts.require("trading")` gives."""

    def cart(self, identity_id: int) -> Cart:
        """What is in somebody's cart."""

    def add(self, identity_id: int, product_id: int, quantity: int) -> Cart:
        """Put a product in; what is there already becomes more.

        Raises:
            InvalidError: there is no such product for sale.
            ConflictError: the cart is full.
        """

    def change(self, identity_id: int, product_id: int, quantity: int) -> Cart:
        """Say how many of a product there are to be; this accepts its present price.

        Raises:
            NotFoundError: it is not in the cart.
            InvalidError: it is no longer for sale.
        """

    def remove(self, identity_id: int, product_id: int) -> None:
        """Take a product out.

        Raises:
            NotFoundError: it is not in the cart.
        """

    def clear(self, identity_id: int) -> None:
        """Take everything out."""

    def order(self) -> Placed:
        """Order what is in the present caller's cart, which is empty then; he pays as usual.

        For the caller alone, because it is he who has to be allowed to. Of several at once one
        makes the order and the others find an empty cart.

        Raises:
            ForbiddenError: the caller may not order.
            InvalidError: the cart is empty.
            ConflictError: a price has changed, or there are not so many left; nothing was ordered.
        """
