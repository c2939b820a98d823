"""Questions to the contracts, and their answers in the shapes of this API.

Owns no table and no rule: whoever provides `accounts`, `catalogue` and `trading` decides.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torg import contracts
from torg_accounts import Accounts
from torg_catalogue import Card, Catalogue, Category, Wanted
from torg_catalogue.trading import Cart, Placed, Trading
from torg_classic import schemas

_products = schemas.Product(many=True)
_card = schemas.Card()
_categories = schemas.Category(many=True)


def accounts() -> Accounts:
    """Whoever keeps accounts."""
    found: Accounts = contracts.require("accounts", ">=1,<2")
    return found


def catalogue() -> Catalogue:
    """Whoever keeps the catalogue."""
    found: Catalogue = contracts.require("catalogue", ">=1,<2")
    return found


def trading() -> Trading:
    """Whoever keeps carts and orders."""
    found: Trading = contracts.require("trading", ">=1,<2")
    return found


def listed(asked: Mapping[str, Any]) -> tuple[bytes, str]:
    """A page of products as JSON, and the next page's cursor; empty on the last one.

    Both are kept together until anything of the catalogue changes.
    """
    given = {name: value for name, value in asked.items() if value is not None}
    if "sort" in given:
        given["sort"] = tuple(given["sort"])
    kept = catalogue()

    def fill() -> bytes:
        page = kept.page(Wanted(**given))
        return (page.next_cursor or "").encode() + b"\n" + _products.dump_bytes(page.items)

    cursor, _, body = kept.kept("classic.products", given, fill).partition(b"\n")
    return body, cursor.decode()


def card(product_id: int) -> bytes:
    """A product as its page shows it, as JSON that is kept like a list.

    Raises:
        NotFoundError: there is none of this id for sale.
    """
    kept = catalogue()
    return kept.kept(
        "classic.product",
        {"id": product_id},
        lambda: _card.dump_bytes(_card_shown(kept.card(product_id))),
    )


def categories() -> bytes:
    """The tree as JSON that is kept like a list."""
    kept = catalogue()
    return kept.kept(
        "classic.categories", {}, lambda: _categories.dump_bytes(_tree_shown(kept.categories()))
    )


def _card_shown(found: Card) -> dict[str, Any]:
    return {
        **found.offer._asdict(),
        "sku": found.sku,
        "currency": found.offer.price.currency,
        "categories": found.category_path,
        "characteristics": found.attributes,
        "pictures": found.pictures,
        "in_stock": found.in_stock,
    }


def _tree_shown(tree: Sequence[Category]) -> list[dict[str, Any]]:
    """As much of every node as this API shows."""
    roots: list[dict[str, Any]] = [dict(each) for each in tree]
    # Without recursion: a tree may be deeper than Python's stack.
    order = list(roots)
    for node in order:
        node["children"] = [dict(each) for each in node["children"]]
        order.extend(node["children"])
        del node["slug"], node["position"]
    return roots


def cart_shown(cart: Cart) -> dict[str, Any]:
    """A cart in the shape of this API."""
    return {
        "items": [
            {
                "product_id": line.product_id,
                "name": line.name,
                "quantity": line.quantity,
                "price": line.price,
                "currency": line.price.currency,
                "problems": line.problems,
            }
            for line in cart.lines
        ],
        "total": cart.total,
        "currency": None if cart.total is None else cart.total.currency,
    }


def order_shown(order: Placed) -> dict[str, Any]:
    """An order in the shape of this API."""
    return {
        "number": order.number,
        "status": order.status,
        "payment_status": order.payment_status,
        "total": order.total,
        "currency": order.total.currency,
        "items": order.lines,
        "created_at": order.created_at,
    }
