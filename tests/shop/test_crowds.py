"""Crowds that mix everything: limits hold, money is spent once, nobody waits in a circle."""

import itertools
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from torg import contracts, db
from torg.errors import TorgError
from torg.money import Money
from torg_ledger import Entry
from torg_shop.services import carts, orders, payments, proving, stock

THREADS, ROUNDS = 8, 5
_numbers = itertools.count(1)


def give(identity_id, minor):
    ledger = contracts.require("ledger")
    main = ledger.open_account("main", "EUR", owner_id=identity_id)
    house = ledger.open_account("test:house", "EUR")
    entries = [Entry(house, Money(-minor, "EUR")), Entry(main, Money(minor, "EUR"))]
    ledger.post(entries, source="test", purpose="gift", key=f"gift{next(_numbers)}")


@pytest.fixture(scope="module")
def market(make_shop, make_staff):
    """A shop with a wallet and a few things that everybody wants."""
    shop = make_shop("wallet")
    staff = make_staff(shop)
    shop.goods = [staff.product(on_hand=10_000)["id"] for _ in range(4)]
    return shop


def at_once(shop, acts):
    """What each of the acts did, all begun together: "done", or the code of its refusal."""

    def run(act):
        try:
            shop.work(act)
        except TorgError as error:
            return error.code
        return "done"

    with ThreadPoolExecutor(len(acts)) as pool:
        return sorted(pool.map(run, acts))


def put(buyer_id, *goods):
    cart_id = carts.opened_for(buyer_id)
    for each in goods:
        carts.add(cart_id, each, 1)


def test_money_for_one_pays_one_of_two_orders(market):
    for _ in range(5):
        buyer = market.person().id
        market.work(lambda buyer=buyer: give(buyer, 1000))
        numbers = []
        for _ in range(2):
            market.work(lambda buyer=buyer: put(buyer, market.goods[0]))
            numbers.append(market.work(lambda buyer=buyer: orders.place(buyer, payment="later")))
        acts = [lambda number=number, buyer=buyer: orders.pay(number, buyer) for number in numbers]
        assert at_once(market, acts) == ["done", "insufficient_funds"]
    assert market.work(proving.prove)["findings"] == []


def test_an_order_is_paid_once_however_many_pay_it(market):
    buyer = market.person().id
    market.work(lambda: give(buyer, 10_000))
    market.work(lambda: put(buyer, market.goods[0]))
    number = market.work(lambda: orders.place(buyer, payment="later"))
    outcome = at_once(market, [lambda: orders.pay(number, buyer)] * 6)
    assert outcome == ["done"] + ["order_step"] * 5


def test_a_coupon_is_used_once_by_a_person_with_many_orders_at_once(shop, staff):
    product = staff.product(on_hand=99)["id"]
    code = f"ONCE-{next(_numbers)}"
    made = "INSERT INTO shop_coupon (code, percent, per_user_limit) VALUES (:code, 10, 1)"
    shop.work(lambda: db.session.execute(text(made), {"code": code}))
    buyer = shop.person().id

    def order():
        # Two carts of one person cannot be: so each fills it anew, after the one before.
        put(buyer, product)
        orders.place(buyer, coupon=code)

    assert at_once(shop, [order] * 8) == ["coupon_used_up"] * 7 + ["done"]
    assert shop.work(proving.prove)["findings"] == []


def wandering(market, buyers, seed):
    """Somebody who orders, pays, cancels, in any order; the codes of what was refused."""
    chance, refused = random.Random(seed), []
    for _ in range(ROUNDS):
        buyer = chance.choice(buyers)
        goods = chance.sample(market.goods, 3)
        steps = [
            lambda buyer=buyer, goods=goods: put(buyer, *goods),
            lambda buyer=buyer: orders.place(buyer, payment=chance.choice(("wallet", "later"))),
        ]
        steps.append(lambda buyer=buyer: chance.choice((pay_any, cancel_any))(buyer))
        for step in steps:
            try:
                market.work(step)
            except TorgError as error:
                refused.append(error.code)
    return refused


def any_of(buyer, status):
    asked = (
        "SELECT number FROM shop_order WHERE buyer_id = :buyer AND payment_status = :status"
        " ORDER BY random() LIMIT 1"
    )
    return db.session.scalar(text(asked), {"buyer": buyer, "status": status})


def pay_any(buyer):
    if number := any_of(buyer, "awaiting_payment"):
        orders.pay(number, buyer)


def cancel_any(buyer):
    if number := any_of(buyer, "paid"):
        orders.cancel(number, buyer_id=buyer)


@pytest.fixture
def crowd(market):
    people = [market.person().id for _ in range(6)]
    for each in people:
        market.work(lambda each=each: give(each, 10**7))
    return people


def test_a_mixed_crowd_leaves_a_sound_shop(market, crowd):
    with ThreadPoolExecutor(THREADS) as pool:
        refused = pool.map(lambda seed: wandering(market, crowd, seed), range(THREADS))
        codes = {code for each in refused for code in each}
    assert codes <= {"cart_empty", "order_step"}
    assert market.work(proving.prove)["findings"] == []


@pytest.fixture
def meet(market, monkeypatch):
    """`meet()`: one pays an order while he places another of the same goods; how many attempts."""
    attempts, real = [], payments.take
    goods_are_held, money_is_held = threading.Event(), threading.Event()

    def take(order):
        attempts.append(threading.current_thread().name)
        if attempts[-1] == "placing":
            goods_are_held.set()
            money_is_held.wait(0.5)
            return real(order)
        transfer = real(order)
        money_is_held.set()
        return transfer

    buyer = market.person().id
    market.work(lambda: give(buyer, 10_000))
    market.work(lambda: put(buyer, market.goods[0]))
    waiting = market.work(lambda: orders.place(buyer, payment="later"))
    market.work(lambda: put(buyer, market.goods[0]))
    monkeypatch.setattr(payments, "take", take)

    def act():
        placing = threading.Thread(
            name="placing", target=lambda: market.work(lambda: orders.place(buyer))
        )
        placing.start()
        assert goods_are_held.wait(10)
        market.work(lambda: orders.pay(waiting, buyer))
        placing.join()
        assert market.work(proving.prove)["findings"] == []
        return len(attempts)

    return act


def test_placing_and_paying_never_wait_in_a_circle(meet):
    assert meet() == 2


def test_with_money_before_goods_they_do(meet, monkeypatch):
    """The control: `pay` as it must not be; PostgreSQL ends one of the two, which starts again."""

    def pay(number, buyer_id):
        order = orders.locked(number, buyer_id)
        orders.require(order, {"payment": "paid"})
        transfer = payments.take(order)
        stock.close_reservation(order.id, "taken")
        orders.settle(order, transfer, buyer_id)

    monkeypatch.setattr(orders, "pay", pay)
    assert meet() > 2
