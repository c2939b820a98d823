"""Every list costs the same number of statements for one row and for a thousand."""

import pytest
from sqlalchemy import text

from torg.db import session, unit_of_work

_MORE = """
INSERT INTO shop_tag (name) SELECT 'tag ' || n FROM generate_series(1, :n) n ON CONFLICT DO NOTHING;
INSERT INTO shop_category (name, slug) SELECT 'Category ' || n, 'c-' || n
  FROM generate_series(1, :n) n ON CONFLICT DO NOTHING;
INSERT INTO shop_product (name, sku, price_minor, currency, category_id, attributes)
SELECT 'Thing ' || n, 'T' || n, n, 'EUR', (SELECT max(id) FROM shop_category),
       jsonb_build_object('size', n) FROM generate_series(1, :n) n ON CONFLICT DO NOTHING;
INSERT INTO shop_product_tag (product_id, tag_id)
SELECT p.id, t.id FROM shop_product p, (SELECT id FROM shop_tag ORDER BY id LIMIT 3) t
    ON CONFLICT DO NOTHING;
INSERT INTO shop_media (product_id, key)
SELECT id, 'shop.media/00/' || repeat('0', 32) FROM shop_product p
 WHERE NOT EXISTS (SELECT 1 FROM shop_media m WHERE m.product_id = p.id);
INSERT INTO shop_coupon (code, percent) SELECT 'CODE-' || n, 10 FROM generate_series(1, :n) n
    ON CONFLICT DO NOTHING;
WITH made AS (
    INSERT INTO shop_order (buyer_id, currency, subtotal_minor, total_minor)
    SELECT :buyer, 'EUR', 100, 100 FROM generate_series(1, :n) n RETURNING id
)
INSERT INTO shop_order_line (order_id, product_id, name, sku, price_minor, quantity)
SELECT made.id, (SELECT min(id) FROM shop_product), 'n', 's', 100, 1 FROM made;
"""
# The most statements of a list; those for signed-in people may look once more at who he is.
OWN = ("orders", "cart", "admin/products", "admin/orders", "admin/coupons")
LISTS = {
    "products?limit=50": 3,
    "products?limit=50&search=thing": 3,
    "products?limit=50&sort=-price&price_min=0.00&attributes=size:1": 3,
    "tags": 1,
    "categories": 1,
    "recommendations?limit=50": 3,
    "orders": 2,
    "cart": 3,
    "admin/products?limit=50": 3,
    "admin/orders": 2,
    "admin/coupons": 2,
}


@pytest.fixture(scope="module")
def plain(make_shop):
    """A shop that keeps no answers, and somebody who may see all of it."""
    shop = make_shop(cache_seconds=0)
    permissions = ("shop.catalogue.manage", "shop.order.manage", "shop.order.own")
    shop.someone = shop.person(permissions=[*permissions, "shop.coupon.manage"])
    return shop


@pytest.mark.parametrize("number", [1, 1000])
def test_statements_do_not_grow_with_rows(plain, number, count_queries):
    with unit_of_work(app=plain.app):
        for words in _MORE.split(";\n"):
            if words.strip():
                given = {"n": number, "buyer": plain.someone.id}
                session.execute(text(words), given)
    client = plain.app.test_client()
    client.set_cookie("past", "ready-answers")
    client.get("/api/v1/shop/orders", headers=plain.someone.headers)
    for path, most in LISTS.items():
        someone = plain.someone.headers if path.split("?")[0] in OWN else {}
        with count_queries() as count:
            answer = client.get(f"/api/v1/shop/{path}", headers=someone)
        assert answer.status_code == 200, answer.json
        assert count.total <= most, (path, count.statements)
