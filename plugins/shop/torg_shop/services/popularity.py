"""How well products sell: what was ordered of each within a year, and not given up."""

from typing import Any

from sqlalchemy import text

from torg.db import session
from torg_shop.services import freshness

# Locked in the order of ids before they change, like every other crowd of rows here.
_COUNT = text("""
WITH sold AS (
    SELECT l.product_id, sum(l.quantity)::bigint AS number
      FROM shop_order_line l JOIN shop_order o ON o.id = l.order_id
     WHERE o.status <> 'cancelled' AND o.payment_status <> 'refunded'
       AND o.created_at > clock_timestamp() - interval '365 days'
     GROUP BY l.product_id
), other AS (
    SELECT p.id, coalesce(s.number, 0) AS number
      FROM shop_product p LEFT JOIN sold s ON s.product_id = p.id
     WHERE p.popularity <> coalesce(s.number, 0)
     ORDER BY p.id FOR NO KEY UPDATE OF p
)
UPDATE shop_product p SET popularity = other.number FROM other WHERE p.id = other.id
""")


def rebuild() -> int:
    """Count anew how well each product sells; returns of how many the number has changed."""
    done: Any = session.execute(_COUNT)
    number: int = done.rowcount
    if number:
        freshness.changed()
    return number
