"""Statistics over all built-in plugins, asked over HTTP: every total equals its source.

The six plugins know nothing of one another; what they agree on here is the ledger.
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from torg import contracts, plugins
from torg.db import database_now, session, unit_of_work
from torg.demo import PASSWORD
from torg.demo import Demo as Sample
from torg.money import Money
from torg.testing import AppMaker
from torg_autotrade import generating as market
from torg_autotrade.services import runs
from torg_ledger import AccountKind, Entry
from torg_shop.generating import generate
from torg_shop.generating_orders import generate_orders
from torg_shop.services import carts, orders
from torg_stats.commands import group

PLUGINS = ["auth", "wallet", "shop", "auction", "autotrade", "stats"]
EVER = {"from": "2000-01-01", "to": "2100-01-01"}


class Demo:
    """The demo's application, and its people signed in."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.tokens: dict[str, str] = {}

    def ask(self, path: str, username: str = "admin", **query: Any) -> Any:
        """The JSON of a GET below `/api/v1/stats/` that succeeds."""
        client = self.app.test_client()
        if username not in self.tokens:
            body = {"username": username, "password": PASSWORD}
            answer = client.post("/api/v1/auth/login", json=body)
            assert answer.status_code == 200, answer.text
            self.tokens[username] = answer.json["token"]
        headers = {"Authorization": f"Bearer {self.tokens[username]}"}
        answer = client.get(f"/api/v1/stats/{path}", query_string=query, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json

    def totals(self, *metrics: str, **query: Any) -> dict[Any, Decimal]:
        """Totals of all time, by metric and currency."""
        found = self.ask("query", **{**EVER, "metric": metrics, **query})
        return {
            (each["metric"], each["currency"]): Decimal(each["total"] or 0)
            for each in found["series"]
        }

    def sql(self, statement: str) -> list[Any]:
        """Rows of a statement."""
        with unit_of_work("read", self.app):
            return list(session.execute(text(statement)))

    def number(self, statement: str) -> Decimal:
        """The one number of a statement."""
        ((found,),) = self.sql(statement)
        return Decimal(found or 0)

    def run(self, *words: str) -> str:
        """What `torg stats …` says when it succeeds."""
        with self.app.app_context():
            said = CliRunner().invoke(group, list(words))
        assert said.exit_code == 0, said.output
        return said.output


@pytest.fixture(scope="module")
def demo(torg_environment: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """What the demo is made of, in the sizes of a test."""
    maker = AppMaker(torg_environment, tmp_path_factory.mktemp("statistics"))
    app = maker(PLUGINS, demo=True)
    with app.app_context():
        registry = plugins.registry()
    with unit_of_work(app=app):
        now = database_now().replace(microsecond=0)
        for name in ("auth", "auction"):
            made = Sample(name, Random(name), now, "http://127.0.0.1:8000")
            registry.invoke(registry.plugins[name], "torg_demo_data", demo=made)
    with unit_of_work(app=app):
        people = market.identities()
        generate(Random(1), 8)
        generate_orders(Random(2), 60, now, people)
        trade = market.Trade.begin(
            Random(3),
            now - timedelta(days=90),
            dealers=2,
            suppliers=3,
            models=6,
            buyers=8,
            # The first dealer is the seller's.
            people=[*people[3:6], people[1], *people[6:], people[2]],
            transaction=runs.inline,
        )
        for number in range(8):
            trade.tick(number, 8, now)
        pay_in(people[2])
        buy_from_the_shop(people[2])
    yield Demo(app)
    maker.close()


def pay_in(person_id: int) -> None:
    """A deposit that has come in, and money for the shop."""
    ledger = contracts.require("ledger")
    bank = ledger.open_account("provider:manual", "EUR", kind=AccountKind.ASSET)
    main = ledger.open_account("main", "EUR", owner_id=person_id)
    amount = Money(123_456, "EUR")
    named = {"source": "wallet", "purpose": "deposit", "key": "deposit-1"}
    ledger.post([Entry(bank, -amount), Entry(main, amount)], **named)
    ledger.hold(main, Money(77, "EUR"), source="test", purpose="x", key="h", expires_at=None)


def buy_from_the_shop(person_id: int) -> None:
    """An order that is paid from the wallet, and one that is given back."""
    for _ in range(2):
        cart = carts.opened_for(person_id)
        (product,) = session.scalars(
            text("SELECT product_id FROM shop_stock_level WHERE on_hand > reserved LIMIT 1")
        )
        carts.add(cart, product, 1)
        number = orders.place(person_id)
    orders.cancel(number, buyer_id=person_id)


_LEDGER = (
    "SELECT sum(e.amount_minor) / 100.0 FROM wallet_entry e"
    " JOIN wallet_transfer t ON t.id = e.transfer_id"
    " JOIN wallet_account a ON a.id = e.account_id AND a.currency = 'EUR'"
)
_GIVEN = _LEDGER.replace("sum(", "-sum(")
_SOURCES = {
    "autotrade.revenue": f"{_LEDGER} JOIN autotrade_dealer d ON d.account_id = a.id"
    " WHERE t.source = 'autotrade' AND t.purpose = 'car_sale'",
    "autotrade.spent": f"{_GIVEN} JOIN autotrade_buyer b ON b.account_id = a.id"
    " WHERE t.source = 'autotrade' AND t.purpose = 'car_sale'",
    "autotrade.supply_revenue": f"{_LEDGER} JOIN autotrade_supplier s ON s.account_id = a.id"
    " WHERE t.source = 'autotrade' AND t.purpose = 'car_supply'",
    "autotrade.stock_value": "SELECT sum(remaining * unit_cost_minor) / 100.0"
    " FROM autotrade_stock_lot",
    "wallet.turnover": f"{_LEDGER} WHERE e.amount_minor > 0",
    "wallet.balance": f"{_LEDGER} WHERE a.owner_id IS NOT NULL",
    "wallet.deposits": f"{_LEDGER} WHERE a.owner_id IS NOT NULL AND t.purpose = 'deposit'",
    "wallet.outstanding_holds": "SELECT sum(pending_minor) / 100.0 FROM wallet_account"
    " WHERE currency = 'EUR'",
    "auction.turnover": "SELECT sum(hammer_price_minor) / 100.0 FROM auction_outcome",
    "shop.net_sales": "SELECT sum(total_minor) / 100.0 FROM shop_order"
    " WHERE payment_status = 'paid'",
}
_COUNTS = {
    "autotrade.cars_sold": "SELECT sum(quantity) FROM autotrade_sale",
    "autotrade.unique_buyers": "SELECT count(DISTINCT buyer_id) FROM autotrade_sale",
    "autotrade.cars_bought": "SELECT sum(quantity) FROM autotrade_sale",
    "autotrade.units_supplied": "SELECT sum(quantity) FROM autotrade_supply_deal",
    "autotrade.dealers_served": "SELECT count(DISTINCT dealer_id) FROM autotrade_supply_deal",
    "auction.auctions": "SELECT count(*) FROM auction_auction",
    "auction.bidders": "SELECT count(DISTINCT bidder_id) FROM auction_bid",
    "shop.orders_placed": "SELECT count(*) FROM shop_order",
    "auth.registrations": "SELECT count(*) FROM auth_user",
}


@pytest.fixture(scope="module", params=["live", "kept"])
def asked(demo: Demo, request: pytest.FixtureRequest) -> Demo:
    """Answered from the facts themselves, then from sums that are kept."""
    if request.param == "kept":
        demo.run("rollup")
    return demo


class TestEveryTotal:
    def test_of_money_equals_its_source_to_the_minor_unit(self, asked):
        for name, statement in _SOURCES.items():
            wanted = asked.number(statement)
            assert wanted > 0 or name == "auction.turnover", name
            found = asked.totals(name, currency="EUR")
            assert found.get((name, "EUR"), 0) == wanted, name

    def test_of_a_count_equals_its_source(self, asked):
        for name, statement in _COUNTS.items():
            assert asked.totals(name) == {(name, None): asked.number(statement)}, name

    def test_equals_the_sum_of_its_months(self, asked):
        names = ("autotrade.revenue", "autotrade.cars_sold", "wallet.turnover")
        found = asked.ask(
            "query",
            metric=names,
            interval="month",
            **{"from": "2020-01-01", "to": "2050-01-01"},
        )
        assert {each["metric"] for each in found["series"]} == set(names)
        for each in found["series"]:
            months = sum(Decimal(point["value"] or 0) for point in each["points"])
            assert months == Decimal(each["total"])

    def test_equals_the_sum_of_its_groups(self, asked):
        for name, by in (
            ("autotrade.revenue", "dealer"),
            ("autotrade.revenue", "country"),
            ("autotrade.spent", "buyer"),
            ("autotrade.supply_revenue", "supplier"),
            ("shop.gross_sales", "product"),
            ("shop.gross_sales", "category"),
            ("wallet.turnover", "purpose"),
        ):
            found = asked.ask("query", metric=name, by=by, limit=1000, **EVER)
            grouped = sum(Decimal(each["total"]) for each in found["series"])
            assert grouped == sum(asked.totals(name).values()), (name, by)


def test_what_the_shop_took_from_wallets_is_in_the_ledger(demo):
    """Money of other orders was seen by staff: only those have no transfer."""
    outside = demo.number(
        "SELECT sum(total_minor) / 100.0 FROM shop_order"
        " WHERE payment_status = 'paid' AND transfer IS NULL"
    )
    booked = demo.number(f"{_LEDGER} WHERE a.code = 'shop:sales'")
    assert booked > 0
    (net,) = demo.totals("shop.net_sales").values()
    assert net == outside + booked


def test_ratios_are_those_of_the_totals(demo):
    found = demo.totals(
        *("autotrade.margin", "autotrade.profit", "autotrade.revenue", "autotrade.turn_rate"),
        *("autotrade.cost", "autotrade.stock_value"),
    )
    euro = {name: total for (name, currency), total in found.items() if currency == "EUR"}
    margin = euro["autotrade.profit"] * 100 / euro["autotrade.revenue"]
    assert abs(euro["autotrade.margin"] - margin) < Decimal("0.00001")
    turn = euro["autotrade.cost"] / euro["autotrade.stock_value"]
    assert abs(euro["autotrade.turn_rate"] - turn) < Decimal("0.00001")


def test_what_is_kept_is_proved_by_a_recount(demo):
    demo.run("rollup")
    said = demo.run("prove")
    assert "autotrade.sales: ok" in said
    assert "wallet.holds: ok" in said
    assert "DIFFERENT" not in said


def test_a_dealers_owner_sees_his_own_alone_and_a_buyer_what_he_spent(demo):
    for metric, kind, person in (
        ("autotrade.revenue", "dealer", "owner_id"),
        ("autotrade.spent", "buyer", "identity_id"),
    ):
        sides = demo.sql(
            "SELECT u.username, sum(s.total_minor) / 100.0 AS total FROM autotrade_sale s"
            f" JOIN autotrade_{kind} k ON k.id = s.{kind}_id JOIN auth_user u ON u.id = k.{person}"
            " WHERE u.username <> 'admin' GROUP BY u.username ORDER BY 2 DESC, 1 LIMIT 2"
        )
        assert sides
        for each in sides:
            found = demo.ask("query", each.username, metric=metric, by=kind, **EVER)
            assert sum(Decimal(one["total"]) for one in found["series"]) == each.total
    page = demo.ask("me", each.username)
    assert "wallet.balance" in {one["metric"] for one in page["items"]}


def test_values_have_names_that_people_know(demo):
    for metric, by in (
        ("autotrade.revenue", "dealer"),
        ("autotrade.supply_revenue", "supplier"),
        ("autotrade.cars_sold", "car_model"),
        ("auction.bids", "bidder"),
    ):
        for each in demo.ask("query", metric=metric, by=by, **EVER)["series"]:
            (group_of,) = each["group"]
            assert group_of["name"] != group_of["value"], (metric, by)
