"""The whole catalogue with all its fields, read through a cursor of the server."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import text

from torg import db

HEADER = (
    *("id", "sku", "name", "description", "price", "currency", "category", "tags", "attributes"),
    *("on_hand", "reserved", "popularity", "pictures", "created_at", "updated_at"),
)
_AT_ONCE = 1000
_MOMENT = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_ESCAPE = "\\"
_ROWS = f"""
WITH RECURSIVE paths AS (
    SELECT id, name AS path FROM shop_category WHERE parent_id IS NULL
    UNION ALL
    SELECT c.id, p.path || ' / ' || c.name FROM shop_category c JOIN paths p ON p.id = c.parent_id
)
SELECT p.id, p.sku, p.name, p.description, p.price_minor, p.currency, coalesce(c.path, ''),
       coalesce((SELECT string_agg(replace(replace(t.name, '{_ESCAPE}', '{_ESCAPE * 2}'),
         '|', '{_ESCAPE}|'), '|' ORDER BY t.name) FROM shop_product_tag pt
         JOIN shop_tag t ON t.id = pt.tag_id WHERE pt.product_id = p.id AND t.is_active), ''),
       CASE WHEN p.attributes = '{{}}' THEN '' ELSE p.attributes::text END,
       coalesce(s.on_hand, 0), coalesce(s.reserved, 0), p.popularity,
       (SELECT count(*) FROM shop_media m WHERE m.product_id = p.id AND m.is_active),
       {_MOMENT.format("p.created_at")}, {_MOMENT.format("p.updated_at")}
  FROM shop_product p
  LEFT JOIN paths c ON c.id = p.category_id
  LEFT JOIN shop_stock_level s ON s.product_id = p.id
 WHERE p.is_active ORDER BY p.id
"""  # noqa: S608 - put together of constants
_COUNT = text("SELECT count(*) FROM shop_product WHERE is_active")


def count() -> int:
    """How many products there are to be exported."""
    number: int = db.session.execute(_COUNT).scalar_one()
    return number


def pages() -> Iterator[list[tuple[Any, ...]]]:
    """The rows in the order of `HEADER` but for the price in minor units, a thousand at a time.

    All of one moment, whatever is changed meanwhile; only one page is in memory.
    """
    connection = db.db.engine.raw_connection()
    try:
        # By a name, so that the rows stay at the server until they are asked for.
        driver: Any = connection.dbapi_connection
        with driver.cursor(name="shop_export") as cursor:
            cursor.itersize = _AT_ONCE
            cursor.execute(_ROWS)
            while page := cursor.fetchmany(_AT_ONCE):
                yield page
    finally:
        connection.rollback()
        connection.close()
