"""Carts: one's own, a guest's by token, what they show, what a login makes of them."""

from typing import Any

import pytest

from torg import db
from torg_shop.domain.pricing import MOST_LINES
from torg_shop.services import carts


@pytest.fixture
def caller(shop):
    """`call(method, path, body, headers)` below `/api/v1/shop/`."""
    client = shop.app.test_client()

    def call(method: str, path: str, body: Any = None, headers: Any = None) -> Any:
        address = f"/api/v1/shop/{path}"
        return client.open(address, method=method, json=body, headers=headers or {})

    return call


def line(product, quantity=1):
    return {"product_id": product["id"], "quantity": quantity}


def reprice(staff, product, amount):
    path = f"products/{product['id']}"
    tag = staff.call("GET", path).headers["ETag"]
    price = {"amount": amount, "currency": "EUR"}
    assert staff.call("PATCH", path, {"price": price}, **{"If-Match": tag}).status_code == 200


def test_adding_a_product_twice_raises_its_quantity(caller, shop, staff):
    product, me = staff.product(on_hand=9), shop.person().headers
    caller("POST", "cart/lines", line(product, 2), me)
    cart = caller("POST", "cart/lines", line(product, 3), me).json
    assert [each["quantity"] for each in cart["lines"]] == [5]
    assert cart["total"] == {"amount": "50.00", "currency": "EUR"}


@pytest.mark.parametrize("quantity", [0, -1, 10_000])
def test_a_quantity_out_of_bounds_is_422(caller, shop, staff, quantity):
    body = line(staff.product(), quantity)
    answer = caller("POST", "cart/lines", body, shop.person().headers)
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/quantity"


def test_an_unknown_or_removed_product_is_422(caller, shop, staff):
    me, product = shop.person().headers, staff.product()
    assert caller("POST", "cart/lines", {"product_id": 999_999}, me).status_code == 422
    path = f"products/{product['id']}"
    tag = staff.call("GET", path).headers["ETag"]
    assert staff.call("DELETE", path, **{"If-Match": tag}).status_code == 204
    assert caller("POST", "cart/lines", line(product), me).json["code"] == "product_unknown"


def test_nobody_changes_somebody_elses_line(caller, shop, staff):
    mine, other = shop.person().headers, shop.person().headers
    cart = caller("POST", "cart/lines", line(staff.product(on_hand=9)), mine).json
    path = f"cart/lines/{cart['lines'][0]['id']}"
    caller("POST", "cart/lines", line(staff.product(on_hand=9)), other)
    assert caller("PATCH", path, {"quantity": 5}, other).status_code == 404
    assert caller("DELETE", path, None, other).status_code == 404
    assert caller("GET", "cart", None, mine).json["lines"][0]["quantity"] == 1


def test_a_changed_price_is_shown_and_never_silently_charged(caller, shop, staff):
    product, me = staff.product(on_hand=9), shop.person().headers
    caller("POST", "cart/lines", line(product), me)
    reprice(staff, product, "12.00")
    shown = caller("GET", "cart", None, me).json
    assert shown["lines"][0]["problems"] == ["price_changed"]
    answer = caller("POST", "orders", {}, me)
    assert (answer.status_code, answer.json["code"]) == (409, "cart_changed")
    assert answer.json["errors"][0]["code"] == "price_changed"
    wrong = {"amount": "10.00", "currency": "EUR"}
    assert caller("POST", "orders", {"expected_total": wrong}, me).status_code == 409
    placed = caller("POST", "orders", {"expected_total": shown["total"]}, me)
    assert placed.json["total"] == {"amount": "12.00", "currency": "EUR"}


def test_too_little_stock_is_shown(caller, shop, staff):
    product, me = staff.product(on_hand=1), shop.person().headers
    cart = caller("POST", "cart/lines", line(product, 2), me).json
    assert cart["lines"][0]["problems"] == ["out_of_stock"]


def test_a_guests_cart_is_added_to_ones_own_at_login(caller, shop, staff):
    both, guests = staff.product(on_hand=9), staff.product(on_hand=9)
    me = shop.person().headers
    caller("POST", "cart/lines", line(both, 2), me)
    token = caller("POST", "cart/lines", line(both, 3)).json["token"]
    guest = {"Cart-Token": token}
    assert caller("POST", "cart/lines", line(guests), guest).json["token"] is None
    merged = caller("GET", "cart", None, {**me, **guest}).json["lines"]
    assert {each["product_id"]: each["quantity"] for each in merged} == {
        both["id"]: 5,
        guests["id"]: 1,
    }
    assert caller("GET", "cart", None, guest).json["lines"] == []
    again = caller("GET", "cart", None, {**me, **guest}).json["lines"]
    assert again == merged


def test_a_wrong_token_opens_no_cart(caller):
    assert caller("GET", "cart", None, {"Cart-Token": "guessed"}).json["lines"] == []


def test_a_full_cart_still_gets_more_of_what_is_in_it(make_shop):
    shop = make_shop()
    client, me = shop.app.test_client(), shop.person()

    def fill(owner, token):
        values = {"owner": owner, "token": token, "hash": token and carts._hashed(token)}
        db.session.execute(db.text(_FULL), values)

    shop.work(lambda: db.session.execute(db.text(_GOODS)))
    shop.work(lambda: fill(me.id, None))
    shop.work(lambda: fill(None, "a-guest"))
    headers = {**me.headers, "Cart-Token": "a-guest"}
    lines = client.get("/api/v1/shop/cart", headers=headers).json["lines"]
    found = {each["sku"]: each["quantity"] for each in lines}
    assert len(found) == MOST_LINES
    # The guest's G100 to G299: the first hundred were there, there is no room for the others.
    assert (found["G99"], found["G100"], found["G199"], found.get("G200")) == (1, 2, 2, None)


_GOODS = """
INSERT INTO shop_product (name, sku, price_minor, currency)
SELECT 'Thing', 'G' || n, 100, 'EUR' FROM generate_series(0, 299) n"""
_FULL = """
WITH cart AS (
    INSERT INTO shop_cart (owner_id, token_hash) VALUES (:owner, :hash) RETURNING id
)
INSERT INTO shop_cart_line (cart_id, product_id, quantity, seen_price_minor, seen_currency)
SELECT cart.id, p.id, 1, 100, 'EUR' FROM cart, shop_product p
 WHERE substr(p.sku, 2)::int - CASE WHEN CAST(:token AS text) IS NULL THEN 0 ELSE 100 END
       BETWEEN 0 AND 199"""
