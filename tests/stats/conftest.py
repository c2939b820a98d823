"""Statistics with somebody else's plugin: a stall whose sales are counted."""

import itertools
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import column, literal, select, table, text

from torg import config, db, hookimpl, testing_people
from torg.app import create_app
from torg.manifest import Manifest
from torg.testing import AppMaker, Environment, Person
from torg_metrics import Aggregate, Dimension, Facts, Metric, Ratio, Unit
from torg_stats.services import keeping

_numbers = itertools.count(1)
_SALES = table(
    "stall_sale",
    *(
        column(name)
        for name in (
            "happened_at",
            "recorded_at",
            "buyer",
            "dealer",
            "country",
            "currency",
            "gross",
            "cost",
            "pieces",
            "is_return",
        )
    ),
)


def _dealers(person_id: int) -> Any:
    owned = table("stall_dealer", column("id"), column("owner_id"))
    return select(owned.c.id).where(owned.c.owner_id == person_id)


def _names(values: Any) -> dict[str, str]:
    return {each: f"Dealer {each}" for each in values}


SALES = Facts(
    name="stall.sales",
    select=lambda: select(*_SALES.columns),
    dimensions=(
        Dimension("dealer", "Dealer", names=_names, own=_dealers),
        Dimension("buyer", "Buyer", own=lambda person_id: select(literal(person_id))),
        Dimension("country", "Country"),
    ),
    together=(("dealer", "country"),),
)
_SECRET = Facts(
    name="stall.secrets",
    select=lambda: select(_SALES.c.happened_at, _SALES.c.recorded_at),
)
COUNT = Metric("stall.sold", "Sales", Unit.COUNT, SALES, "sold = number of sales")
GROSS = Metric("stall.gross", "Gross", Unit.MONEY, SALES, "gross = sum", value="gross")
COST = Metric("stall.cost", "Cost", Unit.MONEY, SALES, "cost = sum", value="cost")
BUYERS = Metric(
    "stall.buyers", "Buyers", Unit.COUNT, SALES, "different", "buyer", Aggregate.DISTINCT
)
STOCK = Metric("stall.stock", "Stock", Unit.COUNT, SALES, "level", "pieces", Aggregate.LEVEL)
RETURNS = Metric("stall.returns", "Returns", Unit.COUNT, SALES, "returns", where="is_return")
AVERAGE = Ratio("stall.average", "Average", Unit.MONEY, GROSS, COUNT, "average = gross / sold")
MARGIN = Ratio("stall.cost_share", "Cost share", Unit.PERCENT, COST, GROSS, "cost / gross")
SECRET = Metric("stall.secret", "Secret", Unit.COUNT, _SECRET, "nobody's own")
METRICS = [COUNT, GROSS, COST, BUYERS, STOCK, RETURNS, AVERAGE, MARGIN, SECRET]

_TABLES = """
CREATE TABLE IF NOT EXISTS stall_sale (
    happened_at timestamptz NOT NULL, recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    buyer bigint, dealer bigint, country text, currency char(3) NOT NULL,
    gross bigint NOT NULL, cost bigint NOT NULL, pieces bigint NOT NULL, is_return boolean NOT NULL
);
CREATE INDEX IF NOT EXISTS ix_stall_sale_recorded_at ON stall_sale (recorded_at);
CREATE TABLE IF NOT EXISTS stall_dealer (id bigint PRIMARY KEY, owner_id bigint NOT NULL);
TRUNCATE stall_sale, stall_dealer;
"""


@dataclass
class Market:
    """An application with statistics over a stall, asked by HTTP."""

    app: Any
    more: list[Any] = field(default_factory=list)

    def sql(self, statement: str, **parameters: Any) -> list[Any]:
        """Rows of a statement, committed."""

        def act() -> list[Any]:
            found = db.session.execute(text(statement), parameters)
            return list(found) if found.returns_rows else []

        return db.in_transaction(act, self.app)

    def work(self, act: Callable[[], Any]) -> Any:
        """What `act()` returns, committed."""
        return db.in_transaction(act, self.app)

    def sell(self, at: str, gross: int = 1000, **facts: Any) -> None:
        """A sale at a moment in UTC, in minor units."""
        when = datetime.fromisoformat(at)
        values: dict[str, Any] = {
            "happened_at": when if when.tzinfo else when.replace(tzinfo=UTC),
            "buyer": 1,
            "dealer": 7,
            "country": "DE",
            "currency": "EUR",
            "gross": gross,
            "cost": gross // 2,
            "pieces": -1,
            "is_return": False,
            **facts,
        }
        names = ", ".join(values)
        places = ", ".join(f":{name}" for name in values)
        self.sql(f"INSERT INTO stall_sale ({names}) VALUES ({places})", **values)

    def person(self, *, sees_all: bool = False, **facts: Any) -> Person:
        """Somebody new; staff sees all."""
        rights = ["stats.query.own", *(["stats.metric.read"] if sees_all else [])]
        return self.app.extensions["torg.testing"].add(
            f"person{next(_numbers)}", permissions=rights, **facts
        )

    def call(self, path: str, person: Person, method: str = "GET", **options: Any) -> Any:
        """A request below `/api/v1/stats/`."""
        headers = {**person.headers, **options.pop("headers", {})}
        return self.app.test_client().open(
            f"/api/v1/stats/{path}", method=method, headers=headers, **options
        )

    def ask(self, person: Person, **words: Any) -> Any:
        """The series of a question, by metric, group and currency."""
        answer = self.call("query", person, query_string=words)
        assert answer.status_code == 200, answer.json
        return answer.json

    def totals(self, person: Person, **words: Any) -> dict[tuple[Any, ...], Any]:
        """Totals by metric, values of the group, currency."""
        return {
            (each["metric"], *(one["value"] for one in each["group"]), each["currency"]): each[
                "total"
            ]
            for each in self.ask(person, **words)["series"]
        }

    def keep(self) -> None:
        """Make the sums of everything that is older than running transactions."""
        for name in ("stall.sales", "stall.secrets"):
            self.work(lambda name=name: keeping.note_changes(name))
            while self.work(lambda name=name: keeping.make_pending(name)):
                pass


@pytest.fixture(scope="module")
def make_market(
    torg_environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Market]]:
    """Makes applications with statistics and the stall, on databases of their own."""
    maker = AppMaker(torg_environment, tmp_path_factory.mktemp("stats"))

    def make(metrics: list[Any] | None = None, **section: Any) -> Market:
        module: Any = types.ModuleType("pretend_stall")

        @hookimpl(optionalhook=True)
        def stats_metrics() -> list[Any]:
            return METRICS if metrics is None else metrics

        module.stats_metrics = stats_metrics
        module.MANIFEST = Manifest(
            *("stall", "pretend_stall", "1.0", Path(__file__).parent), title="Stall"
        )
        app = maker(["stats"], sections={"stats": section})
        market = Market(create_app(config.of(app), extra=[testing_people, module]))
        market.sql(_TABLES)
        return market

    yield make
    maker.close()


@pytest.fixture(scope="module")
def one_market(make_market) -> Market:
    """One for a module, with two kept zones."""
    return make_market(zones=("UTC", "Europe/Berlin"), rates={"USD/EUR": "0.9"})


@pytest.fixture
def market(one_market) -> Market:
    """Empty."""
    one_market.sql(
        "TRUNCATE stall_sale, stall_dealer, stats_source, stats_pending_day, stats_day_sum,"
        " stats_day_member, stats_report"
    )
    return one_market


@pytest.fixture
def staff(market) -> Person:
    """Somebody who sees all."""
    return market.person(sees_all=True)
