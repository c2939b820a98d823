"""Carts are one's own, an order empties the cart, and of parallel orders one is made."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import BigInteger, bindparam, select, text

from torg import cache, db
from torg.prepared import Prepared
from torg_shop.models.carts import Cart
from torg_shop.services import carts


def cart_of(stall, person):
    return stall.client.get("/cart", headers=person.headers).json


def put_in(stall, person, product, quantity=1):
    answer = stall.client.post(
        "/cart", json={"product_id": product, "quantity": quantity}, headers=person.headers
    )
    assert answer.status_code == 201, answer.json
    return answer.json


def test_a_cart_is_filled_changed_and_emptied(stall):
    anna = stall.person()
    kettle, pan = stall.products(2, price=1999)
    empty = {"items": [], "total": None, "currency": None}
    assert cart_of(stall, anna) == empty
    assert put_in(stall, anna, kettle)["total"] == 19.99
    assert put_in(stall, anna, kettle, 2)["items"][0]["quantity"] == 3
    put_in(stall, anna, pan)
    changed = stall.client.put(
        "/cart/", json={"product_id": kettle, "quantity": 1}, headers=anna.headers
    )
    assert changed.status_code == 200
    assert changed.json["items"][0] == {
        "product_id": kettle, "name": changed.json["items"][0]["name"], "quantity": 1,
        "price": 19.99, "currency": "EUR", "problems": [],
    }  # fmt: skip
    assert '"total":39.98' in changed.get_data(as_text=True)
    gone = stall.client.delete(f"/cart?product_id={kettle}", headers=anna.headers)
    assert (gone.status_code, gone.get_data()) == (204, b"")
    assert [each["product_id"] for each in cart_of(stall, anna)["items"]] == [pan]
    assert stall.client.delete("/cart", headers=anna.headers).status_code == 204
    assert cart_of(stall, anna) == empty


def test_a_product_named_in_the_body_is_taken_out_alone(stall):
    anna = stall.person()
    kettle, pan = stall.products(2)
    put_in(stall, anna, kettle)
    put_in(stall, anna, pan)
    gone = stall.client.delete("/cart", json={"product_id": kettle}, headers=anna.headers)
    assert gone.status_code == 204
    assert [each["product_id"] for each in cart_of(stall, anna)["items"]] == [pan]
    for body in ({"product": pan}, {"product_id": None}, [pan]):
        answer = stall.client.delete("/cart", json=body, headers=anna.headers)
        assert answer.status_code == 422, body
    assert [each["product_id"] for each in cart_of(stall, anna)["items"]] == [pan]
    assert stall.client.delete("/cart", json={}, headers=anna.headers).status_code == 204
    assert cart_of(stall, anna)["items"] == []


def test_a_cart_is_nobody_else_s(stall):
    anna, boris = stall.person(), stall.person(role="admin")
    kettle, pan = stall.products(2)
    put_in(stall, anna, kettle)
    put_in(stall, boris, pan)
    for method, query, body in (
        ("PUT", "", {"product_id": kettle, "quantity": 5}),
        ("DELETE", f"?product_id={kettle}", None),
    ):
        answer = stall.client.open(f"/cart{query}", method=method, json=body, headers=boris.headers)
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    stall.client.delete("/cart", headers=boris.headers)
    assert [each["product_id"] for each in cart_of(stall, anna)["items"]] == [kettle]
    assert cart_of(stall, boris)["items"] == []


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_cart_needs_signing_in(stall, method):
    answer = stall.client.open("/cart", method=method, json={"product_id": 1, "quantity": 1})
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"quantity": 1}, "/product_id"),
        ({"product_id": 999_999_999}, "/product_id"),
        ({"product_id": "1"}, "/product_id"),
        ({"product_id": 1, "quantity": 0}, "/quantity"),
        ({"product_id": 1, "quantity": 10_000}, "/quantity"),
        ({"product_id": 1, "quantity": 1.5}, "/quantity"),
        ({"product_id": 1, "price": 1}, "/price"),
    ],
)
def test_a_wrong_line_is_422_and_points_at_the_place(stall, body, pointer):
    anna = stall.person()
    answer = stall.client.post("/cart", json=body, headers=anna.headers)
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert answer.json["errors"][0]["pointer"] == pointer
    assert cart_of(stall, anna)["items"] == []


@pytest.mark.parametrize("address", ["/order", "/order/"])
def test_an_order_is_kept_and_empties_the_cart(stall, address):
    anna = stall.person()
    kettle, pan = stall.products(2, price=1050)
    put_in(stall, anna, kettle, 2)
    put_in(stall, anna, pan)
    made = stall.client.post(address, headers=anna.headers)
    assert made.status_code == 201, made.json
    assert (made.json["total"], made.json["currency"]) == (31.5, "EUR")
    assert {each["product_id"]: each["quantity"] for each in made.json["items"]} == {
        kettle: 2, pan: 1,
    }  # fmt: skip
    assert cart_of(stall, anna)["items"] == []
    kept = stall.client.get(f"/api/v1/shop/orders/{made.json['number']}", headers=anna.headers)
    assert kept.json["total"] == {"amount": "31.50", "currency": "EUR"}
    again = stall.client.post(address, headers=anna.headers)
    assert (again.status_code, again.json["code"]) == (422, "cart_empty")


def test_the_same_key_gives_the_first_order_again(stall):
    anna = stall.person()
    put_in(stall, anna, *stall.products(1))
    headers = {**anna.headers, "Idempotency-Key": f"once-{anna.username}"}
    first, again = (stall.client.post("/order", headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json == first.json
    assert again.headers["Idempotency-Replayed"] == "true"


def test_a_price_that_rose_is_never_charged_silently(stall):
    anna = stall.person()
    (kettle,) = stall.products(1, price=1000)
    put_in(stall, anna, kettle)
    stall.work(lambda: dearer(kettle))
    assert cart_of(stall, anna)["items"][0]["problems"] == ["price_changed"]
    refused = stall.client.post("/order", headers=anna.headers)
    assert (refused.status_code, refused.json["code"]) == (409, "cart_changed")
    stall.client.put("/cart", json={"product_id": kettle, "quantity": 1}, headers=anna.headers)
    made = stall.client.post("/order", headers=anna.headers)
    assert (made.status_code, made.json["total"]) == (201, 20.0)


def dearer(product):
    db.session.execute(
        text("UPDATE shop_product SET price_minor = 2000 WHERE id = :id"), {"id": product}
    )
    cache.invalidate("shop.catalogue")


def test_ordering_needs_a_confirmed_address_and_what_the_shop_asks_for(stall):
    unconfirmed = stall.person(verified=False)
    (kettle,) = stall.products(1)
    put_in(stall, unconfirmed, kettle)
    refused = stall.client.post("/order", headers=unconfirmed.headers)
    assert (refused.status_code, refused.json["code"]) == (403, "email_unverified")

    def forbid():
        made = "INSERT INTO auth_role (name) VALUES ('visitor') RETURNING id"
        number = db.session.scalar(text(made))
        given = "INSERT INTO auth_role_permission (role_id, permission) VALUES (:id, :name)"
        db.session.execute(text(given), {"id": number, "name": "classic.order.place"})

    stall.work(forbid)
    visitor = stall.person(role="visitor")
    put_in(stall, visitor, kettle)
    refused = stall.client.post("/order", headers=visitor.headers)
    assert (refused.status_code, refused.json["permission"]) == (403, "shop.order.own")
    assert len(cart_of(stall, visitor)["items"]) == 1


def order_at_once(stall, person, monkeypatch):
    """Statuses of two orders of one cart that meet after both have read it, if they can."""
    meeting = threading.Barrier(2)
    read = carts.lines

    def read_and_wait(cart_id):
        found = read(cart_id)
        # Broken when the other one waits for the lock.
        with contextlib.suppress(threading.BrokenBarrierError):
            meeting.wait(timeout=0.7)
        return found

    with monkeypatch.context() as patched, ThreadPoolExecutor(2) as pool:
        patched.setattr(carts, "lines", read_and_wait)
        orders = [
            pool.submit(stall.client.post, "/order", headers=person.headers) for _ in range(2)
        ]
        return sorted(each.result().status_code for each in orders)


def test_two_parallel_orders_of_one_cart_make_exactly_one(stall, monkeypatch):
    anna = stall.person()
    put_in(stall, anna, *stall.products(1))
    assert order_at_once(stall, anna, monkeypatch) == [201, 422]
    assert ordered(stall, anna) == 1


def test_control_without_the_lock_on_the_cart_both_would_be_made(stall, monkeypatch):
    anna = stall.person()
    put_in(stall, anna, *stall.products(1))
    plain = Prepared(
        select(Cart.id).where(Cart.owner_id == bindparam("owner_id", type_=BigInteger))
    )
    monkeypatch.setattr(carts, "_OF_OWNER", plain)
    assert order_at_once(stall, anna, monkeypatch) == [201, 201]
    assert ordered(stall, anna) == 2


def ordered(stall, person):
    asked = text("SELECT count(*) FROM shop_order WHERE buyer_id = :id")
    return stall.work(lambda: db.session.scalar(asked, {"id": person.id}))


def test_a_crowd_at_one_cart_makes_one_order(stall):
    anna = stall.person()
    put_in(stall, anna, *stall.products(1))
    with ThreadPoolExecutor(8) as pool:
        statuses = list(
            pool.map(
                lambda _: stall.client.post("/order", headers=anna.headers).status_code, range(8)
            )
        )
    assert sorted(statuses) == [201, *[422] * 7]
