"""A shop with accounts and the fixed addresses, on a real database, asked over HTTP."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text

from torg import cache, db
from torg.testing import AppMaker, Environment
from torg_auth.services import access
from torg_auth.services.accounts import NewAccount, add_user
from torg_auth.services.passwords import hasher

_numbers = itertools.count(1)
PASSWORD = "a fine long sentence"


@dataclass(frozen=True)
class Person:
    """Somebody with an account: confirmed, and signed in at `/api/login/`."""

    id: int
    username: str
    headers: dict[str, str]


@dataclass
class Stall:
    """An application with the fixed addresses."""

    app: Any

    @property
    def client(self) -> Any:
        """Asks it."""
        return self.app.test_client()

    def work(self, act: Callable[[], Any]) -> Any:
        """What `act()` returns, committed."""
        return db.in_transaction(act, self.app)

    def person(self, *, verified: bool = True, role: str = "user") -> Person:
        """Somebody new, with a token from `/api/login/`."""
        name = f"person{next(_numbers)}"

        def make() -> int:
            new = NewAccount(name, f"{name}@people.example", "")
            added = add_user(new, hasher().hash(PASSWORD), verified=verified)
            access.add_roles(added.id, [role])
            return int(added.id)

        number = self.work(make)
        body = {"username": name, "password": PASSWORD}
        token = self.client.post("/api/login/", json=body).json["token"]
        return Person(number, name, {"Authorization": f"Bearer {token}"})

    def products(self, number: int, *, price: int = 1999, currency: str = "EUR") -> list[int]:
        """New products with stock and two tags each; their ids."""
        first = next(_numbers) * 1_000_000

        def make() -> list[int]:
            ids = db.session.scalars(_PRODUCTS, {
                "first": first, "last": first + number - 1, "price": price, "currency": currency,
            }).all()  # fmt: skip
            db.session.execute(_STOCK, {"ids": ids})
            db.session.execute(_TAGS, {"ids": ids})
            cache.invalidate("shop.catalogue")
            return list(ids)

        return list(self.work(make))

    def set_up_category(self, name: str, parent: int | None = None) -> int:
        """A new category; its id."""
        values = {"name": name, "slug": f"{name.lower()}-{next(_numbers)}", "parent": parent}
        return int(self.work(lambda: db.session.scalar(_CATEGORY, values)))


_CATEGORY = text(
    "INSERT INTO shop_category (name, slug, parent_id) VALUES (:name, :slug, :parent) RETURNING id"
)
_PRODUCTS = text(
    "INSERT INTO shop_product (name, description, sku, price_minor, currency)"
    " SELECT 'Thing ' || n, 'It is number ' || n || '.', 'S-' || n, :price, :currency"
    " FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) n RETURNING id"
)
_STOCK = text(
    "INSERT INTO shop_stock_level (product_id, on_hand) SELECT unnest(CAST(:ids AS bigint[])), 1000"
)
_TAGS = text(
    "WITH tags AS (INSERT INTO shop_tag (name) VALUES ('new'), ('loud') ON CONFLICT (name)"
    " DO UPDATE SET is_active = true RETURNING id)"
    " INSERT INTO shop_product_tag (product_id, tag_id)"
    " SELECT p, t.id FROM unnest(CAST(:ids AS bigint[])) p, tags t"
)


@pytest.fixture(scope="module")
def make_stall(
    torg_environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Stall]]:
    """Makes applications on databases of their own, for a module."""
    maker = AppMaker(torg_environment, tmp_path_factory.mktemp("classic"))

    def make(*plugins: str, **options: Any) -> Stall:
        chosen = list(plugins) or ["auth", "shop", "classic"]
        return Stall(maker(chosen, rate_limits={"*": "off"}, **options))

    yield make
    maker.close()


@pytest.fixture(scope="module")
def stall(make_stall: Callable[..., Stall]) -> Stall:
    """One for a module."""
    return make_stall()


@pytest.fixture
def fresh(make_stall: Callable[..., Stall]) -> Stall:
    """One with nothing in it."""
    return make_stall()
