"""The wallet on a real database: books spoken to through the contract, in SQL and over HTTP."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg2
import psycopg2.extras
import pytest

from torg import contracts, db
from torg.db import unit_of_work
from torg.money import Money
from torg.testing import AppMaker, Environment, Person
from torg_ledger import AccountKind, Balance, Entry, Ledger

_numbers = itertools.count(1)


def euro(minor: int) -> Money:
    """So many cents."""
    return Money(minor, "EUR")


@dataclass
class Books:
    """An application with the wallet; every call is a unit of work of its own."""

    app: Any

    def run(self, act: Callable[[Ledger], Any]) -> Any:
        """What `act(ledger)` returns, committed, repeated where the host would repeat it."""
        return db.in_transaction(lambda: act(contracts.require("ledger")), self.app)

    def person(self, name: str = "person", **facts: Any) -> Person:
        """Somebody new, whose name begins so."""
        return self.app.extensions["torg.testing"].add(f"{name}{next(_numbers)}", **facts)

    def account(self, minor: int = 0, owner: Person | None = None, **facts: Any) -> int:
        """A person's account with so much money in it."""
        owner = owner or self.person()
        opened = self.run(lambda ledger: ledger.open_account("main", "EUR", owner_id=owner.id))
        if minor:
            self.fund(opened, minor)
        return opened

    def house(self, code: str = "test:bank", kind: AccountKind = AccountKind.ASSET) -> int:
        """An account of the house."""
        return self.run(lambda ledger: ledger.open_account(code, "EUR", kind=kind))

    def fund(self, account: int, minor: int) -> None:
        """Put money from outside on an account."""
        bank = self.house()
        self.move(bank, account, minor)

    def move(self, source: int, target: int, minor: int, key: str | None = None) -> Any:
        """Post a plain transfer."""
        entries = [Entry(source, euro(-minor)), Entry(target, euro(minor))]
        named = key or f"move:{next(_numbers)}"
        return self.run(
            lambda ledger: ledger.post(entries, source="test", purpose="move", key=named)
        )

    def balance(self, account: int) -> Balance:
        """The balance of an account."""
        return self.run(lambda ledger: ledger.balance(account))

    def held(self, account: int, minor: int, **facts: Any) -> Any:
        """Hold money."""
        named = {"key": f"hold:{next(_numbers)}", "expires_at": None, **facts}
        return self.run(
            lambda ledger: ledger.hold(
                account, euro(minor), source="test", purpose="order", **named
            )
        )

    def prove(self) -> list[dict[str, str]]:
        """What the proof finds."""
        from torg_wallet.services import proving

        with unit_of_work("read", self.app):
            return proving.prove()["findings"]

    def connect(self) -> Any:
        """A connection of its own, autocommit, past the application."""
        url = self.app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg2", "")
        connection = psycopg2.connect(url, cursor_factory=psycopg2.extras.NamedTupleCursor)
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

    def call(
        self, method: str, path: str = "", person: Person | None = None, **options: Any
    ) -> Any:
        """A request below `/api/v1/wallet`."""
        headers = {**(person.headers if person else {}), **options.pop("headers", {})}
        # Read to its end and closed, as a server does it.
        options.setdefault("buffered", True)
        return self.app.test_client().open(
            f"/api/v1/wallet{path}", method=method, headers=headers, **options
        )

    def get(self, path: str, person: Person, **query: Any) -> Any:
        """The body of a GET that succeeds."""
        answer = self.call("GET", path, person, query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.json


@pytest.fixture(scope="module")
def make_books(
    torg_environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Books]]:
    """Makes applications with the wallet, on databases of their own, for a module."""
    maker = AppMaker(torg_environment, tmp_path_factory.mktemp("wallet"))
    yield lambda **settings: Books(maker(["wallet"], **settings))
    maker.close()


@pytest.fixture(scope="module")
def books(make_books) -> Books:
    """The books of this module; each test opens accounts of its own."""
    return make_books()
