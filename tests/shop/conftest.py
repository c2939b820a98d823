"""A shop on a real database, asked over HTTP."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from torg import db
from torg.testing import AppMaker, Environment, Person

_numbers = itertools.count(1)


@dataclass
class Shop:
    """An application with the shop; every call is a unit of work of its own."""

    app: Any

    def work(self, act: Callable[[], Any]) -> Any:
        """What `act()` returns, committed."""
        return db.in_transaction(act, self.app)

    def person(self, **facts: Any) -> Person:
        """Somebody new."""
        return self.app.extensions["torg.testing"].add(f"person{next(_numbers)}", **facts)


@pytest.fixture(scope="module")
def make_shop(
    torg_environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Shop]]:
    """Makes applications with the shop, on databases of their own, for a module."""
    maker = AppMaker(torg_environment, tmp_path_factory.mktemp("shop"))

    def make(
        *more: str, storage_url: str | None = None, sandbox: bool = False, **section: Any
    ) -> Shop:
        host = {} if storage_url is None else {"storage_url": storage_url}
        sections: dict[str, dict[str, object]] = {"shop": section}
        if sandbox:
            sections["wallet"] = {"sandbox": True}
        return Shop(maker([*more, "shop"], sections=sections, **host))

    yield make
    maker.close()


@pytest.fixture(scope="module")
def shop(make_shop) -> Shop:
    """One shop for a module."""
    return make_shop()


STAFF = ("shop.catalogue.manage", "shop.stock.manage")


class Staff:
    """Somebody who runs the catalogue, by HTTP."""

    def __init__(self, shop: Shop) -> None:
        self.client = shop.app.test_client()
        self.headers = shop.person(permissions=STAFF).headers

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """One call below `/api/v1/shop/admin/`."""
        return self.client.open(
            f"/api/v1/shop/admin/{path}",
            method=method,
            json=body,
            headers={**self.headers, **headers},
        )

    def make(self, path: str, **body: Any) -> Any:
        """Something new; its JSON."""
        answer = self.call("POST", path, body)
        assert answer.status_code == 201, answer.json
        return answer.json

    def product(self, **facts: Any) -> Any:
        """A new product; its JSON."""
        number = next(_numbers)
        price = {"amount": "10.00", "currency": "EUR"}
        given = {"name": f"Thing {number}", "sku": f"S-{number}", "price": price, **facts}
        return self.make("products", **given)


@pytest.fixture(scope="module")
def staff(shop) -> Staff:
    """Somebody who runs the catalogue."""
    return Staff(shop)


@pytest.fixture(scope="session")
def make_staff() -> type[Staff]:
    """`make_staff(shop)`: somebody who runs another shop's catalogue."""
    return Staff


@pytest.fixture
def fresh(make_shop) -> Shop:
    """An empty shop."""
    return make_shop()
