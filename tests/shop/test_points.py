"""Bonus points of orders: earned when they are paid, spent on others, undone with them."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torg import contracts
from torg.db import database_now
from torg.money import Money
from torg_ledger import Entry
from torg_shop.domain.pricing import points_earned

ORDERING = ("shop.order.own", "shop.order.manage")
_numbers = itertools.count(1)


@given(total=st.integers(0, 10**15), percent=st.integers(0, 100))
def test_points_are_the_share_rounded_down(total, percent):
    earned = points_earned(total, percent)
    assert earned * 100 <= total * percent < (earned + 1) * 100


class Club:
    """A shop with a wallet, where a paid order earns points that can be spent at once."""

    def __init__(self, shop, staff):
        self.shop, self.staff = shop, staff

    def buyer(self, *, points=0, euros=100):
        """Somebody new with money and points."""
        person = self.shop.person(permissions=ORDERING)
        self.shop.work(lambda: _give(person.id, euros * 100))
        if points:
            self.shop.work(lambda: _earn(person.id, points))
        return person

    def order(self, person, product, quantity=1, **body):
        """Put it into the cart and order."""
        line = {"product_id": product["id"], "quantity": quantity}
        assert self.call(person, "cart/lines", line).status_code == 201
        return self.call(person, "orders", body)

    def call(self, person, path, body=None):
        """A POST below `/api/v1/shop/`."""
        client = self.shop.app.test_client()
        return client.post(f"/api/v1/shop/{path}", json=body, headers=person.headers)

    def points(self, person):
        """What can be spent, and what waits."""
        found = self.shop.work(lambda: contracts.require("bonus").balance(person.id))
        return found.available, found.pending

    def money(self, person):
        """Minor units in the wallet."""

        def ask():
            ledger = contracts.require("ledger")
            return ledger.balance(ledger.open_account("main", "EUR", owner_id=person.id))

        return self.shop.work(ask).available.minor


@pytest.fixture(scope="module")
def club(make_shop, staff):
    shop = make_shop("wallet", points_percent=10, return_days=0)
    return Club(shop, type(staff)(shop))


def test_a_paid_order_earns_points_and_one_that_waits_does_not(club):
    person, product = club.buyer(), club.staff.product(on_hand=9)
    number = club.order(person, product, payment="later").json["number"]
    assert club.points(person) == (0, 0)
    assert club.call(person, f"orders/{number}/pay").status_code == 200
    assert club.points(person) == (100, 0)


def test_points_wait_until_the_goods_can_no_longer_be_returned(make_shop, staff):
    shop = make_shop("wallet")
    waiting = Club(shop, type(staff)(shop))
    person, product = waiting.buyer(), waiting.staff.product(on_hand=1)
    assert waiting.order(person, product).status_code == 201
    assert waiting.points(person) == (0, 10)


def test_points_pay_a_part_and_money_the_rest(club):
    person, product = club.buyer(points=300), club.staff.product(on_hand=9)
    answer = club.order(person, product, points=300)
    assert answer.status_code == 201, answer.json
    assert answer.json["points"] == 300
    assert answer.json["total"] == {"amount": "7.00", "currency": "EUR"}
    assert (club.money(person), club.points(person)) == (9300, (70, 0))


def test_points_may_pay_it_all(club):
    person, product = club.buyer(points=1000, euros=1), club.staff.product(on_hand=9)
    answer = club.order(person, product, points=1000)
    assert (answer.status_code, answer.json["payment_status"]) == (201, "paid")
    assert (club.money(person), club.points(person)) == (100, (0, 0))


def test_a_cancelled_order_gives_points_back_and_takes_those_it_earned(club):
    person, product = club.buyer(points=300), club.staff.product(on_hand=9)
    number = club.order(person, product, points=300).json["number"]
    assert club.call(person, f"orders/{number}/cancel").status_code == 200
    assert (club.money(person), club.points(person)) == (10_000, (300, 0))


def test_an_order_that_was_never_paid_gives_points_back(club):
    person, product = club.buyer(points=300), club.staff.product(on_hand=9)
    number = club.order(person, product, points=300, payment="later").json["number"]
    assert club.points(person) == (0, 0)
    assert club.call(person, f"orders/{number}/cancel").status_code == 200
    assert club.points(person) == (300, 0)


def test_a_refund_of_a_sent_order_takes_back_what_it_earned(club):
    person, product = club.buyer(), club.staff.product(on_hand=9)
    number = club.order(person, product).json["number"]
    for step in ("ship", "refund"):
        assert club.call(person, f"admin/orders/{number}/{step}").status_code == 200
    assert (club.money(person), club.points(person)) == (10_000, (0, 0))


def test_more_points_than_one_has_order_nothing(club):
    person, product = club.buyer(points=300), club.staff.product(on_hand=9)
    answer = club.order(person, product, points=301)
    assert (answer.status_code, answer.json["code"]) == (409, "not_enough_points")
    assert (club.money(person), club.points(person)) == (10_000, (300, 0))


@pytest.mark.parametrize("currency", ["EUR", "USD"])
def test_points_that_cannot_pay_are_pointed_at(club, currency):
    person = club.buyer(points=3000)
    price = {"amount": "10.00", "currency": currency}
    product = club.staff.product(on_hand=9, price=price)
    answer = club.order(person, product, points=1001)
    assert (answer.status_code, answer.json["code"]) == (422, "points_refused")
    assert answer.json["errors"][0]["pointer"] == "/points"
    assert club.points(person) == (3000, 0)


def test_without_a_wallet_points_are_refused(shop, staff):
    person, product = shop.person(permissions=ORDERING), staff.product(on_hand=9)
    assert Club(shop, staff).order(person, product, points=1).status_code == 422


def test_the_same_points_pay_one_of_two_orders_at_once(club):
    person = club.buyer(points=900)
    products = [club.staff.product(on_hand=9) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda each: club.order(person, each, points=900), products))
    paid = [answer for answer in answers if answer.status_code == 201 and answer.json["points"]]
    assert len(paid) == 1
    earned = paid[0].json["total"]["amount"].replace(".", "")
    assert club.points(person) == (int(earned) // 10, 0)
    assert {answer.status_code for answer in answers} <= {201, 409, 422}


def _give(identity_id, minor):
    ledger = contracts.require("ledger")
    main = ledger.open_account("main", "EUR", owner_id=identity_id)
    house = ledger.open_account("test:house", "EUR")
    entries = [Entry(house, Money(-minor, "EUR")), Entry(main, Money(minor, "EUR"))]
    ledger.post(entries, source="test", purpose="gift", key=f"gift{identity_id}")


def _earn(identity_id, points):
    contracts.require("bonus").earn(
        identity_id,
        points,
        source="test",
        reference=f"gift{next(_numbers)}",
        available_at=database_now(),
    )
