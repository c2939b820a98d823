"""What the shop's measurements run on: a filled shop, served with and without kept answers.

Owns servers, data and tokens of a run, and the buyers whose carts are filled anew for each round.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import text

from bench.market import BALANCED, THREADS, WORKERS, hello_server
from torg import db, embedded
from torg.testing_processes import Deployment
from torg_auth.domain.access import USER
from torg_auth.services import access
from torg_auth.services.accounts import NewAccount, add_user
from torg_auth.services.callers import present_caller
from torg_auth.services.sessions import open_session
from torg_shop.generating import generate
from torg_shop.generating_orders import generate_orders

PRODUCTS, BUYERS = 10_000, 1_500
_LINES = 2


@dataclass(frozen=True)
class Filled:
    """A running shop, its yardstick and its buyers.

    Attributes:
        hello: address of plain Flask.
        web: address of the shop.
        uncached: address of the same shop with `cache_seconds = 0`.
        app: an application of this process on the same database.
        environ: the variables that its processes got.
        buyers: identities, with the tokens they sign in by.
    """

    hello: str
    web: str
    uncached: str
    app: Any
    environ: dict[str, str]
    database_url: str
    buyers: tuple[int, ...]
    tokens: tuple[str, ...]


@contextlib.contextmanager
def opened(buyers: int = BUYERS, past_orders: int = 10_000) -> Iterator[Filled]:
    """Start servers and web processes, fill in the data, stop all at the end."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="torg-bench-")))
        directory.chmod(0o755)
        servers = stack.enter_context(embedded.start(directory))
        environ = _environment(servers, directory)
        deployment = Deployment(environ, directory)
        stack.callback(deployment.close)
        upgraded = deployment.start("db", "upgrade")
        if upgraded.process.wait(120):
            raise SystemExit(upgraded.output())
        os.environ.update(environ)
        app, people, tokens = _fill(buyers, past_orders)
        hello = stack.enter_context(hello_server(directory))
        web, _ = deployment.web()
        uncached, _ = deployment.web(TORG_SHOP_CACHE_SECONDS="0")
        yield Filled(hello, web, uncached, app, environ, servers.database_url, people, tokens)


def _environment(servers: embedded.Servers, directory: Path) -> dict[str, str]:
    return {
        "TORG_DATABASE_URL": servers.database_url,
        "TORG_REDIS_URL": servers.redis_url,
        "TORG_PLUGINS": "auth,shop",
        "TORG_DATA_DIR": str(directory / "data"),
        "TORG_SECRET_KEY": "a key for measurements 0123456789 abcdef",
        "TORG_WEB_WORKERS": str(WORKERS),
        "TORG_WEB_THREADS": str(THREADS),
        "TORG_LOG_LEVEL": "warning",
        **BALANCED,
    }


def _fill(buyers: int, past_orders: int) -> tuple[Any, tuple[int, ...], tuple[str, ...]]:
    from torg.app import create_app

    app = create_app()
    with db.unit_of_work(app=app):
        for table, first in _FIRST_IDS.items():
            db.session.execute(text(f"ALTER TABLE {table} ALTER COLUMN id RESTART WITH {first}"))
        people = [_person(number) for number in range(buyers)]
        tokens = [open_session(each, present_caller()).token for each in people]
    with db.unit_of_work(app=app):
        random = Random(1)
        generate(random, PRODUCTS)
        generate_orders(random, past_orders, db.database_now(), people)
        # Enough of everything: stock decides no round.
        db.session.execute(text("UPDATE shop_stock_level SET on_hand = 1000000000"))
        db.session.execute(_CARTS, {"people": people})
    with db.unit_of_work("statement", app):
        db.session.execute(text("ANALYZE"))
    return app, tuple(people), tuple(tokens)


def _person(number: int) -> int:
    new = NewAccount(f"buyer{number}", f"buyer{number}@people.example", "")
    added = add_user(new, "no password: nobody signs in here", verified=True)
    access.add_roles(added.id, [USER])
    return int(added.id)


# Ids that are no other number: they are looked for in statements that were noted.
_FIRST_IDS = {
    "torg_identity": 51_000_001,
    "shop_product": 61_000_001,
    "shop_cart": 71_000_001,
    "shop_order": 81_000_001,
}
_CARTS = text("INSERT INTO shop_cart (owner_id) SELECT unnest(CAST(:people AS bigint[]))")
_FILL = text("""
INSERT INTO shop_cart_line (cart_id, product_id, quantity, seen_price_minor, seen_currency)
SELECT c.id, p.id, 1 + n, p.price_minor, p.currency
  FROM shop_cart c CROSS JOIN generate_series(0, :lines - 1) n
  JOIN shop_product p ON p.id = (SELECT min(id) FROM shop_product) + (c.id * 7 + n) % :products
 WHERE c.owner_id = ANY (CAST(:people AS bigint[]))
ON CONFLICT DO NOTHING
""")


def fill_carts(shop: Filled) -> None:
    """Put two products into the cart of every buyer."""
    given = {"lines": _LINES, "products": PRODUCTS, "people": list(shop.buyers)}
    with db.unit_of_work(app=shop.app):
        db.session.execute(_FILL, given)


_MORE = text("""
WITH made AS (
    INSERT INTO shop_product (name, description, sku, price_minor, currency, category_id,
                              attributes)
    SELECT name, description, sku || '-' || n, price_minor, currency, category_id, attributes
      FROM shop_product CROSS JOIN generate_series(1, :times) n ORDER BY n, id RETURNING id, sku
), matched AS (
    SELECT m.id, p.id AS like_id FROM made m
      JOIN shop_product p ON p.sku = regexp_replace(m.sku, '-[0-9]+$', '')
), tagged AS (
    INSERT INTO shop_product_tag (product_id, tag_id)
    SELECT m.id, t.tag_id FROM matched m JOIN shop_product_tag t ON t.product_id = m.like_id
), shown AS (
    INSERT INTO shop_media (product_id, key, thumbnail_key, alt)
    SELECT m.id, i.key, i.thumbnail_key, i.alt FROM matched m
      JOIN shop_media i ON i.product_id = m.like_id
)
INSERT INTO shop_stock_level (product_id, on_hand) SELECT id, 50 FROM matched
""")


def make_ten_times_as_many(app: Any) -> None:
    """Copy every product nine times, with tags and pictures."""
    with db.unit_of_work(app=app):
        db.session.execute(_MORE, {"times": 9})
    with db.unit_of_work("statement", app):
        db.session.execute(text("ANALYZE"))
