"""Carts become orders: once, at the price that was shown, of goods that are there."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from torg import contracts, db, jobs, outbox
from torg.db import unit_of_work
from torg.money import Money
from torg_ledger import Entry
from torg_shop.services import orders as order_services


class Buyer:
    """A person with a cart, by HTTP."""

    def __init__(self, shop: Any, **facts: Any) -> None:
        self.shop = shop
        self.person = shop.person(**facts)
        self.client = shop.app.test_client()

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """One call below `/api/v1/shop/`."""
        given = {**self.person.headers, **headers}
        return self.client.open(f"/api/v1/shop/{path}", method=method, json=body, headers=given)

    def add(self, product: Any, quantity: int = 1) -> Any:
        """Put a product into the cart; the cart."""
        body = {"product_id": product["id"], "quantity": quantity}
        answer = self.call("POST", "cart/lines", body)
        assert answer.status_code == 201, answer.json
        return answer.json

    def order(self, **body: Any) -> Any:
        """Order the cart."""
        return self.call("POST", "orders", body)


MANAGER = ("shop.order.own", "shop.order.manage", "shop.coupon.manage", "shop.stock.manage")


@pytest.fixture
def buyer(shop):
    return Buyer(shop)


@pytest.fixture(scope="module")
def manager(shop):
    return Buyer(shop, permissions=MANAGER)


def stock_of(staff, product):
    found = staff.call("GET", f"stock/{product['id']}").json
    return found["on_hand"], found["reserved"]


class TestOrder:
    def test_takes_stock_empties_the_cart_and_awaits_payment(self, buyer, staff):
        product = staff.product(on_hand=5)
        buyer.add(product, 2)
        answer = buyer.order()
        assert answer.status_code == 201, answer.json
        assert answer.json["total"] == {"amount": "20.00", "currency": "EUR"}
        assert answer.json["payment_status"] == "awaiting_payment"
        assert stock_of(staff, product) == (5, 2)
        assert buyer.call("GET", "cart").json["lines"] == []

    def test_of_an_empty_cart_is_422(self, buyer):
        answer = buyer.order()
        assert (answer.status_code, answer.json["code"]) == (422, "cart_empty")

    def test_keeps_what_was_ordered_when_the_product_changes(self, buyer, staff):
        product = staff.product(on_hand=5, name="Old name")
        buyer.add(product)
        number = buyer.order().json["number"]
        path = f"products/{product['id']}"
        tag = staff.call("GET", path).headers["ETag"]
        assert staff.call("PATCH", path, {"name": "New"}, **{"If-Match": tag}).status_code == 200
        assert buyer.call("GET", f"orders/{number}").json["lines"][0]["name"] == "Old name"

    def test_key_used_twice_orders_once(self, buyer, staff):
        product = staff.product(on_hand=5)
        buyer.add(product)
        key = {"Idempotency-Key": "one-order-please-1"}
        first = buyer.call("POST", "orders", {}, **key)
        again = buyer.call("POST", "orders", {}, **key)
        assert first.json["number"] == again.json["number"]
        assert stock_of(staff, product) == (5, 1)

    def test_more_than_there_is_is_409_and_changes_nothing(self, buyer, staff):
        product = staff.product(on_hand=1)
        buyer.add(product, 2)
        answer = buyer.order()
        assert (answer.status_code, answer.json["code"]) == (409, "out_of_stock")
        assert answer.json["errors"][0]["pointer"] == "/lines/0"
        assert stock_of(staff, product) == (1, 0)
        assert len(buyer.call("GET", "cart").json["lines"]) == 1

    def test_of_somebody_else_is_404(self, buyer, shop, staff):
        buyer.add(staff.product(on_hand=5))
        number = buyer.order().json["number"]
        other = Buyer(shop)
        assert other.call("GET", f"orders/{number}").status_code == 404
        assert other.call("POST", f"orders/{number}/cancel").status_code == 404
        assert other.call("GET", "orders").json["items"] == []


class TestSteps:
    def test_cancel_releases_stock_once(self, buyer, staff):
        product = staff.product(on_hand=3)
        buyer.add(product, 3)
        number = buyer.order().json["number"]
        answer = buyer.call("POST", f"orders/{number}/cancel")
        assert (answer.json["status"], answer.json["payment_status"]) == ("cancelled", "voided")
        assert stock_of(staff, product) == (3, 0)
        assert buyer.call("POST", f"orders/{number}/cancel").status_code == 409
        assert stock_of(staff, product) == (3, 0)

    def test_paid_then_sent_then_refunded_with_history(self, buyer, manager, staff):
        product = staff.product(on_hand=3)
        buyer.add(product)
        number = buyer.order().json["number"]
        assert manager.call("POST", f"admin/orders/{number}/ship").status_code == 409
        for step in ("confirm-payment", "ship", "refund"):
            answer = manager.call("POST", f"admin/orders/{number}/{step}")
            assert answer.status_code == 200, answer.json
        assert stock_of(staff, product) == (2, 0)
        assert [each["to_status"] for each in answer.json["events"][3:]] == [
            "paid",
            "completed",
            "shipped",
            "refunded",
        ]
        assert buyer.call("POST", f"orders/{number}/cancel").status_code == 409

    def test_unpaid_order_expires_and_frees_its_goods(self, buyer, shop, staff):
        product = staff.product(on_hand=1)
        buyer.add(product)
        number = buyer.order().json["number"]
        shop.work(lambda: db.session.execute(db.text(_LATER), {"number": number}))
        shop.work(lambda: outbox.enqueue("shop.cancel_expired"))
        jobs.run_due(shop.app)
        assert stock_of(staff, product) == (1, 0)
        assert buyer.call("GET", f"orders/{number}").json["status"] == "cancelled"

    def test_orders_expire_each_in_a_transaction_of_its_own(self, shop, staff):
        first, second = staff.product(on_hand=9), staff.product(on_hand=9)
        numbers = []
        for goods in ((second,), (first,)):
            buyer = Buyer(shop)
            for product in goods:
                buyer.add(product)
            numbers.append(buyer.order().json["number"])
        for number in numbers:
            shop.work(lambda number=number: db.session.execute(db.text(_LATER), {"number": number}))
        # Somebody who holds goods of one order keeps that order waiting, and no other.
        with unit_of_work(app=shop.app):
            held = "SELECT 1 FROM shop_stock_level WHERE product_id = :id FOR UPDATE"
            db.session.execute(db.text(held), {"id": second["id"]})
            assert _in_a_thread(
                lambda: shop.work(lambda: order_services.cancel_expired(numbers[1]))
            )
            assert stock_of(staff, first) == (9, 0)
        assert shop.work(lambda: order_services.cancel_expired(numbers[0]))
        assert not shop.work(lambda: order_services.cancel_expired(numbers[0]))
        assert shop.work(order_services.expired) == []


_LATER = "UPDATE shop_order SET expires_at = now() - interval '1 s' WHERE number = :number"


def _in_a_thread(act: Any) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(act).result()


def test_an_orders_number_tells_nobody_how_many_there_are(shop, staff):
    product, numbers = staff.product(on_hand=50), []
    for _ in range(8):
        buyer = Buyer(shop)
        buyer.add(product)
        numbers.append(buyer.order().json["number"])
    assert all(re.fullmatch(r"S[0-9A-F]{16}", each) for each in numbers)
    assert numbers != sorted(numbers)
    assert len({each[:4] for each in numbers}) > 1


class TestParallel:
    def test_twenty_orders_of_one_cart_make_one_order(self, buyer, staff):
        product = staff.product(on_hand=50)
        buyer.add(product)
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: _again(buyer).status_code, range(20)))
        assert sorted(answers) == [201] + [422] * 19
        assert stock_of(staff, product) == (50, 1)

    def test_last_one_goes_to_one_of_two(self, shop, staff):
        product = staff.product(on_hand=1)
        buyers = [Buyer(shop), Buyer(shop)]
        for each in buyers:
            each.add(product)
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda each: each.order().status_code, buyers))
        assert sorted(answers) == [201, 409]


def _again(buyer):
    client = buyer.shop.app.test_client()
    return client.post("/api/v1/shop/orders", json={}, headers=buyer.person.headers)


@pytest.fixture
def rich(make_shop, staff):
    shop = make_shop("wallet")
    buyer = Buyer(shop)
    buyer.staff = type(staff)(shop)
    shop.work(lambda: _give(buyer.person.id, 3000))
    return buyer


class TestWallet:
    def test_pays_at_once_and_gets_it_back(self, rich):
        staff = rich.staff
        product = staff.product(on_hand=3)
        rich.add(product, 2)
        answer = rich.order()
        assert answer.status_code == 201, answer.json
        assert answer.json["payment_status"] == "paid"
        assert (stock_of(staff, product), _balance(rich)) == ((1, 0), 1000)
        rich.add(product)
        rich.call("POST", f"orders/{answer.json['number']}/cancel")
        assert (stock_of(staff, product), _balance(rich)) == ((3, 0), 3000)

    def test_too_little_money_is_409_and_changes_nothing(self, rich):
        staff = rich.staff
        product = staff.product(on_hand=9)
        rich.add(product, 9)
        answer = rich.order()
        assert (answer.status_code, answer.json["code"]) == (409, "insufficient_funds")
        assert (stock_of(staff, product), _balance(rich)) == ((9, 0), 3000)


def _give(identity_id, minor):
    ledger = contracts.require("ledger")
    main = ledger.open_account("main", "EUR", owner_id=identity_id)
    house = ledger.open_account("test:house", "EUR")
    entries = [Entry(house, Money(-minor, "EUR")), Entry(main, Money(minor, "EUR"))]
    ledger.post(entries, source="test", purpose="gift", key=f"gift{identity_id}")


def _balance(buyer):
    def ask():
        ledger = contracts.require("ledger")
        return ledger.balance(ledger.open_account("main", "EUR", owner_id=buyer.person.id))

    return buyer.shop.work(ask).available.minor
