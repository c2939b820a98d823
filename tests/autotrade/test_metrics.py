"""What statistics count of the market equals the deals, a slow count, and the ledger."""

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

import pytest
from fact_rows import FactRows
from sqlalchemy import select

from torg import migrate
from torg.db import db, session, unit_of_work
from torg_autotrade import metrics
from torg_autotrade.models.market import Dealer
from torg_autotrade.models.trading import Sale
from torg_autotrade.services import participants
from torg_metrics import Facts

FACTS = (
    *(metrics.SALES, metrics.PURCHASES, metrics.SUPPLIES, metrics.STOCK),
    *(metrics.OFFERS, metrics.REFUSALS),
)


@pytest.fixture(scope="module")
def traded(make_market):
    """Two suppliers, two dealers, three buyers, a promotion, loyalty, and offers that fail."""
    market = make_market()
    first, second, third = market.car(), market.car(), market.car()
    market.supplier({first: 1_000_000, second: 2_000_000}, {3: "5.00"})
    other = market.supplier({first: 990_000})
    dealers = [market.dealer(tiers={1: "3.00"}), market.dealer(country="FR", target_stock=3)]
    market.run("review")
    market.run("supply")
    market.promote("dealer", dealers[0], car_model_ids=[second])
    market.later(days=2, hours=5)
    buyers = [market.person(10_000_000) for _ in range(3)]
    for buyer in buyers:
        for model in (first, second, first):
            market.offer(buyer, model, 2_600_000)
        market.run("sales")
        market.later(hours=7)
    market.offer(buyers[0], first, 5_000)
    market.offer(buyers[1], third, 2_000_000)
    market.offer(buyers[2], second, 5_000, expires_at=market.now + timedelta(hours=1))
    market.run("sales")
    market.later(hours=2)
    market.run("sales")
    market.promote("supplier", other)
    market.run("supply")
    return market


@pytest.fixture(scope="module")
def rows(traded):
    return FactRows(traded.app)


def moved(market, purpose, role):
    """What the ledger moved for a purpose on the accounts of dealers, suppliers or buyers."""
    (found,) = market.sql(
        "SELECT coalesce(sum(e.amount_minor), 0)::bigint AS minor FROM wallet_entry e"
        " JOIN wallet_transfer t ON t.id = e.transfer_id"
        f" JOIN autotrade_{role} r ON r.account_id = e.account_id"
        " WHERE t.source = 'autotrade' AND t.purpose = %s",
        purpose,
    )
    return found.minor


def test_the_market_of_these_tests_has_something_of_everything(traded, rows):
    reasons = set(rows.total(metrics.OFFERS_REFUSED, "reason"))
    assert {"price_above_max", "expired"} <= reasons
    assert rows.total(metrics.CARS_SOLD) >= 6
    assert rows.total(metrics.DISCOUNT) > 0
    assert rows.total(metrics.SUPPLY_DISCOUNT) > 0
    assert traded.prove() == []


def test_revenue_is_what_the_ledger_moved_to_dealers_and_from_buyers(traded, rows):
    revenue = rows.total(metrics.REVENUE)
    assert revenue == moved(traded, "car_sale", "dealer") == -moved(traded, "car_sale", "buyer")
    assert rows.total(metrics.SPENT) == revenue


def test_supply_revenue_is_what_the_ledger_moved_to_suppliers_and_from_dealers(traded, rows):
    revenue = rows.total(metrics.SUPPLY_REVENUE)
    assert (
        revenue == moved(traded, "car_supply", "supplier") == -moved(traded, "car_supply", "dealer")
    )


def test_stock_value_is_what_the_lots_that_are_left_cost(traded, rows):
    lots = traded.sql(
        "SELECT s.dealer_id, l.remaining, l.unit_cost_minor FROM autotrade_stock_lot l"
        " JOIN autotrade_dealer_stock s ON s.id = l.stock_id"
    )
    cost, cars = defaultdict(int), defaultdict(int)
    for lot in lots:
        cost[lot.dealer_id] += lot.remaining * lot.unit_cost_minor
        cars[lot.dealer_id] += lot.remaining
    assert rows.total(metrics.STOCK_VALUE, "dealer") == cost
    assert rows.total(metrics.STOCK_CARS, "dealer") == cars


def stood(market, sale):
    """Seconds in stock of the cars of a sale: the oldest go first, so counting finds them."""
    units = [
        lot.stocked_at
        for lot in market.sql(
            "SELECT l.quantity, l.stocked_at FROM autotrade_stock_lot l"
            " JOIN autotrade_dealer_stock s ON s.id = l.stock_id"
            " WHERE s.dealer_id = %s AND s.car_model_id = %s ORDER BY l.id",
            *(sale.dealer_id, sale.car_model_id),
        )
        for _ in range(lot.quantity)
    ]
    before = sum(
        each.quantity
        for each in market.sales()
        if each.id < sale.id
        and (each.dealer_id, each.car_model_id) == (sale.dealer_id, sale.car_model_id)
    )
    taken = units[before : before + sale.quantity]
    return sum(Decimal(str((sale.sold_at - each).total_seconds())) for each in taken)


def test_each_car_of_a_sale_counts_the_days_since_it_came_itself(market):
    model = market.car()
    market.supplier({model: 1_000_000})
    dealer = market.dealer(target_stock=1)
    market.run("supply")
    market.later(days=10)
    owner = market.owner("dealer", dealer).identity
    market.work(lambda: participants.change("dealer", owner, dealer, {"target_stock": 3}))
    market.run("supply")
    market.later(days=2)
    market.offer(market.person(9_000_000), model, 2_000_000, quantity=3)
    market.run("sales")
    (sale,) = market.sales()
    days = Decimal(12 + 2 + 2)
    assert (sale.quantity, sale.stock_seconds) == (3, days * 86400)
    assert stood(market, sale) == days * 86400
    assert FactRows(market.app).total(metrics.STOCK_DAYS) == days
    shown = market.get(f"/dealers/{dealer}/statistics", market.owner("dealer", dealer))
    assert shown["days_in_stock"] == "5.3"


def test_dealers_numbers_equal_a_slow_count(traded, rows):
    sales = traded.sales()
    assert sales
    for dealer in {each.dealer_id for each in sales}:
        own = [each for each in sales if each.dealer_id == dealer]
        cars = sum(each.quantity for each in own)
        revenue = sum(each.total_minor for each in own)
        cost = sum(each.cost_minor for each in own)
        seconds = sum(stood(traded, each) for each in own)
        assert rows.total(metrics.CARS_SOLD, dealer=dealer) == cars
        assert rows.total(metrics.REVENUE, dealer=dealer) == revenue
        assert rows.total(metrics.COST, dealer=dealer) == cost
        assert rows.total(metrics.PROFIT, dealer=dealer) == revenue - cost
        assert rows.total(metrics.UNIQUE_BUYERS, dealer=dealer) == len({e.buyer_id for e in own})
        days = rows.total(metrics.STOCK_DAYS, dealer=dealer)
        assert abs(days - seconds / 86400) < Decimal("0.000001")


def test_numbers_by_country_are_those_of_the_dealers_of_that_country(traded, rows):
    dealers = {row.id: row.country for row in traded.sql("SELECT * FROM autotrade_dealer")}
    wanted = defaultdict(int)
    for each in traded.sales():
        wanted[dealers[each.dealer_id]] += each.total_minor
    assert rows.total(metrics.REVENUE, "country") == wanted


def test_suppliers_numbers_equal_a_slow_count(traded, rows):
    deals = traded.sql("SELECT * FROM autotrade_supply_deal")
    assert deals
    for supplier in {each.supplier_id for each in deals}:
        own = [each for each in deals if each.supplier_id == supplier]
        listed = sum(each.list_price_minor * each.quantity for each in own)
        paid = sum(each.total_minor for each in own)
        assert rows.total(metrics.UNITS, supplier=supplier) == sum(e.quantity for e in own)
        assert rows.total(metrics.SUPPLY_REVENUE, supplier=supplier) == paid
        assert rows.total(metrics.SUPPLY_DISCOUNT, supplier=supplier) == listed - paid
        served = rows.total(metrics.DEALERS_SERVED, supplier=supplier)
        assert served == len({each.dealer_id for each in own})


def test_buyers_numbers_equal_a_slow_count(traded, rows):
    people = {row.id: row.identity_id for row in traded.sql("SELECT * FROM autotrade_buyer")}
    spent, saved, offers = defaultdict(int), defaultdict(int), defaultdict(int)
    for each in traded.sales():
        buyer = people[each.buyer_id]
        spent[buyer] += each.total_minor
        lowered = each.promotion_discount_minor + each.loyalty_discount_minor
        saved[buyer] += lowered * each.quantity
    for each in traded.sql("SELECT * FROM autotrade_offer"):
        offers[people[each.buyer_id]] += 1
    assert rows.total(metrics.SPENT, "buyer") == spent
    assert rows.total(metrics.DISCOUNT, "buyer") == saved
    assert rows.total(metrics.OFFERS_PLACED, "buyer") == offers


def test_facts_of_buyers_tell_no_costs():
    hidden = {"cost", "profit", "car_days", "margin"}
    assert hidden.isdisjoint(metrics.PURCHASES.select().selected_columns.keys())
    owned = [each.name for each in metrics.SALES.dimensions if each.own]
    assert owned == ["dealer"]


def test_facts_of_dealers_tell_no_names_of_buyers(traded, rows):
    buyer = metrics.SALES.dimension("buyer")
    assert buyer.names is None
    sold = {each["buyer"] for each in rows.of(metrics.SALES)}
    assert sold == {each.buyer_id for each in traded.sales()}


def test_each_sees_his_own(traded):
    with unit_of_work("read", traded.app):
        for kind, facts in (("dealer", metrics.SALES), ("supplier", metrics.SUPPLIES)):
            for row in traded.sql(f"SELECT id, owner_id FROM autotrade_{kind}"):
                own = facts.dimension(kind).own(row.owner_id)
                assert session.scalars(own).all() == [row.id]


def test_values_have_readable_names(traded):
    wanted = {str(row.id): row.name for row in traded.sql("SELECT * FROM autotrade_dealer")}
    (car, *_) = traded.sql("SELECT * FROM autotrade_car_model ORDER BY id")
    with unit_of_work("read", traded.app):
        assert metrics.SALES.dimension("dealer").names(list(wanted)) == wanted
        named = metrics.SALES.dimension("car_model").names([str(car.id)])
        assert named == {str(car.id): f"{car.make} {car.model} {car.model_year}"}
        (buyer, *_) = traded.sql("SELECT identity_id FROM autotrade_buyer ORDER BY id")
        person = traded.people[buyer.identity_id]
        named = metrics.PURCHASES.dimension("buyer").names([str(person.id)])
        assert named == {str(person.id): person.username}


def test_no_fact_ever_changes_while_the_market_goes_on(market):
    rows = FactRows(market.app)
    car = market.car()
    market.supplier({car: 100_000})
    dealer = market.dealer()
    market.run("supply")
    buyer = market.person(10_000_000)
    market.offer(buyer, car, 50_000, expires_at=market.now + timedelta(days=1))
    market.offer(buyer, car, 150_000)
    market.run("sales")
    before = rows.taken(*FACTS)
    # A control: where the dealer stands now is no fact of the deal.
    movable = Facts("control", lambda: select(Sale.id, Dealer.country).join_from(Sale, Dealer))
    movable_before = rows.taken(movable)
    owner = market.owner("dealer", dealer)
    path = f"/dealers/{dealer}"
    tag = market.call("GET", path, owner).headers["ETag"]
    moved_away = market.call(
        "PATCH", path, owner, json={"country": "IT"}, headers={"If-Match": tag}
    )
    assert moved_away.status_code == 200, moved_away.text
    assert before <= rows.taken(*FACTS)
    assert not movable_before <= rows.taken(movable)
    market.later(days=2)
    market.offer(buyer, car, 150_000)
    market.run("sales")
    market.run("supply")
    after = rows.taken(*FACTS)
    assert before < after
    assert set(rows.total(metrics.REVENUE, "country")) == {"DE", "IT"}
    reasons = rows.total(metrics.OFFERS_REFUSED, "reason")
    assert reasons == {"price_above_max": 1, "expired": 1}
    assert rows.total(metrics.OFFERS_REFUSED) == 1


def test_deals_of_before_the_migration_are_counted_as_they_were(traded, rows):
    before = rows.taken(metrics.SALES, metrics.SUPPLIES, metrics.STOCK, metrics.OFFERS)
    with traded.app.app_context():
        migrate.downgrade(
            db.engine, migrate.streams_of(traded.app), {"autotrade": "autotrade_0003"}
        )
        session.remove()
        migrate.upgrade(traded.app)
    assert rows.taken(metrics.SALES, metrics.SUPPLIES, metrics.STOCK, metrics.OFFERS) == before
    # Of refusals only the last of each offer was known.
    offers = traded.sql("SELECT id, reason FROM autotrade_offer WHERE reason IS NOT NULL")
    known = {(each["offer"], each["reason"]) for each in rows.of(metrics.REFUSALS)}
    assert known == {(each.id, each.reason) for each in offers}
