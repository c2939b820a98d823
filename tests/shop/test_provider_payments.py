"""An order paid by a payment provider: once, whatever the provider tells, how often and when."""

import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import select

from torg import contracts, db, jobs
from torg.money import Money
from torg.testing_processes import eventually
from torg_shop.jobs import trading
from torg_shop.models.orders import Order
from torg_shop.services import provider_payments, proving
from torg_wallet.providers import sandbox
from torg_wallet.services import proving as wallet_proving

RIGHTS = ("shop.order.own", "shop.order.manage", "wallet.payment.confirm")


class Till:
    """A shop with a wallet, whose buyers pay later and by providers."""

    def __init__(self, shop, staff):
        self.shop, self.staff = shop, staff

    def call(self, person, path, body=None, method="POST", root="shop", **headers):
        """A call below `/api/v1/shop/`."""
        given = {**(person.headers if person else {}), **headers}
        options = {"data": body} if isinstance(body, bytes) else {"json": body}
        client = self.shop.app.test_client()
        return client.open(f"/api/v1/{root}/{path}", method=method, headers=given, **options)

    def person(self):
        """Somebody who orders, or stands behind the till."""
        return self.shop.person(permissions=RIGHTS)

    def order(self, person, minor=2500, currency="EUR"):
        """An order of one new product that awaits its payment; its number."""
        amount = Money(minor, currency).format()
        product = self.staff.product(price={"amount": amount, "currency": currency}, on_hand=1)
        self.product = product["id"]
        self.call(person, "cart/lines", {"product_id": product["id"]})
        answer = self.call(person, "orders", {"payment": "later"})
        assert answer.status_code == 201, answer.json
        return answer.json["number"]

    def begin(self, person, number, provider="sandbox", **headers):
        """Begin to pay it."""
        return self.call(person, f"orders/{number}/payments", {"provider": provider}, **headers)

    def told(self, reference, status="succeeded", minor=2500, *, forged=False):
        """A webhook of the sandbox, over HTTP."""
        said = {"reference": reference, "status": status, "minor": minor, "currency": "EUR"}
        event = f"{reference}:{status}:{minor}"
        headers, body = self.shop.work(lambda: sandbox.signed_call(event, json.dumps(said)))
        if forged:
            headers["webhook-signature"] = "v1,AAAA"
        return self.call(None, "providers/sandbox/webhook", body, root="wallet", **headers)

    def settle(self):
        """Run everything that is or will be due, as if time had passed."""
        # Of a running job this is the end of its lease.
        soon = "UPDATE torg_outbox SET run_at = now() WHERE state IN ('queued', 'running')"
        for _ in range(4):
            jobs.run_due(self.shop.app)
            self.shop.work(lambda: db.session.execute(db.text(soon)))
        jobs.run_due(self.shop.app)

    def statuses(self, person, number):
        """Of the order, of its payment, of each payment by a provider."""
        order = self.call(person, f"orders/{number}", method="GET").json
        found = self.call(person, f"orders/{number}/payments", method="GET").json["items"]
        return order["status"], order["payment_status"], [each["status"] for each in found]

    def stock(self):
        """Of the product of the last order: on hand, reserved."""
        found = self.staff.call("GET", f"stock/{self.product}").json
        return found["on_hand"], found["reserved"]

    def money(self, person):
        """In the wallet: posted and available, in minor units."""

        def ask():
            ledger = contracts.require("ledger")
            found = ledger.balance(ledger.open_account("main", "EUR", owner_id=person.id))
            return found.posted.minor, found.available.minor

        return self.shop.work(ask)

    def is_sound(self):
        """Whether books and shop prove to be right."""
        outcomes = [self.shop.work(each.prove) for each in (proving, wallet_proving)]
        return [each["findings"] for each in outcomes] == [[], []]


@pytest.fixture(scope="module")
def till(make_shop, make_staff):
    shop = make_shop("wallet", sandbox=True)
    return Till(shop, make_staff(shop))


@pytest.fixture
def anna(till):
    return till.person()


def test_an_order_is_paid_when_the_provider_confirms_it(till, anna):
    number = till.order(anna)
    begun = till.begin(anna, number, **{"Idempotency-Key": f"pay-{number}"})
    assert begun.status_code == 201, begun.json
    reference = begun.json["reference"]
    assert begun.json["amount"] == {"amount": "25.00", "currency": "EUR"}
    path = f"orders/{number}/payments/{reference}"
    assert begun.headers["Location"].endswith(f"/api/v1/shop/{path}")
    again = till.begin(anna, number, **{"Idempotency-Key": f"pay-{number}"})
    assert (again.json, again.headers["Idempotency-Replayed"]) == (begun.json, "true")
    assert till.statuses(anna, number) == ("placed", "awaiting_payment", ["under_way"])
    jobs.run_due(till.shop.app)
    waiting = till.call(anna, path, method="GET").json
    assert waiting["next_step"] == "Nothing to do: this money is not real."
    till.settle()
    assert till.statuses(anna, number) == ("placed", "paid", ["applied"])
    shown = till.call(anna, path, method="GET").json
    assert (shown["status"], shown["next_step"]) == ("applied", "")
    assert (till.money(anna), till.stock()) == ((0, 0), (0, 0))
    assert till.call(anna, f"orders/{number}/cancel").status_code == 200
    assert till.money(anna) == (2500, 2500)
    assert till.is_sound()


@pytest.mark.parametrize("cents", sorted(sandbox.SCENARIOS))
def test_every_trouble_of_the_sandbox_pays_an_order_once_or_not_at_all(till, anna, cents):
    number = till.order(anna, 100 + cents)
    till.begin(anna, number)
    till.settle()
    expected = {13: "failed", 29: "under_way", 31: "failed"}.get(cents, "applied")
    paid = "paid" if expected == "applied" else "awaiting_payment"
    assert till.statuses(anna, number) == ("placed", paid, [expected])
    assert till.money(anna) == (0, 0)
    events = till.call(anna, f"orders/{number}", method="GET").json["events"]
    assert [each["to_status"] for each in events].count("paid") == (paid == "paid")
    if expected == "failed":
        assert till.begin(anna, number).status_code == 201
    assert till.is_sound()


def test_webhooks_at_the_same_time_pay_once_and_forged_ones_never(till, anna):
    number = till.order(anna)
    reference = till.begin(anna, number).json["reference"]
    assert till.told(reference, forged=True).status_code == 400
    assert till.told(reference, minor=2400).status_code == 200
    assert till.statuses(anna, number)[1:] == ("awaiting_payment", ["under_way"])
    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(lambda _: till.told(reference).status_code, range(6)))
        assert set(told) <= {200}
        event = {"reference": reference}
        heard = pool.map(lambda _: till.shop.work(lambda: provider_payments.heard(event)), range(6))
        assert list(heard) == [None] * 6
    till.settle()
    assert till.statuses(anna, number) == ("placed", "paid", ["applied"])
    assert till.money(anna) == (0, 0)
    assert till.is_sound()


def test_without_the_orders_lock_two_that_hear_at_once_both_try_to_pay(till, anna, monkeypatch):
    number = till.order(anna)
    reference = till.begin(anna, number).json["reference"]
    assert till.told(reference).status_code == 200
    together = threading.Barrier(2)

    def unlocked(wanted):
        asked = select(*Order.__table__.columns).where(Order.number == wanted)
        return db.session.execute(asked).one()

    def arrive_together(order, hold, arrive=provider_payments._arrived):
        together.wait(10)
        return arrive(order, hold)

    monkeypatch.setattr(provider_payments.orders, "locked", unlocked)
    monkeypatch.setattr(provider_payments, "_arrived", arrive_together)

    def hear(_number):
        try:
            with db.unit_of_work(app=till.shop.app):
                provider_payments.heard({"reference": reference})
        except Exception as error:
            return error
        return None

    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(hear, range(2)))
    # The laws of the tables stop the second one; with the lock nobody had to be stopped.
    assert sorted(each is None for each in ended) == [False, True]
    monkeypatch.undo()
    till.settle()
    assert till.statuses(anna, number) == ("placed", "paid", ["applied"])
    assert till.is_sound()


def test_money_for_a_cancelled_order_stays_with_the_buyer(till, anna):
    number = till.order(anna)
    reference = till.begin(anna, number).json["reference"]
    jobs.run_due(till.shop.app)
    path = f"orders/{number}/payments/{reference}"
    assert till.call(anna, path, method="GET").json["next_step"]
    assert till.call(anna, f"orders/{number}/cancel").status_code == 200
    assert till.call(anna, path, method="GET").json["next_step"] == ""
    till.told(reference)
    # Between the webhook and the order's answer nobody can spend it; afterwards it is free.
    assert till.money(anna) == (2500, 0)
    till.settle()
    assert till.statuses(anna, number) == ("cancelled", "voided", ["kept"])
    assert (till.money(anna), till.stock()) == ((2500, 2500), (1, 0))
    assert till.is_sound()


@pytest.mark.parametrize("has_come", [True, False])
def test_late_jobs_cancel_no_order_whose_money_has_come(till, anna, has_come):
    number = till.order(anna)
    reference = till.begin(anna, number).json["reference"]
    if has_come:
        till.told(reference)
    late = "UPDATE shop_order SET expires_at = now() - interval '1 s' WHERE number = :number"
    till.shop.work(lambda: db.session.execute(db.text(late), {"number": number}))
    # The sweep is faster than what tells of the money, which no worker has run yet.
    till.shop.work(lambda: trading.cancel_unpaid({"number": number}, None))
    expected = ("placed", "paid") if has_come else ("cancelled", "voided")
    assert till.statuses(anna, number)[:2] == expected
    till.told(reference)
    till.settle()
    assert till.statuses(anna, number) == (*expected, ["applied" if has_come else "kept"])
    assert till.money(anna) == ((0, 0) if has_come else (2500, 2500))


def test_money_that_comes_twice_pays_once_and_the_rest_stays_with_the_buyer(till, anna):
    number, clara = till.order(anna), till.person()
    by_hand = till.begin(anna, number, "manual").json["reference"]
    by_wire = till.begin(anna, number).json["reference"]
    confirm = f"admin/deposits/{by_hand}/confirm"
    assert till.call(clara, confirm, root="wallet").status_code == 200
    till.told(by_wire)
    till.settle()
    placed, paid, found = till.statuses(anna, number)
    assert (placed, paid, sorted(found)) == ("placed", "paid", ["applied", "kept"])
    assert till.money(anna) == (2500, 2500)
    assert till.is_sound()


def test_an_order_that_was_paid_otherwise_meanwhile_leaves_the_money_alone(till, anna):
    number = till.order(anna)
    reference = till.begin(anna, number).json["reference"]
    assert till.call(anna, f"admin/orders/{number}/confirm-payment").status_code == 200
    till.told(reference)
    till.settle()
    assert till.statuses(anna, number) == ("placed", "paid", ["kept"])
    assert till.money(anna) == (2500, 2500)


def test_cancelling_while_the_money_comes_ends_with_all_of_it_at_the_buyers(till, anna):
    for round_ in range(1, 4):
        number = till.order(anna)
        reference = till.begin(anna, number).json["reference"]
        till.told(reference)
        with ThreadPoolExecutor(2) as pool:
            event = {"reference": reference}
            arrives = pool.submit(till.shop.work, partial(provider_payments.heard, event))
            pool.submit(till.call, anna, f"orders/{number}/cancel").result()
            arrives.result()
        order, payment, (found,) = till.statuses(anna, number)
        assert order == "cancelled"
        assert (payment, found) in (("refunded", "applied"), ("voided", "kept"))
        assert (till.money(anna), till.stock()) == ((2500 * round_,) * 2, (1, 0))
    till.settle()
    assert till.is_sound()


def test_what_cannot_be_begun_says_why(till, anna):
    number, boris = till.order(anna), till.person()
    assert till.begin(boris, number).status_code == 404
    path = f"orders/{number}/payments"
    assert till.call(boris, path, method="GET").status_code == 404
    assert till.call(None, path, {"provider": "sandbox"}).status_code == 401
    wrong = till.begin(anna, number, "nobody")
    assert (wrong.status_code, wrong.json["code"]) == (422, "provider_unknown")
    assert wrong.json["errors"][0]["pointer"] == "/provider"
    pounds = till.begin(anna, till.order(anna, 100, "GBP"))
    assert (pounds.status_code, pounds.json["code"]) == (422, "currency_not_offered")
    begun = till.begin(anna, number).json["reference"]
    assert till.call(boris, f"{path}/{begun}", method="GET").status_code == 404
    second = till.begin(anna, number)
    assert (second.json["code"], second.json["reference"]) == ("payment_under_way", begun)
    till.settle()
    paid = till.begin(anna, number)
    assert (paid.status_code, paid.json["code"]) == (409, "order_step")


def test_an_order_is_tried_at_most_twenty_times(till, anna):
    number = till.order(anna)
    more = (
        "INSERT INTO shop_payment (order_id, reference, provider, status)"
        " SELECT id, number || n, 'sandbox', 'failed' FROM shop_order, generate_series(1, 20) n"
        " WHERE number = :number"
    )
    till.shop.work(lambda: db.session.execute(db.text(more), {"number": number}))
    answer = till.begin(anna, number)
    assert (answer.status_code, answer.json["code"]) == (409, "too_many_payments")
    shown = till.call(anna, f"orders/{number}/payments?limit=5", method="GET").json
    assert (len(shown["items"]), shown["next_cursor"] is None) == (5, False)


def test_without_a_wallet_nobody_takes_the_money(make_shop, make_staff):
    shop = make_shop()
    till = Till(shop, make_staff(shop))
    anna = till.person()
    answer = till.begin(anna, till.order(anna))
    assert (answer.status_code, answer.json["code"]) == (503, "contract_missing")


WAITS = (
    "SELECT count(*) > 0 FROM pg_stat_activity"
    " WHERE wait_event_type = 'Lock' AND datname = current_database()"
)
HELD = "SELECT 1 FROM shop_stock_level WHERE product_id = :id FOR UPDATE"


def forked_worker(app):
    """The id of a process that runs what is due."""
    process = os.fork()
    if process:
        return process
    try:
        with app.app_context():
            db.db.engine.dispose(close=False)
        jobs.run_due(app)
    finally:
        os._exit(0)


def test_a_worker_killed_while_an_order_is_paid_leaves_it_to_be_paid_once(till, anna):
    number = till.order(anna)
    reference = till.begin(anna, number).json["reference"]
    till.told(reference)

    def waits():
        with db.unit_of_work("read", till.shop.app):
            return db.session.scalar(db.text(WAITS))

    connection = till.shop.work(lambda: db.db.engine).connect()
    try:
        connection.execute(db.text(HELD), {"id": till.product})
        worker = forked_worker(till.shop.app)
        # It has locked the order and waits for the goods: in the midst of paying.
        eventually(waits)
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
    finally:
        connection.close()
    assert till.statuses(anna, number) == ("placed", "awaiting_payment", ["under_way"])
    eventually(lambda: till.settle() or till.statuses(anna, number)[1] == "paid")
    assert till.statuses(anna, number) == ("placed", "paid", ["applied"])
    assert (till.money(anna), till.stock()) == ((0, 0), (0, 0))
    events = till.call(anna, f"orders/{number}", method="GET").json["events"]
    assert [each["to_status"] for each in events].count("paid") == 1
    assert till.is_sound()
