"""The market on a real database: filled by services, moved by the real runs, asked over HTTP."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg2
import psycopg2.extras
import pytest

from torg import contracts, db
from torg.db import unit_of_work
from torg.money import Money
from torg.testing import AppMaker, Environment, Person
from torg_autotrade.services import catalogue, offers, participants, promotions, runs
from torg_ledger import AccountKind, Entry

_numbers = itertools.count(1)
START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def euro(minor: int) -> Money:
    """So many cents."""
    return Money(minor, "EUR")


@dataclass
class Market:
    """An application with wallet and market; every call is a unit of work of its own.

    `now` is the moved clock of the runs; `later` moves it.
    """

    app: Any
    now: datetime = START
    people: dict[int, Person] = field(default_factory=dict)

    def work(self, act: Callable[[], Any]) -> Any:
        """What `act()` returns, committed."""
        return db.in_transaction(act, self.app)

    def later(self, **span: float) -> None:
        """Move the clock."""
        self.now += timedelta(**span)

    def person(self, minor: int = 0, **facts: Any) -> Person:
        """Somebody new with so much money."""
        made = self.app.extensions["torg.testing"].add(f"person{next(_numbers)}", **facts)
        self.people[made.id] = made
        if minor:
            self.fund(made, minor)
        return made

    def fund(self, person: Person, minor: int, code: str = "main") -> int:
        """Put money from outside on a person's account."""

        def act() -> int:
            ledger = contracts.require("ledger")
            bank = ledger.open_account("test:bank", "EUR", kind=AccountKind.ASSET)
            account = ledger.open_account(code, "EUR", owner_id=person.id)
            entries = [Entry(bank, euro(-minor)), Entry(account, euro(minor))]
            ledger.post(entries, source="test", purpose="fund", key=f"fund:{next(_numbers)}")
            return account

        return self.work(act)

    def car(self, **facts: Any) -> int:
        """A model in the catalogue."""
        given = {
            "make": "Skoda",
            "model": f"Model {next(_numbers)}",
            "body_type": "sedan",
            "fuel_type": "petrol",
            "transmission": "manual",
            "engine": "",
            "model_year": 2026,
            "car_class": "middle",
            **facts,
        }
        return self.work(lambda: catalogue.create(given))

    def supplier(self, prices: dict[int, int] | None = None, tiers: Any = None) -> int:
        """A supplier with prices by model and tiers {units: per cent}."""
        owner = self.person()

        def act() -> int:
            given = {"name": f"Supplier {next(_numbers)}", "founded_year": 1950, "country": "DE"}
            made = participants.create("supplier", owner.identity, given)
            for model, minor in (prices or {}).items():
                participants.set_price(owner.identity, made, model, euro(minor), self.now)
            participants.set_tiers("supplier", owner.identity, made, _tiers(tiers))
            return made

        return self.work(act)

    def dealer(
        self, minor: int = 100_000_000, tiers: Any = None, owner: Person | None = None, **facts: Any
    ) -> int:
        """A dealer with so much money, preferring everything unless told otherwise."""
        owner = owner or self.person()
        if minor:
            self.fund(owner, minor)
        given = {
            "name": f"Dealer {next(_numbers)}",
            "country": "DE",
            "city": "Hamburg",
            "preferences": {},
            "margin_percent": Decimal("10.00"),
            "spend_per_run": euro(1_000_000_000),
            "target_stock": 5,
            **facts,
        }

        def act() -> int:
            made = participants.create("dealer", owner.identity, given)
            if minor:
                participants.move_money(
                    "dealer", owner.identity, made, euro(minor), "in", f"in:{made}"
                )
            participants.set_tiers("dealer", owner.identity, made, _tiers(tiers))
            return made

        return self.work(act)

    def owner(self, kind: str, number: int) -> Person:
        """Whose a dealer or supplier is."""
        (row,) = self.sql(f"SELECT owner_id FROM autotrade_{kind} WHERE id = %s", number)
        return self.people[row.owner_id]

    def promote(self, kind: str, number: int, **facts: Any) -> int:
        """A promotion in force from a day ago for ten days, 10 % unless told otherwise."""
        given = {
            "title": "Sale",
            f"{kind}_id": number,
            "starts_at": self.now - timedelta(days=1),
            "ends_at": self.now + timedelta(days=10),
            **({"percent": Decimal("10.00")} if "amount" not in facts else {}),
            **facts,
        }
        owner = self.owner(kind, number)
        return self.work(lambda: promotions.create(owner.identity, given))

    def offer(self, person: Person, model: int | None, minor: int, **facts: Any) -> int:
        """An offer at the moved clock."""
        given = {"car_model_id": model, "max_price": euro(minor), **facts}
        return self.work(lambda: offers.place(person.id, given, now=self.now, is_tried=False))

    def run(self, kind: str, **options: Any) -> Any:
        """Run a job at the moved clock."""
        with self.app.app_context():
            return runs.run(kind, **{"now": self.now, "is_told": False, **options})

    def found(self, offer_id: int) -> Any:
        """An offer as it stands."""
        (row,) = self.sql("SELECT * FROM autotrade_offer WHERE id = %s", offer_id)
        return row

    def sales(self) -> list[Any]:
        """All sales."""
        return self.sql("SELECT * FROM autotrade_sale ORDER BY id")

    def stock(self, dealer_id: int, model: int) -> Any:
        """A stock line."""
        (row,) = self.sql(
            "SELECT * FROM autotrade_dealer_stock WHERE dealer_id = %s AND car_model_id = %s",
            dealer_id,
            model,
        )
        return row

    def connect(self) -> Any:
        """A connection of its own, autocommit, past the application."""
        url = self.app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg2", "")
        options = "-c timezone=UTC"
        cursor = psycopg2.extras.NamedTupleCursor
        connection = psycopg2.connect(url, cursor_factory=cursor, options=options)
        connection.autocommit = True
        return connection

    def sql(self, statement: str, *parameters: Any) -> list[Any]:
        """Rows of a statement, past the application."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def work_sql(self, statement: str, *parameters: Any) -> None:
        """A change past the application."""
        self.sql(statement, *parameters)

    def prove(self) -> list[Any]:
        """What the proofs of the ledger and of the market find."""
        from torg_autotrade.services import proving as market_proving
        from torg_wallet.services import proving

        with unit_of_work("read", self.app):
            return [*proving.prove()["findings"], *market_proving.prove()]

    def call(
        self, method: str, path: str = "", person: Person | None = None, **options: Any
    ) -> Any:
        """A request below `/api/v1/autotrade`."""
        headers = {**(person.headers if person else {}), **options.pop("headers", {})}
        return self.app.test_client().open(
            f"/api/v1/autotrade{path}", method=method, headers=headers, **options
        )

    def get(self, path: str = "", person: Person | None = None, **query: Any) -> Any:
        """The body of a GET that succeeds."""
        answer = self.call("GET", path, person, query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.json

    def send(
        self, method: str, path: str, person: Person, body: Any, status: int = 201, **more: Any
    ) -> Any:
        """The body of a request with a body that succeeds with this status."""
        answer = self.call(method, path, person, json=body, **more)
        assert answer.status_code == status, answer.text
        return answer.json if answer.data else None


def _tiers(tiers: Any) -> list[dict[str, Any]]:
    return [
        {"at_purchases": at, "percent": Decimal(percent)} for at, percent in (tiers or {}).items()
    ]


@pytest.fixture(scope="module")
def make_market(
    torg_environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Market]]:
    """Makes applications with wallet and market, on databases of their own, for a module."""
    maker = AppMaker(torg_environment, tmp_path_factory.mktemp("autotrade"))

    def make(**section: Any) -> Market:
        return Market(maker(["wallet", "autotrade"], sections={"autotrade": section}))

    yield make
    maker.close()


@pytest.fixture
def market(make_market) -> Market:
    """A fresh market: what a run does depends on everything in it."""
    return make_market()
