"""What the shop keeps about a person: given to him, and forgotten where it is his alone."""

from typing import Any

from sqlalchemy import delete, select

from torg import clock
from torg.db import session
from torg.money import format_amount
from torg_shop.models.carts import Cart, CartLine
from torg_shop.models.orders import Order, OrderLine


def export(identity_id: int) -> dict[str, Any]:
    """His cart and all his orders as JSON values; three statements."""
    cart = session.execute(
        select(CartLine.product_id, CartLine.quantity)
        .join(Cart, Cart.id == CartLine.cart_id)
        .where(Cart.owner_id == identity_id)
        .order_by(CartLine.id)
    ).mappings()
    bought: dict[int, list[dict[str, Any]]] = {}
    lines = session.execute(
        select(OrderLine.order_id, OrderLine.name, OrderLine.sku, OrderLine.quantity)
        .join(Order, Order.id == OrderLine.order_id)
        .where(Order.buyer_id == identity_id)
        .order_by(OrderLine.order_id, OrderLine.product_id)
    )
    for line in lines:
        facts = {"name": line.name, "sku": line.sku, "quantity": line.quantity}
        bought.setdefault(line.order_id, []).append(facts)
    found = session.execute(
        select(*Order.__table__.columns).where(Order.buyer_id == identity_id).order_by(Order.id)
    )
    return {
        "cart": [dict(row) for row in cart],
        "orders": [
            {
                "number": row.number,
                "status": row.status,
                "payment_status": row.payment_status,
                "fulfilment_status": row.fulfilment_status,
                "total": {
                    "amount": format_amount(row.total_minor, row.currency),
                    "currency": row.currency,
                },
                "created_at": clock.format_moment(row.created_at),
                "lines": bought.get(row.id, []),
            }
            for row in found
        ],
    }


def erase(identity_id: int) -> None:
    """Forget his cart; orders are books and stay, under a number that names nobody."""
    session.execute(delete(Cart).where(Cart.owner_id == identity_id))
