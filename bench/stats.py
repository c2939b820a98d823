"""Statistics over a year of facts: making and renewing kept sums, and questions from them.

`python -m bench --stats 10000000` takes that many facts; fewer by default.
"""

import contextlib
import statistics
import tempfile
import time
import types
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import column, select, table, text

from torg import db, embedded, hookimpl, migrate, testing_people
from torg.app import create_app
from torg.config import HostSettings, Settings
from torg.manifest import Manifest
from torg_metrics import Aggregate, Dimension, Facts, Metric, Unit
from torg_stats.domain.periods import Interval, Period
from torg_stats.services import answering, keeping
from torg_stats.services.asking import Question, Viewer

FACTS = 1_000_000
_COLUMNS = ("happened_at", "recorded_at", "dealer", "country", "buyer", "currency", "gross")
_TABLE = """
CREATE TABLE bench_sale (happened_at timestamptz NOT NULL, recorded_at timestamptz NOT NULL,
    dealer int, country text, buyer int, currency text, gross bigint);
INSERT INTO bench_sale
SELECT timestamptz '2025-01-01Z' + n * (interval '365 days' / :facts),
       clock_timestamp(), n * 7919 % 50, chr((65 + n * 31 % 8)::int) || 'X', n * 104729 % 500,
       CASE WHEN n % 10 = 0 THEN 'USD' ELSE 'EUR' END, n % 100000
  FROM generate_series(0::bigint, :facts - 1) AS n;
CREATE INDEX ON bench_sale (happened_at);
CREATE INDEX ON bench_sale USING brin (recorded_at);
"""
_SALES = table("bench_sale", *(column(name) for name in _COLUMNS))
SALES = Facts(
    "bench.sales",
    lambda: select(*_SALES.columns),
    (Dimension("dealer", "Dealer"), Dimension("country", "Country")),
    (("dealer", "country"),),
)
GROSS = Metric("bench.gross", "Gross", Unit.MONEY, SALES, "gross = sum", "gross")
COUNT = Metric("bench.count", "Sales", Unit.COUNT, SALES, "count")
BUYERS = Metric(
    "bench.buyers", "Buyers", Unit.COUNT, SALES, "different", "buyer", Aggregate.DISTINCT
)
_VIEWER = Viewer(1, frozenset({GROSS.permission}))
_YEAR = Period(date(2025, 1, 1), date(2026, 1, 1), "UTC")
_QUESTIONS = {
    "total of the year": Question((GROSS,), (), _YEAR),
    "by dealer": Question((GROSS,), ("dealer",), _YEAR),
    "by day": Question((GROSS,), (), _YEAR, Interval.DAY),
    "by dealer and month": Question((GROSS,), ("dealer",), _YEAR, Interval.MONTH),
    "by dealer and country": Question((GROSS,), ("dealer", "country"), _YEAR, limit=1000),
    "different buyers by month": Question((BUYERS,), (), _YEAR, Interval.MONTH),
}


def report(facts: int = FACTS) -> None:
    """Measure and print."""
    print(f"\nStatistics over a year of {facts:,} facts\n")
    with _application(facts) as app:
        live = {name: _milliseconds(app, each, 1) for name, each in _QUESTIONS.items()}
        seconds = _seconds(app)
        print(f"{'sums of all days made':<36}{seconds:>9.1f} s")
        _tidy(app)
        with db.unit_of_work(app=app):
            db.session.execute(text("INSERT INTO bench_sale SELECT timestamptz '2025-06-01Z',"
                " clock_timestamp(), dealer, country, buyer, currency, gross FROM bench_sale"
                " LIMIT 1000"))  # fmt: skip
        print(f"{'sums after 1,000 more on one day':<36}{_seconds(app):>9.1f} s\n")
        print(f"{'question about the year':<36}{'facts, ms':>11}{'kept, ms':>11}")
        for name, each in _QUESTIONS.items():
            print(f"{name:<36}{live[name]:>11.0f}{_milliseconds(app, each, 9):>11.1f}")
        print("\nexpected: < 200 ms from kept sums")


def _milliseconds(app: Any, asked: Question, times: int) -> float:
    seen = []
    for _ in range(times):
        with db.unit_of_work(app=app):
            started = time.perf_counter()
            answering.answer(asked, _VIEWER)
            seen.append(1000 * (time.perf_counter() - started))
    return statistics.median(seen)


def _seconds(app: Any) -> float:
    started = time.perf_counter()
    db.in_transaction(lambda: keeping.note_changes("bench.sales"), app)
    made: Callable[[], int] = lambda: keeping.make_pending("bench.sales")  # noqa: E731 - a name for it
    while db.in_transaction(made, app):
        pass
    return time.perf_counter() - started


def _tidy(app: Any) -> None:
    """What autovacuum does within minutes."""
    with app.app_context():
        engine = db.db.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for name in ("stats_day_sum", "stats_day_member"):
                connection.execute(text(f"VACUUM ANALYZE {name}"))


@contextlib.contextmanager
def _application(facts: int) -> Iterator[Any]:
    module: Any = types.ModuleType("bench_stall")

    @hookimpl(optionalhook=True)
    def stats_metrics() -> list[Metric]:
        return [GROSS, COUNT, BUYERS]

    module.stats_metrics = stats_metrics
    module.MANIFEST = Manifest("bench", "bench_stall", "1.0", Path(__file__).parent, title="Bench")
    with tempfile.TemporaryDirectory(prefix="torg-bench-") as folder:
        directory = Path(folder)
        directory.chmod(0o755)
        with embedded.start(directory) as servers:
            host = HostSettings(
                database_url=servers.database_url,
                redis_url=servers.redis_url,
                data_dir=str(directory / "data"),
                plugins=("stats",),
                log_level="error",
                secret_key="a key for measurements 0123456789 abcdef",
            )
            built = Settings.build(host, {"stats": {"seconds_at_most": 300}})
            migrate.upgrade(create_app(built, extra=[testing_people, module]))
            app = create_app(built, extra=[testing_people, module])
            with db.unit_of_work(app=app):
                for statement in _TABLE.split(";\n"):
                    if statement.strip():
                        db.session.execute(text(statement), {"facts": facts})
            with db.unit_of_work("read", app):
                db.session.execute(text("ANALYZE bench_sale"))
            yield app
