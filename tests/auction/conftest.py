"""Auctions on a real database, with and without the application around them."""

import contextlib
import importlib.util
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extras
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine

from torg.testing import Environment

_numbers = itertools.count(1)
PEOPLE = 300
ROOT = Path(__file__).parents[2]


def _migrate(url: str) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
    with engine.begin() as connection:
        context = MigrationContext.configure(connection)
        with Operations.context(context):
            for folder in ("migrations", "plugins/auction/torg_auction/migrations"):
                for path in sorted((ROOT / folder / "versions").glob("*_0*.py")):
                    spec = importlib.util.spec_from_file_location(path.stem, path)
                    module = importlib.util.module_from_spec(spec)
                    spec.loader.exec_module(module)
                    module.upgrade()
    engine.dispose()


@dataclass
class Database:
    """A migrated database with `PEOPLE` identities, spoken to in plain SQL."""

    url: str
    _connection: Any = None

    def connect(self) -> Any:
        """An autocommit connection, as a bid of the application uses one."""
        connection = psycopg2.connect(
            self.url, cursor_factory=psycopg2.extras.NamedTupleCursor, options="-c timezone=UTC"
        )
        connection.autocommit = True
        return connection

    @contextlib.contextmanager
    def cursor(self) -> Iterator[Any]:
        """A cursor on a connection of its own."""
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            yield cursor

    def all(self, sql: str, *parameters: Any) -> list[Any]:
        """The rows of a query."""
        if self._connection is None:
            self._connection = self.connect()
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()

    def one(self, sql: str, *parameters: Any) -> Any:
        """The one row of a query."""
        (row,) = self.all(sql, *parameters)
        return row

    def auction(self, **columns: Any) -> int:
        """Insert an auction; starts an hour ago and ends in an hour unless told otherwise.

        `starts_in` and `ends_in` are seconds from now, for the convenience of tests.
        """
        starts_in, ends_in = columns.pop("starts_in", -3600), columns.pop("ends_in", 3600)
        values = {
            "owner_id": 1,
            "title": "A clock",
            "description": "It goes.",
            "currency": "EUR",
            "starting_price_minor": 1000,
            "bid_increment_minor": 100,
            **columns,
        }
        names = ", ".join(values)
        marks = ", ".join(["%s"] * len(values))
        return self.one(
            f"INSERT INTO auction_auction ({names}, starts_at, scheduled_ends_at) VALUES ({marks},"
            " clock_timestamp() + %s * interval '1 second',"
            " clock_timestamp() + %s * interval '1 second') RETURNING id",
            *values.values(),
            starts_in,
            ends_in,
        ).id

    def state(self, auction_id: int) -> Any:
        """The state of an auction."""
        return self.one("SELECT * FROM auction_state WHERE auction_id = %s", auction_id)

    def bids(self, auction_id: int) -> list[Any]:
        """The log of an auction."""
        return self.all("SELECT * FROM auction_bid WHERE auction_id = %s ORDER BY seq", auction_id)

    def bid(self, auction_id: int, bidder_id: int, amount: int | None = None, **more: Any) -> Any:
        """Call the function that a bid is."""
        with self.cursor() as cursor:
            return place(cursor, auction_id, bidder_id, amount, **more)

    def past_bids(self, auction_id: int, bids: list[tuple[int, int]], at: datetime) -> None:
        """Write plain leading bids of an auction that is over: (bidder, amount)."""
        ends_at = self.state(auction_id).ends_at
        for seq, (bidder, amount) in enumerate(bids, start=1):
            self.all(
                "INSERT INTO auction_bid VALUES (%s, %s, 1, %s, %s, true, false, %s, %s)",
                *(auction_id, seq, bidder, amount, ends_at, at),
            )


def place(
    cursor: Any,
    auction_id: int,
    bidder_id: int,
    amount: int | None = None,
    *,
    maximum: int | None = None,
    currency: str = "EUR",
    expected: int | None = None,
    function: str = "auction_place_bid",
) -> Any:
    """One bid, by the database function, on a given connection."""
    cursor.execute(
        f"SELECT * FROM {function}(%s, %s, %s, %s, %s, %s, 'request-1')",
        (auction_id, bidder_id, amount, maximum, currency, expected),
    )
    return cursor.fetchone()


@pytest.fixture(scope="session")
def database_template(torg_environment: Environment) -> str:
    return torg_environment.template(["auction-sql"], _fill)


def _fill(url: str) -> None:
    _migrate(url)
    database = Database(url)
    database.all("INSERT INTO torg_identity SELECT FROM generate_series(1, %s)", PEOPLE)
    database.close()


@pytest.fixture(scope="module")
def database(torg_environment: Environment, database_template: str) -> Iterator[Database]:
    """A migrated database of this module with people 1 to `PEOPLE` and no auctions."""
    name = f"torg_auction_{os.getpid()}_{next(_numbers)}"
    database = Database(torg_environment.create(name, database_template))
    yield database
    database.close()
    torg_environment.drop(name)


@pytest.fixture(scope="session")
def bidding() -> Callable[..., Any]:
    """The function `place`, for tests that bid on many connections."""
    return place
