"""`torg shop prove`: silent on a shop that was used, and loud on every kind of damage."""

import itertools
import json

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from torg import contracts, db
from torg import jobs as torg_jobs
from torg.money import Money
from torg_ledger import Entry
from torg_shop import commands
from torg_shop.queries import proof
from torg_shop.services import proving

_numbers = itertools.count(1)
# Each breaks what the laws of the tables forbid, and is undone by `_MENDED` of the same name.
DAMAGE = {
    "an order costs what its lines cost": (
        "UPDATE shop_order_line SET quantity = quantity + {by} WHERE order_id = {paid}"
    ),
    "the three statuses of an order fit": (
        "UPDATE shop_order SET fulfilment_status ="
        " CASE WHEN {by} > 0 THEN 'shipped' ELSE 'unfulfilled' END WHERE id = {waiting}"
    ),
    "the history of an order ends where it is": (
        "UPDATE shop_order_event SET to_status = CASE WHEN {by} > 0 THEN 'voided' ELSE 'paid' END"
        " WHERE order_id = {paid} AND kind = 'payment' AND from_status IS NOT NULL"
    ),
    "reserved stock is what open reservations ask for": (
        "UPDATE shop_stock_level SET reserved = reserved + {by} WHERE product_id = {product}"
    ),
    "goods are set aside for orders that await payment": (
        "UPDATE shop_reservation SET status = CASE WHEN {by} > 0 THEN 'released' ELSE 'open' END"
        " WHERE order_id = {waiting}"
    ),
    "a coupon counts its uses": "UPDATE shop_coupon SET used_count = used_count + {by}",
    "uses of coupons are those of orders": (
        "UPDATE shop_coupon_use SET identity_id = identity_id + {by}"
    ),
    "nobody uses a coupon too often": (
        "UPDATE shop_coupon SET per_user_limit = per_user_limit - 2 * {by}"
    ),
    "an order that a provider paid is paid": (
        "UPDATE shop_payment SET order_id = CASE WHEN {by} > 0 THEN {waiting} ELSE {wired} END"
    ),
    "lists show what the parts of a product say": (
        "UPDATE shop_product_ready SET json ="
        " CASE WHEN {by} > 0 THEN '!' || json ELSE substr(json, 2) END"
        " WHERE product_id = {product}"
    ),
    proving.BOOKS: (
        "UPDATE shop_order SET transfer = CASE WHEN {by} > 0 THEN 'none' END WHERE id = {outside}"
    ),
}


class Customer:
    """A person with money who orders one thing, by HTTP."""

    def __init__(self, shop, **facts):
        self.client = shop.app.test_client()
        self.person = shop.person(**facts)

    def call(self, method, path, body=None):
        answer = self.client.open(
            f"/api/v1/shop/{path}", method=method, json=body, headers=self.person.headers
        )
        assert answer.status_code < 300, answer.json
        return answer.json

    def order(self, product, **body):
        self.call("POST", "cart/lines", {"product_id": product["id"], "quantity": 2})
        return self.call("POST", "orders", body)["number"]


def give(identity_id, minor):
    ledger = contracts.require("ledger")
    main = ledger.open_account("main", "EUR", owner_id=identity_id)
    house = ledger.open_account("test:house", "EUR")
    entries = [Entry(house, Money(-minor, "EUR")), Entry(main, Money(minor, "EUR"))]
    ledger.post(entries, source="test", purpose="gift", key=f"gift{next(_numbers)}")


@pytest.fixture(scope="module")
def used(make_shop, make_staff):
    """A shop with orders in every state, and the ids that damage needs."""
    shop = make_shop("wallet", sandbox=True)
    product = make_staff(shop).product(on_hand=100)
    manager = Customer(shop, permissions=["shop.order.manage", "shop.coupon.manage"])
    manager.call("POST", "admin/coupons", {"code": "TENTH", "percent": 10, "per_user_limit": 3})
    customer = Customer(shop)
    shop.work(lambda: give(customer.person.id, 100_000))
    numbers = {
        "paid": customer.order(product, coupon="TENTH"),
        "sent": customer.order(product),
        "cancelled": customer.order(product, coupon="TENTH"),
        "refunded": customer.order(product),
        "waiting": customer.order(product, payment="later", coupon="TENTH"),
        "outside": customer.order(product, payment="later"),
        "voided": customer.order(product, payment="later"),
    }
    numbers["wired"] = customer.order(product, payment="later")
    customer.call("POST", f"orders/{numbers['wired']}/payments", {"provider": "sandbox"})
    soon = text("UPDATE torg_outbox SET run_at = clock_timestamp() WHERE state = 'queued'")
    for _ in range(4):
        torg_jobs.run_due(shop.app)
        shop.work(lambda: db.session.execute(soon))
    for name in ("cancelled", "voided"):
        customer.call("POST", f"orders/{numbers[name]}/cancel")
    manager.call("POST", f"admin/orders/{numbers['outside']}/confirm-payment")
    for name in ("sent", "refunded"):
        manager.call("POST", f"admin/orders/{numbers[name]}/ship")
    manager.call("POST", f"admin/orders/{numbers['refunded']}/refund")
    asked = text("SELECT id FROM shop_order WHERE number = :number")
    ids = {
        name: shop.work(lambda number=number: db.session.scalar(asked, {"number": number}))
        for name, number in numbers.items()
    }
    shop.ids = {**ids, "product": product["id"]}
    return shop


def run(shop):
    with shop.app.app_context():
        said = CliRunner().invoke(commands.group, ["prove", "--json"])
    return said.exit_code, json.loads(said.output.strip().splitlines()[-1])


def damage(shop, name, by):
    names = ("order", "order_line", "order_event", "coupon_use", "payment")
    tables = [f"shop_{name}" for name in names]
    words = DAMAGE[name].format(by=by, **shop.ids)

    def act():
        # The laws would refuse it.
        for table in tables:
            db.session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        if name == "uses of coupons are those of orders":
            db.session.execute(
                text(
                    "ALTER TABLE shop_coupon_use DROP CONSTRAINT IF EXISTS"
                    " fk_shop_coupon_use_identity_id"
                )
            )
        done = db.session.execute(text(words))
        assert done.rowcount >= 1, words

    shop.work(act)


def test_a_shop_that_was_used_is_sound(used):
    code, outcome = run(used)
    assert (code, outcome["findings"]) == (0, [])
    assert outcome["counts"] == {"orders": 8, "products": 1, "coupons": 1}


@pytest.mark.parametrize("name", DAMAGE)
def test_every_kind_of_damage_is_found(used, name):
    damage(used, name, 1)
    code, outcome = run(used)
    damage(used, name, -1)
    assert code == 1
    assert name in {each["invariant"] for each in outcome["findings"]}
    assert run(used)[0] == 0


def test_every_promise_has_its_damage():
    assert {*DAMAGE} == {*proof.INVARIANTS, proving.BOOKS}


def test_the_nightly_job_tells_how_many_findings(used):
    def enqueue():
        from torg import outbox

        return outbox.enqueue("shop.prove")

    job_id = used.work(enqueue)
    torg_jobs.run_due(used.app)
    asked = text("SELECT result FROM torg_outbox WHERE id = :id")
    result = used.work(lambda: db.session.scalar(asked, {"id": job_id}))
    assert result["findings"] == 0
