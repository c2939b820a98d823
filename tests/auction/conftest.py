"""Auctions on a real database, with and without the application around them."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import psycopg2.extras
import pytest

from torg.testing import AppMaker, Environment, People, Person

PEOPLE = 300
_numbers = itertools.count(1)


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
        self.all("SELECT 1")
        with self._connection.cursor() as cursor:
            return place(cursor, auction_id, bidder_id, amount, **more)

    def past_bids(
        self, auction_id: int, bids: list[tuple[int, int]], at: datetime, owner_id: int = 1
    ) -> None:
        """Write plain leading bids of an auction that is over: (bidder, amount)."""
        ends_at = self.state(auction_id).ends_at
        for seq, (bidder, amount) in enumerate(bids, start=1):
            self.all(
                "INSERT INTO auction_bid VALUES (%s, %s, %s, %s, %s, true, false, %s, %s)",
                *(auction_id, seq, owner_id, bidder, amount, ends_at, at),
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


@pytest.fixture(scope="module")
def make_site(
    torg_environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., "Site"]]:
    """Makes applications with auctions, on databases of their own, for a module."""
    maker = AppMaker(torg_environment, tmp_path_factory.mktemp("auction"))
    yield lambda **settings: Site(maker(["auction"], **settings))
    maker.close()


@pytest.fixture(scope="module")
def site(make_site) -> "Site":
    """The application of this module; each test brings its people and auctions."""
    return make_site()


@pytest.fixture(scope="module")
def make_database(make_site) -> Iterator[Callable[[], Database]]:
    """Makes migrated databases with people 1 to `PEOPLE` and no auctions."""
    made = []

    def make() -> Database:
        made.append(make_site().database)
        made[-1].all("INSERT INTO torg_identity SELECT FROM generate_series(1, %s)", PEOPLE)
        return made[-1]

    yield make
    for database in made:
        database.close()


@pytest.fixture(scope="module")
def database(make_database) -> Database:
    """The plain database of this module; each test brings its auctions."""
    return make_database()


@pytest.fixture(scope="session")
def bidding() -> Callable[..., Any]:
    """The function `place`, for tests that bid on many connections."""
    return place


@dataclass
class Site:
    """An application with auctions and its people, spoken to over HTTP."""

    app: Any
    database: Database = field(init=False)

    def __post_init__(self) -> None:
        url = self.app.config["SQLALCHEMY_DATABASE_URI"]
        self.database = Database(url.replace("postgresql+psycopg2://", "postgresql://"))

    @property
    def people(self) -> People:
        """The people of the test kit."""
        return self.app.extensions["torg.testing"]

    def person(self, name: str = "person", **facts: Any) -> Person:
        """Somebody new, whose name begins so."""
        return self.people.add(f"{name}{next(_numbers)}", **facts)

    def call(
        self, method: str, path: str = "", person: Person | None = None, **options: Any
    ) -> Any:
        """A request below `/api/v1/auctions`."""
        headers = {**(person.headers if person else {}), **options.pop("headers", {})}
        return self.app.test_client().open(
            f"/api/v1/auctions{path}", method=method, headers=headers, **options
        )

    def get(self, path: str = "", person: Person | None = None, **query: Any) -> Any:
        """The body of a GET that succeeds."""
        answer = self.call("GET", path, person, query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.json

    @staticmethod
    def terms() -> dict[str, Any]:
        """The body of a plain auction: from 10.00, step 1.00, for an hour."""
        ends_at = datetime.now(UTC) + timedelta(hours=1)
        return {
            "title": "A clock",
            "description": "It goes.",
            "starting_price": euro("10.00"),
            "bid_increment": euro("1.00"),
            "ends_at": ends_at.isoformat(),
        }

    def create(self, owner: Person | None = None, **changes: Any) -> Any:
        """The body of an auction that was just created; None leaves a field out."""
        body = {**self.terms(), **changes}
        body = {name: value for name, value in body.items() if value is not None}
        answer = self.call("POST", "", owner or self.person("owner"), json=body)
        assert answer.status_code == 201, answer.text
        return answer.json

    def bid(self, auction_id: int, person: Person, amount: str | None = None, **more: Any) -> Any:
        """The answer to a bid; `maximum` for a secret one."""
        headers = more.pop("headers", {})
        body = {} if amount is None else {"amount": euro(amount)}
        if "maximum" in more:
            body["max_amount"] = euro(more.pop("maximum"))
        body |= more
        return self.call("POST", f"/{auction_id}/bids", person, json=body, headers=headers)

    def ended(self, owner: Person, bids: list[tuple[Person, int]] = (), **columns: Any) -> int:
        """An auction that ended a moment ago and that nobody has closed yet."""
        lot = self.database.auction(owner_id=owner.id, ends_in=-0.5, **columns)
        placed = self.database.state(lot).starts_at
        self.database.past_bids(
            lot, [(person.id, amount) for person, amount in bids], placed, owner_id=owner.id
        )
        return lot


def euro(amount: str) -> dict[str, str]:
    """An amount as the API writes it."""
    return {"amount": amount, "currency": "EUR"}
