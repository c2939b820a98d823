"""Carts: whose they are, what goes in and out, and when a guest's becomes a person's.

A guest holds a token, of which the hash is kept. The rule at login: the first call of a signed-in
person that carries a guest's token moves the guest's lines into his own cart; quantities of a
product that is in both are added up (to at most 9,999), and the newer of the two seen prices stays.
Whoever changes a cart holds its row: it is the first lock of every order, too.
"""

import hashlib
import secrets
from typing import Any

from sqlalchemy import (
    BigInteger,
    Text,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from torg import config
from torg.db import session
from torg.errors import NotFoundError
from torg.prepared import Prepared
from torg_shop.domain.pricing import MOST_LINES, MOST_OF_ONE
from torg_shop.errors.orders import CartFullError, ProductUnknownError
from torg_shop.models.carts import Cart, CartLine, CartStart
from torg_shop.models.catalogue import Product, StockLevel
from torg_shop.settings import ShopSettings

_MERGE = text(
    "INSERT INTO shop_cart_line AS own"
    " (cart_id, product_id, quantity, seen_price_minor, seen_currency, updated_at)"
    " SELECT :own, product_id, quantity, seen_price_minor, seen_currency, updated_at"
    " FROM (SELECT g.*, o.id IS NOT NULL AS is_known, row_number() OVER"
    "   (PARTITION BY o.id IS NULL ORDER BY g.product_id) AS place FROM shop_cart_line g"
    "   LEFT JOIN shop_cart_line o ON o.cart_id = :own AND o.product_id = g.product_id"
    "   WHERE g.cart_id = :guest) l"
    # Only what is new needs room.
    " WHERE is_known OR place <= :room ORDER BY product_id"
    " ON CONFLICT (cart_id, product_id) DO UPDATE SET"
    " quantity = least(own.quantity + excluded.quantity, :most),"
    " seen_price_minor = CASE WHEN excluded.updated_at > own.updated_at"
    " THEN excluded.seen_price_minor ELSE own.seen_price_minor END,"
    " seen_currency = CASE WHEN excluded.updated_at > own.updated_at"
    " THEN excluded.seen_currency ELSE own.seen_currency END"
)

_OLD_GUESTS = text(
    "DELETE FROM shop_cart WHERE id IN ("
    " SELECT c.id FROM shop_cart c WHERE c.token_hash IS NOT NULL"
    " AND c.created_at < clock_timestamp() - make_interval(days => :days)"
    " AND NOT EXISTS (SELECT 1 FROM shop_cart_line l WHERE l.cart_id = c.id"
    " AND l.updated_at >= clock_timestamp() - make_interval(days => :days))"
    " ORDER BY c.id LIMIT :most FOR UPDATE SKIP LOCKED)"
)
_MOST_FORGOTTEN = 10_000
_OF_OWNER = Prepared(
    select(Cart.id)
    .where(Cart.owner_id == bindparam("owner_id", type_=BigInteger))
    .with_for_update()
)
_OF_TOKEN = Prepared(
    select(Cart.id).where(Cart.token_hash == bindparam("token_hash", type_=Text)).with_for_update()
)
_LINES = Prepared(
    select(
        CartLine.id,
        CartLine.product_id,
        Product.name,
        Product.sku,
        CartLine.quantity,
        Product.price_minor,
        Product.currency,
        CartLine.seen_price_minor,
        CartLine.seen_currency,
        Product.is_active,
        func.coalesce(StockLevel.on_hand - StockLevel.reserved, 0).label("available"),
    )
    .join(Product, Product.id == CartLine.product_id)
    .outerjoin(StockLevel, StockLevel.product_id == Product.id)
    .where(CartLine.cart_id == bindparam("cart_id", type_=BigInteger))
    .order_by(CartLine.id)
)


def of_person(identity_id: int, token: str | None) -> int | None:
    """The id of a person's cart, locked, with what his guest cart held; None while he has none."""
    guest = None if token is None else _find(_OF_TOKEN, token_hash=_hashed(token))
    if guest is not None:
        own = opened_for(identity_id)
        _merge(guest, own)
        return own
    return _find(_OF_OWNER, owner_id=identity_id)


def of_guest(token: str) -> int | None:
    """The id of a guest's cart, locked; None when nobody has this token."""
    return _find(_OF_TOKEN, token_hash=_hashed(token))


def opened_for(identity_id: int) -> int:
    """The id of a person's cart, locked; the first call makes it."""
    session.execute(insert(Cart).values(owner_id=identity_id).on_conflict_do_nothing())
    found = _find(_OF_OWNER, owner_id=identity_id)
    assert found is not None, "carts are never removed while their owner is there"
    return found


def opened_for_guest() -> tuple[int, str]:
    """A new guest cart: its id and the token, which is told once."""
    token = secrets.token_urlsafe(24)
    made = session.scalar(insert(Cart).values(token_hash=_hashed(token)).returning(Cart.id))
    assert made is not None
    return made, token


def add(cart_id: int, product_id: int, quantity: int) -> None:
    """Put a product in; what is there already becomes more.

    Raises:
        ProductUnknownError: there is none of this id for sale.
        CartFullError: it holds as many products as it may.
    """
    product = session.execute(
        select(Product.price_minor, Product.currency).where(
            Product.id == product_id, Product.is_active
        )
    ).one_or_none()
    if product is None:
        raise ProductUnknownError(product_id=product_id)
    line = insert(CartLine).values(
        cart_id=cart_id,
        product_id=product_id,
        quantity=quantity,
        seen_price_minor=product.price_minor,
        seen_currency=product.currency,
    )
    is_new = session.scalar(
        line.on_conflict_do_update(
            index_elements=["cart_id", "product_id"],
            set_={
                "quantity": func.least(CartLine.quantity + quantity, MOST_OF_ONE),
                "seen_price_minor": product.price_minor,
                "seen_currency": product.currency,
                "updated_at": func.clock_timestamp(),
            },
            # A row that was there has been locked by us, one that is new by nobody.
        ).returning(literal_column("shop_cart_line.xmax = 0"))
    )
    held = session.scalar(select(func.count()).where(CartLine.cart_id == cart_id))
    if held is not None and held > MOST_LINES:
        raise CartFullError(most=MOST_LINES)
    if is_new and held == 1:
        session.execute(insert(CartStart).values(cart_id=cart_id))


def change(cart_id: int, line_id: int, quantity: int) -> None:
    """Say how many; this accepts the product's present price.

    Raises:
        NotFoundError: this cart has no such line.
        ProductUnknownError: the product is no longer for sale.
    """
    row = session.execute(
        select(CartLine.product_id, Product.is_active, Product.price_minor, Product.currency)
        .join(Product, Product.id == CartLine.product_id)
        .where(CartLine.id == line_id, CartLine.cart_id == cart_id)
    ).one_or_none()
    if row is None:
        raise NotFoundError
    if not row.is_active:
        raise ProductUnknownError(product_id=row.product_id)
    session.execute(
        update(CartLine)
        .where(CartLine.id == line_id, CartLine.cart_id == cart_id)
        .values(
            quantity=quantity,
            seen_price_minor=row.price_minor,
            seen_currency=row.currency,
            updated_at=func.clock_timestamp(),
        )
    )


def remove(cart_id: int, line_id: int) -> None:
    """Take a line out.

    Raises:
        NotFoundError: this cart has no such line.
    """
    done = session.scalar(
        delete(CartLine)
        .where(CartLine.id == line_id, CartLine.cart_id == cart_id)
        .returning(CartLine.id)
    )
    if done is None:
        raise NotFoundError


def empty(cart_id: int) -> None:
    """Take everything out."""
    session.execute(delete(CartLine).where(CartLine.cart_id == cart_id))


def forget_guests() -> int:
    """Remove carts of guests that nobody changed for long; returns how many."""
    days = config.plugin_settings("shop", ShopSettings).guest_cart_days
    done: Any = session.execute(_OLD_GUESTS, {"days": days, "most": _MOST_FORGOTTEN})
    number: int = done.rowcount
    return number


def lines(cart_id: int) -> list[dict[str, Any]]:
    """What is in a cart at present prices, with what is wrong with it; one statement."""
    rows = _LINES.rows({"cart_id": cart_id})
    return [{**row._asdict(), "problems": _problems(row)} for row in rows]


def _problems(row: Any) -> list[str]:
    if not row.is_active:
        return ["not_for_sale"]
    found = []
    if (row.seen_price_minor, row.seen_currency) != (row.price_minor, row.currency):
        found.append("price_changed")
    if row.available < row.quantity:
        found.append("out_of_stock")
    return found


def _merge(guest: int, own: int) -> None:
    """Move a guest's lines; beyond the most a cart holds, the rest is left out."""
    held = session.scalar(select(func.count()).where(CartLine.cart_id == own)) or 0
    room = max(0, MOST_LINES - held)
    session.execute(_MERGE, {"own": own, "guest": guest, "room": room, "most": MOST_OF_ONE})
    session.execute(delete(CartLine).where(CartLine.cart_id == guest))
    session.execute(delete(Cart).where(Cart.id == guest))


def _find(statement: Prepared, **given: Any) -> int | None:
    rows = statement.rows(given)
    return int(rows[0].id) if rows else None


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
