"""What else might please: like it, bought with it, or simply popular."""

from typing import Any

import orjson
from sqlalchemy import text

from torg import config
from torg.db import session
from torg_shop.queries import ready_products, recommendations
from torg_shop.services import freshness
from torg_shop.settings import ShopSettings

SIMILAR = 8


def similar(product_id: int, most: int = SIMILAR) -> orjson.Fragment:
    """Products like this one, as finished JSON."""
    return ready_products.among(recommendations.similar(product_id, most))


def recommended(product_id: int | None, most: int) -> dict[str, Any]:
    """What is bought with a product; without enough of it, what is popular in its category.

    Returns:
        `items` and their `basis`: "bought_together" when at least one of them is.
    """
    found = [] if product_id is None else recommendations.together(product_id, most)
    basis = "bought_together" if found else "popular"
    for more in (product_id, None):
        if len(found) < most:
            known = {*found, product_id}
            popular = recommendations.popular(most + len(known), more)
            found += [each for each in popular if each not in known]
    return {"items": ready_products.among(found[:most]), "basis": basis}


_REBUILD = text(
    """
WITH bought AS (
    SELECT DISTINCT order_id, product_id FROM shop_order_line
), often AS (
    SELECT product_id, count(*) AS number FROM bought GROUP BY product_id
), pairs AS (
    SELECT a.product_id, b.product_id AS other_id, count(*) AS support
      FROM bought a JOIN bought b USING (order_id) WHERE a.product_id <> b.product_id
     GROUP BY 1, 2 HAVING count(*) >= :support
)
INSERT INTO shop_bought_together (product_id, other_id, score, support)
SELECT p.product_id, p.other_id,
       least(1, p.support / sqrt(a.number::double precision * b.number)), p.support
  FROM pairs p
  JOIN often a ON a.product_id = p.product_id JOIN often b ON b.product_id = p.other_id
"""
)


def rebuild() -> int:
    """Reckon anew what goes together (cosine over orders); returns how many pairs there are."""
    support = config.plugin_settings("shop", ShopSettings).bought_together_support
    session.execute(text("DELETE FROM shop_bought_together"))
    made: Any = session.execute(_REBUILD, {"support": support})
    number: int = made.rowcount
    freshness.changed()
    return number
