"""Goods set aside, taken and put back. Rows are locked in order of product ids, in one statement.

The condition of the UPDATE and the CHECK of the table keep stock from being oversold; both are
judged on the newest version of a row, however many order at once.
"""

from collections.abc import Mapping

from sqlalchemy import text

from torg.db import session
from torg_shop.services import freshness

_WANTED = """
    WITH wanted AS (
        SELECT * FROM unnest(CAST(:products AS bigint[]), CAST(:quantities AS bigint[]))
            AS w(product_id, quantity)
    ), locked AS (
        SELECT s.product_id, w.quantity FROM shop_stock_level s JOIN wanted w USING (product_id)
        ORDER BY s.product_id FOR UPDATE OF s
    )
    UPDATE shop_stock_level s SET """
_RETURNED = """
    RETURNING s.product_id, s.on_hand - s.reserved AS free, l.quantity"""
_SET_ASIDE = text(
    f"{_WANTED} reserved = s.reserved + l.quantity FROM locked l"
    f" WHERE s.product_id = l.product_id AND s.on_hand - s.reserved >= l.quantity{_RETURNED}"
)
_CHANGES = {
    # Goods of a paid order leave; those of one that will not be paid are free again; those of a
    # cancelled paid order come back.
    "taken": "on_hand = s.on_hand - l.quantity, reserved = s.reserved - l.quantity",
    "released": "reserved = s.reserved - l.quantity",
    "returned": "on_hand = s.on_hand + l.quantity",
}
_STATEMENTS = {
    name: text(f"{_WANTED}{change} FROM locked l WHERE s.product_id = l.product_id{_RETURNED}")
    for name, change in _CHANGES.items()
}
_CLOSE = text(
    "UPDATE shop_reservation SET status = :status, updated_at = clock_timestamp()"
    " WHERE order_id = :order_id AND status = 'open' RETURNING product_id, quantity"
)


def set_aside(wanted: Mapping[int, int]) -> set[int]:
    """Promise goods to an order; returns the products of which there are not so many.

    When it returns any, the caller has to give up his transaction.

    Args:
        wanted: quantities by product.
    """
    rows = session.execute(_SET_ASIDE, _parameters(wanted)).all()
    if any(row.free == 0 for row in rows):
        freshness.changed()
    return set(wanted) - {row.product_id for row in rows}


def close_reservation(order_id: int, status: str) -> None:
    """End what is set aside for an order: `taken` by it, or `released` for others."""
    rows = session.execute(_CLOSE, {"order_id": order_id, "status": status}).all()
    _change(status, {row.product_id: row.quantity for row in rows})


def put_back(quantities: Mapping[int, int]) -> None:
    """Goods of a paid order come back: it was cancelled before they left."""
    _change("returned", quantities)


def _change(name: str, quantities: Mapping[int, int]) -> None:
    if not quantities:
        return
    rows = session.execute(_STATEMENTS[name], _parameters(quantities)).all()
    # What is shown of stock is whether there is any: only that makes kept answers old.
    if name != "taken" and any(row.free == row.quantity for row in rows):
        freshness.changed()


def _parameters(wanted: Mapping[int, int]) -> dict[str, list[int]]:
    products = sorted(wanted)
    return {"products": products, "quantities": [wanted[each] for each in products]}
