"""What the tests of jobs work with: an application, its database, and real processes around it.

A pytest plugin; a test file asks for it with `pytest_plugins = ("work_bench",)`.
"""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg2
import psycopg2.extras
import pytest
import redis
import work_plugin
from sqlalchemy import create_engine

from torg import db, jobs, outbox
from torg.testing_processes import eventually

EMPTY = (
    "TRUNCATE work_effect, torg_outbox, torg_outbox_progress, torg_schedule, torg_schedule_tick,"
    " torg_heartbeat, torg_identity RESTART IDENTITY CASCADE"
)
_numbers = itertools.count(1)
FARM = Path(__file__).with_name("work_farm.py")


class _UndoError(Exception):
    """Rolls a transaction back."""


class Farm:
    """Real processes; `close` leaves none behind, killed and paused ones included."""

    def __init__(self, database_url: str, redis_url: str, queues: str = "") -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(FARM), database_url, redis_url, queues],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._read() == "ready"
        self.alive: list[int] = []

    def start(self, kind: str = "worker") -> int:
        """A new process; returns its id."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{kind}\n")
        self._process.stdin.flush()
        child = int(self._read())
        self.alive.append(child)
        return child

    def kill(self, child: int) -> None:
        """`kill -9`."""
        os.kill(child, signal.SIGKILL)
        self.alive.remove(child)

    def wait_for_end(self, child: int, seconds: float = 20.0) -> None:
        """Wait until a child that was asked to stop is gone."""
        eventually(lambda: not Path(f"/proc/{child}").exists(), seconds)
        self.alive.remove(child)

    def close(self) -> None:
        """End everything."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


class Bench:
    """One fresh database, applications on it, and processes beside them."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        self.database_url = database_url
        self.redis_url = redis_url
        self._apps: list[Any] = []
        self._farms: list[Farm] = []
        self.sql(EMPTY)
        self.app = self.build()

    def build(self, redis_url: str | None = None, **options: Any) -> Any:
        """A further application on the same database."""
        url = self.redis_url if redis_url is None else redis_url
        app = work_plugin.build(self.database_url, url, **options)
        self._apps.append(app)
        return app

    @property
    def redis_path(self) -> tuple[str, int] | str:
        """Where Redis listens, for a fault proxy in front of it."""
        parts = urlsplit(self.redis_url)
        return unquote(parts.path) if parts.scheme == "unix" else (parts.hostname, parts.port)

    def farm(self, queues: str = "", redis_url: str | None = None) -> Farm:
        """Somewhere to start real processes from."""
        url = self.redis_url if redis_url is None else redis_url
        farm = Farm(self.database_url, url, queues)
        self._farms.append(farm)
        return farm

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Run a statement in a transaction of its own and return its rows."""
        connection = psycopg2.connect(self.database_url)
        try:
            connection.autocommit = True
            with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute(statement, values)
                return [dict(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            connection.close()

    def enqueue(self, job: str, payload: dict[str, Any] | None = None, **options: Any) -> Any:
        """Put a job in, in a committed transaction."""
        with db.unit_of_work("write", self.app):
            return outbox.enqueue(job, payload, **options)

    def roll_back(self, action: Callable[[], object]) -> None:
        """Do something in a transaction that is then rolled back."""
        with contextlib.suppress(_UndoError), db.unit_of_work("write", self.app):
            action()
            raise _UndoError

    def row(self, job_id: int) -> dict[str, Any]:
        """A job as the database has it."""
        return self.sql("SELECT * FROM torg_outbox WHERE id = %s", job_id)[0]

    def effects(self) -> list[dict[str, Any]]:
        """The traces of handlers, in order."""
        return self.sql("SELECT * FROM work_effect ORDER BY at")

    def run(self) -> int:
        """Run what is due, in this process."""
        return jobs.run_due(self.app)

    def hurry(self) -> None:
        """Make every waiting job due now."""
        self.sql("UPDATE torg_outbox SET run_at = now() - interval '1 s' WHERE state <> 'done'")

    def until(self, fact: Callable[[], object], seconds: float = 30.0) -> None:
        """Wait for a fact."""
        eventually(fact, seconds)

    def close(self) -> None:
        """End processes and connections."""
        for farm in self._farms:
            farm.close()
        for app in self._apps:
            with app.app_context():
                db.session.remove()
                for engine in db.db.engines.values():
                    engine.dispose()


def make_database(environment: Any, name: str) -> str:
    """A migrated database with the table of traces; returns its address."""
    url: str = environment.create(name, environment.template(["work"], migrate))
    return url


def migrate(url: str) -> None:
    from torg import migrate as migrations
    from torg.migration_streams import host_stream

    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
    migrations.upgrade_engine(engine, [host_stream()])
    with engine.begin() as connection:
        connection.exec_driver_sql(work_plugin.TABLE)
    engine.dispose()


@pytest.fixture(scope="module")
def work_database(torg_environment: Any) -> Iterator[str]:
    """A migrated database for the benches of one file."""
    name = f"torg_work_{os.getpid()}_{next(_numbers)}"
    yield make_database(torg_environment, name)
    torg_environment.drop(name)


@pytest.fixture
def bench(torg_environment: Any, work_database: str) -> Iterator[Any]:
    """An emptied database with an application of jobs only, and real processes beside it."""
    store = redis.Redis.from_url(torg_environment.redis_url)
    store.flushall()
    store.close()
    with contextlib.closing(Bench(work_database, torg_environment.redis_url)) as made:
        yield made
