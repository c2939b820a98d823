"""The market's runs: statements, time and time for each offer or dealer, as the market grows.

Run alone with `python -m bench.autotrade`, or with `python -m bench --autotrade`. Everything is on
one machine: two cores' worth of a run and of PostgreSQL share it.
"""

import argparse
import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
from sqlalchemy import Engine, event, text

from torg import contracts, db, embedded, migrate, testing_people
from torg.money import Money
from torg_autotrade.services import catalogue, runs
from torg_ledger import AccountKind, Entry, Posting

DEALERS = (10, 100, 1_000)
OFFERS = (200, 10_000, 100_000)
MAKES, MODELS, BUYERS, TARGET = 10, 200, 1_000, 6


@dataclass(frozen=True)
class Figure:
    """What one run cost."""

    name: str
    items: int
    dealt: int
    statements: int
    seconds: float

    def line(self) -> str:
        """As a line of the table."""
        each = 1000 * self.seconds / self.items
        return (
            f"{self.name:<28}{self.items:>9,}{self.dealt:>10,}{self.statements:>12,}"
            f"{self.seconds:>10.2f}{each:>12.3f}"
        )


HEADER = (
    f"{'run over':<28}{'items':>9}{'dealt':>10}{'statements':>12}{'seconds':>10}{'ms / item':>12}"
)


def measure(most_dealers: int = 1_000, most_offers: int = 100_000) -> Iterator[Figure]:
    """Every run at every size up to the given ones."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="torg-bench-")))
        directory.chmod(0o755)
        servers = stack.enter_context(embedded.start(directory))
        sizes = [each for each in DEALERS if each <= most_dealers]
        for number in sizes:
            app = _application(servers, directory, number)
            with app.app_context():
                _fill(number)
                yield _run("review", number)
                yield _run("supply", number)
                if number == sizes[-1]:
                    for offers in (each for each in OFFERS if each <= most_offers):
                        _offer(offers)
                        yield _run("sales", offers)
                db.session.remove()
                for engine in db.db.engines.values():
                    engine.dispose()


def _application(servers: Any, directory: Path, number: int) -> Any:
    from torg.app import create_app
    from torg.config import HostSettings, Settings

    name, old = f"market_{number}", servers.database_url

    with contextlib.closing(psycopg2.connect(servers.admin_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} OWNER {urlsplit(old).username}")
    head, _, rest = old.partition("?")
    url = head.rpartition("/")[0] + f"/{name}" + (f"?{rest}" if rest else "")
    host = HostSettings(
        database_url=url,
        redis_url=servers.redis_url,
        data_dir=str(directory / "data"),
        plugins=("wallet", "autotrade"),
        log_level="error",
        secret_key="a key for measurements 0123456789 abcdef",
    )
    app = create_app(Settings.build(host, {}), extra=[testing_people])
    migrate.upgrade(app)
    return create_app(Settings.build(host, {}), extra=[testing_people])


_PEOPLE = text("INSERT INTO torg_identity SELECT FROM generate_series(1, :n)")
_CARS = text("""
INSERT INTO autotrade_car_model (make, model, body_type, fuel_type, transmission, model_year,
                                 car_class)
SELECT 'Make ' || n % :makes, 'Model ' || n, 'sedan', 'petrol', 'manual', 2026, 'middle'
  FROM generate_series(1, :models) AS n
""")
_ACCOUNTS = text("""
INSERT INTO wallet_account (owner_id, code, kind, currency, overdraft_limit_minor)
SELECT n, 'main', 'liability', 'EUR', 0 FROM generate_series(1, :buyers) AS n
UNION ALL
SELECT :buyers + n, 'autotrade:dealer:' || n, 'liability', 'EUR', 0
  FROM generate_series(1, :dealers) AS n
UNION ALL
SELECT :buyers + :dealers + n, 'autotrade:supplier:' || n, 'liability', 'EUR', 0
  FROM generate_series(1, 20) AS n
""")
_TRADERS = text("""
INSERT INTO autotrade_buyer (identity_id, account_id)
SELECT owner_id, id FROM wallet_account WHERE code = 'main' ORDER BY id;
INSERT INTO autotrade_dealer (owner_id, name, country, city, preferences, margin_percent,
                              spend_per_run_minor, currency, target_stock, account_id)
SELECT a.owner_id, 'Dealer ' || n, 'DE', 'Kiel',
       jsonb_build_object('makes', jsonb_build_array('Make ' || n % :makes)), 5 + n % 10,
       1000000000000, 'EUR', :target, a.id
  FROM generate_series(1, :dealers) AS n
  JOIN wallet_account a ON a.code = 'autotrade:dealer:' || n ORDER BY n;
INSERT INTO autotrade_supplier (owner_id, name, founded_year, country, account_id)
SELECT a.owner_id, 'Supplier ' || n, 1990, 'DE', a.id FROM generate_series(1, 20) AS n
  JOIN wallet_account a ON a.code = 'autotrade:supplier:' || n ORDER BY n;
INSERT INTO autotrade_supplier_price (supplier_id, car_model_id, price_minor, currency)
SELECT s.id, m.id, 1000000 + (s.id * 7919 + m.id * 104729) % 100000, 'EUR'
  FROM autotrade_supplier s CROSS JOIN autotrade_car_model m;
INSERT INTO autotrade_supplier_tier (supplier_id, at_purchases, percent)
SELECT id, 10 + id, id % 5 FROM autotrade_supplier;
INSERT INTO autotrade_dealer_tier (dealer_id, at_purchases, percent)
SELECT id, 2, id % 4 FROM autotrade_dealer;
""")
_OFFERS = text("""
INSERT INTO autotrade_offer (buyer_id, car_model_id, max_price_minor, currency, hold_reference)
SELECT b.id, m.id, 2000000, 'EUR', h.reference
  FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS n
  JOIN autotrade_buyer b ON b.id = 1 + n * 31 % :buyers
  JOIN autotrade_car_model m ON m.id = 1 + n % :models
 CROSS JOIN LATERAL wallet_place_hold(b.account_id, 2000000, 'EUR', 'autotrade', 'offer',
                                      'bench:' || :offers || ':' || n, ''::bytea, '', NULL) AS h
 ORDER BY n
""")


def _fill(dealers: int) -> None:
    """Twenty suppliers of two hundred models, dealers that trade in twenty of them each."""
    sizes = {"makes": MAKES, "models": MODELS, "buyers": BUYERS, "dealers": dealers}
    with db.unit_of_work():
        db.session.execute(_PEOPLE, {"n": BUYERS + dealers + 20})
        db.session.execute(_CARS, sizes)
        db.session.execute(_ACCOUNTS, sizes)
        db.session.execute(_TRADERS, {**sizes, "target": TARGET})
        catalogue.match()
        _fund()
    with db.unit_of_work("statement"):
        db.session.execute(text("ANALYZE"))


def _fund() -> None:
    ledger = contracts.require("ledger")
    bank = ledger.open_account("bench:bank", "EUR", kind=AccountKind.ASSET)
    rows = db.session.execute(
        text("SELECT id FROM wallet_account WHERE code <> 'bench:bank' ORDER BY id")
    )
    amount = Money(10**11, "EUR")
    postings = [
        Posting(f"fund:{row.id}", [Entry(bank, -amount), Entry(row.id, amount)]) for row in rows
    ]
    for start in range(0, len(postings), 1_000):
        ledger.settle(postings[start : start + 1_000], source="bench", purpose="fund")


def _offer(offers: int) -> None:
    sizes = {"offers": offers, "buyers": BUYERS, "models": MODELS}
    for first in range(1, offers + 1, 5_000):
        with db.unit_of_work():
            part = {"first": first, "last": min(first + 4_999, offers)}
            db.session.execute(_OFFERS, {**sizes, **part})
    with db.unit_of_work("statement"):
        db.session.execute(text("ANALYZE autotrade_offer"))
        db.session.execute(text("ANALYZE wallet_hold"))


def _run(kind: str, items: int) -> Figure:
    statements = 0

    def note(*_rest: Any) -> None:
        nonlocal statements
        statements += 1

    event.listen(Engine, "before_cursor_execute", note)
    started = time.perf_counter()
    try:
        report = runs.run(kind, is_told=False)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    seconds = time.perf_counter() - started
    what = "offers" if kind == "sales" else "dealers"
    return Figure(f"{kind}: {items:,} {what}", items, report.dealt, statements, seconds)


def report(most_dealers: int = 1_000, most_offers: int = 100_000) -> list[Figure]:
    """Measure, print the curve as it comes, and return it."""
    print("\nThe market's runs; 200 models, 20 suppliers, each dealer trades in 20 models.\n")
    print(HEADER)
    found = []
    for figure in measure(most_dealers, most_offers):
        print(figure.line(), flush=True)
        found.append(figure)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.autotrade")
    parser.add_argument("--dealers", type=int, default=1_000, help="most dealers")
    parser.add_argument("--offers", type=int, default=100_000, help="most offers")
    asked = parser.parse_args()
    report(asked.dealers, asked.offers)


if __name__ == "__main__":
    main()
