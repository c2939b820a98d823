"""What statistics count of the shop equals its orders, a slow count, and the ledger."""

from collections import defaultdict
from decimal import Decimal
from random import Random

import pytest
from fact_rows import FactRows
from sqlalchemy import text

from torg import contracts, migrate
from torg.db import database_now, db, session, unit_of_work
from torg.money import Money
from torg_ledger import Entry
from torg_shop import metrics
from torg_shop.generating_orders import generate_orders

FACTS = (metrics.PAYMENTS, metrics.LINES, metrics.PLACED, metrics.CARTS)
RIGHTS = ("shop.order.own", "shop.order.manage", "shop.coupon.manage")


class Trade:
    """A shop with a wallet, and people who order."""

    def __init__(self, shop, staff):
        self.shop, self.staff = shop, staff
        self.rows = FactRows(shop.app)
        self.manager = shop.person(permissions=RIGHTS)

    def sql(self, statement, **values):
        """Rows of a statement."""
        with unit_of_work("read", self.shop.app):
            return session.execute(text(statement), values).all()

    def buyer(self, euros=1000):
        """Somebody with money."""
        person = self.shop.person(permissions=RIGHTS)

        def act():
            ledger = contracts.require("ledger")
            main = ledger.open_account("main", "EUR", owner_id=person.id)
            house = ledger.open_account("test:house", "EUR")
            amount = Money(euros * 100, "EUR")
            entries = [Entry(house, -amount), Entry(main, amount)]
            ledger.post(entries, source="test", purpose="gift", key=f"gift{person.id}")

        self.shop.work(act)
        return person

    def call(self, person, path, body=None, status=(200, 201), method="POST", **headers):
        """A call below `/api/v1/shop/` that succeeds."""
        answer = self.shop.app.test_client().open(
            f"/api/v1/shop/{path}",
            method=method,
            json=body,
            headers={**(person.headers if person else {}), **headers},
        )
        assert answer.status_code in status, answer.text
        return answer

    def order(self, person, goods, **body):
        """Put {product id: quantity} into the cart and order it; the order's number."""
        for product, quantity in goods.items():
            self.call(person, "cart/lines", {"product_id": product, "quantity": quantity})
        return self.call(person, "orders", body).json["number"]


@pytest.fixture(scope="module")
def trade(make_shop, staff):
    shop = make_shop("wallet", points_percent=10, return_days=0)
    return Trade(shop, type(staff)(shop))


@pytest.fixture(scope="module")
def traded(trade):
    """Paid, unpaid, cancelled, refunded and reduced orders of three people; carts left behind."""
    staff = trade.staff
    toys, books = (
        staff.make("categories", name=name, slug=name.lower())["id"] for name in ("Toys", "Books")
    )
    euro = {"amount": "12.34", "currency": "EUR"}
    bear = staff.product(on_hand=500, category_id=toys, price=euro)["id"]
    atlas = staff.product(on_hand=500, category_id=books)["id"]
    odd = staff.product(on_hand=500)["id"]
    coupon = {"code": "TEN-OFF", "percent": 10}
    trade.call(trade.manager, "admin/coupons", coupon)
    ann, ben, cleo = (trade.buyer() for _ in range(3))
    trade.order(ann, {bear: 3, atlas: 1})
    trade.order(ann, {bear: 1}, coupon="TEN-OFF", points=50)
    refunded = trade.order(ann, {odd: 7})
    trade.call(ann, f"orders/{refunded}/cancel")
    trade.order(ben, {atlas: 2, odd: 1}, payment="later")
    late = trade.order(ben, {atlas: 4}, payment="later")
    trade.call(ben, f"orders/{late}/pay")
    given_up = trade.order(cleo, {bear: 9}, payment="later")
    trade.call(cleo, f"orders/{given_up}/cancel")
    sent = trade.order(cleo, {bear: 2})
    trade.call(trade.manager, f"admin/orders/{sent}/ship")
    trade.call(trade.manager, f"admin/orders/{sent}/refund")
    trade.call(cleo, "cart/lines", {"product_id": odd, "quantity": 1})
    trade.call(cleo, "cart/lines", {"product_id": odd, "quantity": 1})
    trade.call(None, "cart/lines", {"product_id": odd, "quantity": 1})
    return trade


def orders(trade, *statuses):
    """Orders that were paid once, whatever became of them."""
    return [
        each
        for each in trade.sql("SELECT * FROM shop_order ORDER BY id")
        if each.payment_status in statuses
    ]


def test_net_sales_are_postings_to_the_shops_revenue_less_refunds(traded):
    posted = traded.sql(
        "SELECT e.amount_minor FROM wallet_entry e JOIN wallet_account a ON a.id = e.account_id"
        " WHERE a.code = 'shop:sales'"
    )
    came = sum(each.amount_minor for each in posted if each.amount_minor > 0)
    went = -sum(each.amount_minor for each in posted if each.amount_minor < 0)
    assert went > 0
    assert traded.rows.total(metrics.PAID) == came
    assert traded.rows.total(metrics.REFUNDS) == went
    assert traded.rows.total(metrics.NET) == came - went


def test_net_is_gross_less_reductions_and_refunds(traded):
    total = traded.rows.total
    reductions = total(metrics.REDUCTIONS)
    assert reductions > 0
    assert total(metrics.GROSS) - reductions == total(metrics.PAID)
    assert total(metrics.NET) == total(metrics.PAID) - total(metrics.REFUNDS)


def test_numbers_of_people_equal_a_slow_count(traded):
    found = orders(traded, "paid", "refunded")
    by_buyer = defaultdict(list)
    for each in found:
        by_buyer[each.buyer_id].append(each)
    total = traded.rows.total
    assert total(metrics.ORDERS) == len(found)
    assert total(metrics.CUSTOMERS) == len(by_buyer)
    assert total(metrics.RETURNING) == sum(len(many) > 1 for many in by_buyer.values())
    paid = {buyer: sum(o.total_minor for o in many) for buyer, many in by_buyer.items()}
    assert total(metrics.PAID, "customer") == paid
    (average,) = [each for each in metrics.METRICS if each.name == "shop.average_order"]
    assert total(average) == Decimal(sum(paid.values())) / len(found)


def test_top_products_and_categories_equal_a_slow_count(traded):
    worth, units, filed = defaultdict(int), defaultdict(int), defaultdict(int)
    for order in orders(traded, "paid", "refunded"):
        for line in traded.sql("SELECT * FROM shop_order_line WHERE order_id = :id", id=order.id):
            worth[line.product_id] += line.price_minor * line.quantity
            is_kept = order.payment_status == "paid"
            units[line.product_id] += line.quantity * is_kept
            (product,) = traded.sql("SELECT * FROM shop_product WHERE id = :id", id=line.product_id)
            filed[product.category_id] += line.price_minor * line.quantity
    assert traded.rows.total(metrics.GROSS, "product") == worth
    assert traded.rows.total(metrics.UNITS, "product") == units
    assert traded.rows.total(metrics.GROSS, "category") == filed
    assert None in filed


def test_conversion_is_orders_placed_of_carts_begun(traded):
    total = traded.rows.total
    assert total(metrics.ORDERS_PLACED) == len(traded.sql("SELECT FROM shop_order")) == 7
    # One for each order, one left behind by a person, one by a guest.
    assert total(metrics.CARTS_BEGUN) == 9
    (conversion,) = [each for each in metrics.METRICS if each.name == "shop.conversion"]
    assert total(conversion) == Decimal(7) / 9


def test_a_guests_cart_that_becomes_a_persons_is_begun_once(trade):
    product = trade.staff.product(on_hand=5)["id"]
    before = trade.rows.total(metrics.CARTS_BEGUN)
    made = trade.call(None, "cart/lines", {"product_id": product, "quantity": 1})
    token = made.headers.get("X-Cart-Token") or made.json["token"]
    person = trade.buyer()
    shown = trade.call(person, "cart", method="GET", **{"X-Cart-Token": token})
    assert shown.status_code == 200
    assert trade.rows.total(metrics.CARTS_BEGUN) == before + 1


def test_values_have_readable_names(traded):
    products = {str(row.id): row.name for row in traded.sql("SELECT * FROM shop_product")}
    categories = {str(row.id): row.name for row in traded.sql("SELECT * FROM shop_category")}
    with unit_of_work("read", traded.shop.app):
        assert metrics.LINES.dimension("product").names(list(products)) == products
        assert metrics.LINES.dimension("category").names(list(categories)) == categories


def test_no_fact_ever_changes_when_orders_are_paid_refunded_and_products_move(trade):
    staff = trade.staff
    old, new = (
        staff.make("categories", name=name, slug=name.lower())["id"] for name in ("Old", "New")
    )
    product = staff.product(on_hand=50, category_id=old)["id"]
    person = trade.buyer()
    unpaid = trade.order(person, {product: 1}, payment="later")
    paid = trade.order(person, {product: 2})
    before = trade.rows.taken(*FACTS)
    path = f"products/{product}"
    tag = staff.call("GET", path).headers["ETag"]
    moved = staff.call("PATCH", path, {"category_id": new}, **{"If-Match": tag})
    assert moved.status_code == 200, moved.text
    trade.call(person, f"orders/{unpaid}/pay")
    trade.call(person, f"orders/{paid}/cancel")
    after = trade.rows.taken(*FACTS)
    assert before < after
    net = trade.rows.total(metrics.NET, customer=person.id)
    assert net == trade.rows.total(metrics.PAID, customer=person.id) - 2000
    units = trade.rows.total(metrics.UNITS, "category", customer=person.id)
    # Ordered before it moved.
    assert units == {old: 1}


def test_a_history_that_is_brought_in_afterwards_is_news(trade):
    person = trade.buyer()
    trade.staff.product(on_hand=1)
    with unit_of_work("read", trade.shop.app):
        before = database_now()
    trade.shop.work(lambda: generate_orders(Random(1), 20, before, [person.id]))
    news = [each for each in trade.rows.of(metrics.PLACED) if each["recorded_at"] > before]
    assert len(news) == 20
    assert all(each["happened_at"] < before for each in news)
    begun = [each for each in trade.rows.of(metrics.CARTS) if each["recorded_at"] > before]
    assert len(begun) == 30


def test_orders_of_before_the_migration_are_counted_as_they_were(traded):
    app, rows = traded.shop.app, traded.rows
    facts = (metrics.PAYMENTS, metrics.PLACED)
    before, units = rows.taken(*facts), rows.total(metrics.UNITS, "product")
    with app.app_context():
        migrate.downgrade(db.engine, migrate.streams_of(app), {"shop": "shop_0003"})
        session.remove()
        migrate.upgrade(app)
    after = rows.taken(*facts)
    assert sum(after.values()) == sum(before.values())
    assert rows.total(metrics.UNITS, "product") == units
    assert rows.total(metrics.GROSS, "category").keys() > {None}
    # Of carts only those that are filled now were known.
    (filled,) = traded.sql("SELECT count(DISTINCT cart_id) AS number FROM shop_cart_line")
    assert rows.total(metrics.CARTS_BEGUN) == filled.number
