"""What is somebody's is his alone: given to him, forgotten with him, never kept for others."""

import json

import pytest
from sqlalchemy import text

from torg.db import session
from torg_shop import personal


@pytest.fixture
def two(shop, staff):
    """Two people, each with an order of one thing and another thing in the cart."""
    product = staff.product(on_hand=99, name="Ordered thing")
    client, people = shop.app.test_client(), [shop.person(), shop.person()]
    for number, person in enumerate(people, 1):
        body = {"product_id": product["id"], "quantity": number}
        client.post("/api/v1/shop/cart/lines", json=body, headers=person.headers)
        made = client.post("/api/v1/shop/orders", json={}, headers=person.headers)
        assert made.status_code == 201, made.json
        client.post("/api/v1/shop/cart/lines", json=body, headers=person.headers)
    return people


def test_export_has_ones_own_cart_and_orders_and_nobody_elses(shop, two):
    given = [shop.work(lambda person=person: personal.export(person.id)) for person in two]
    json.dumps(given)
    for number, facts in enumerate(given, 1):
        assert [line["quantity"] for line in facts["cart"]] == [number]
        (order,) = facts["orders"]
        assert [line["quantity"] for line in order["lines"]] == [number]
        assert order["lines"][0]["name"] == "Ordered thing"
        assert order["total"] == {"amount": f"{10 * number}.00", "currency": "EUR"}


def test_erasing_forgets_the_cart_and_keeps_the_books(shop, two):
    gone, other = two
    shop.work(lambda: personal.erase(gone.id))
    counts = (
        "SELECT (SELECT count(*) FROM shop_cart WHERE owner_id = :id),"
        " (SELECT count(*) FROM shop_order WHERE buyer_id = :id)"
    )
    for person, carts in ((gone, 0), (other, 1)):
        given = {"id": person.id}
        (found,) = shop.work(lambda given=given: session.execute(text(counts), given).all())
        assert tuple(found) == (carts, 1)
    assert shop.work(lambda: personal.export(gone.id))["cart"] == []


@pytest.mark.parametrize("cookie", [False, True], ids=["ready answers", "answers in Redis"])
def test_what_was_made_for_somebody_is_never_answered_to_anybody_else(shop, two, staff, cookie):
    client = shop.app.test_client()
    if cookie:
        client.set_cookie("past", "ready-answers")
    owner, other = two
    for path in ("orders", "cart", "admin/products", "admin/orders", "admin/coupons"):
        address = f"/api/v1/shop/{path}"
        for headers in (owner.headers, staff.headers):
            own = [client.get(address, headers=headers) for _ in range(2)]
            assert own[0].status_code == own[1].status_code
            assert "public" not in own[0].headers.get("Cache-Control", "")
        theirs = client.get(address, headers=other.headers)
        nobodys = client.get(address)
        assert nobodys.status_code == (200 if path == "cart" else 401)
        if path in ("orders", "cart"):
            assert theirs.data != client.get(address, headers=owner.headers).data
    assert client.get("/api/v1/shop/cart").json["lines"] == []
    number = client.get("/api/v1/shop/orders", headers=owner.headers).json["items"][0]["number"]
    assert client.get(f"/api/v1/shop/orders/{number}", headers=other.headers).status_code == 404
    assert client.get(f"/api/v1/shop/orders/{number}").status_code == 401
