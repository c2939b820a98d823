"""The test kit: a pytest plugin that gives plugin authors the host, whole and real.

Fixtures only. Tests run against real PostgreSQL and Valkey servers, started once a session, and
every test has a freshly migrated database of its own. The ini option `torg_plugins` names the
plugins of `app`; `make_app` takes any others.
"""

import contextlib
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import flask
import pytest
import redis
from sqlalchemy import Engine, event

from torg import prepared, testing_inputs, testing_people, testing_servers
from torg.testing_faults import FaultProxy
from torg.testing_people import People, Person
from torg.testing_processes import Deployment
from torg.testing_servers import Environment

__all__ = ["Deployment", "Environment", "FaultProxy", "People", "Person"]

_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the ini option `torg_plugins`."""
    parser.addini("torg_plugins", "plugins of the fixture app", type="args", default=[])


@pytest.fixture(scope="session")
def torg_environment() -> Iterator[Environment]:
    """Real PostgreSQL and Valkey servers for this session."""
    environment = testing_servers.start()
    try:
        yield environment
    finally:
        environment.stop()


@dataclass
class AppMaker:
    """Makes applications on databases of their own; `make_app(["auth"], demo=True)`.

    Redis is empty when a maker begins: what is kept there for one database is wrong for the next.
    """

    environment: Environment
    directory: Path
    _apps: list[flask.Flask] = field(default_factory=list)
    _databases: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Empty Redis."""
        with contextlib.closing(redis.Redis.from_url(self.environment.redis_url)) as store:
            store.flushall()

    def __call__(
        self,
        plugins: list[str],
        *,
        sections: dict[str, dict[str, object]] | None = None,
        **host: Any,
    ) -> Any:
        """A ready application with these plugins, migrated.

        Args:
            plugins: names of installed plugins.
            sections: settings of plugins, by plugin.
            **host: settings of the host.
        """
        template = self.environment.template(
            [*plugins, str(_wants_people(plugins))], lambda url: _migrate(url, plugins, self._host)
        )
        name = f"torg_test_{os.getpid()}_{next(_numbers)}"
        url = self.environment.create(name, template)
        self._databases.append(name)
        app = _create(url, plugins, sections, {**self._host(), **host})
        self._apps.append(app)
        return app

    def adopt(self, database: str) -> None:
        """Drop a database that a test has made by itself, too."""
        self._databases.append(database)

    def _host(self) -> dict[str, Any]:
        return {
            "redis_url": self.environment.redis_url,
            "data_dir": str(self.directory),
            "debug": True,
            "log_level": "error",
            "database_pool_size": 20,
        }

    def close(self) -> None:
        """Let go of every connection and database."""
        from torg import db

        for app in self._apps:
            with app.app_context():
                db.session.remove()
                for engine in db.db.engines.values():
                    engine.dispose()
        for name in self._databases:
            self.environment.drop(name)


def _wants_people(names: list[str]) -> bool:
    return not _people_providers(tuple(sys.path)) & set(names)


@lru_cache(maxsize=8)
def _people_providers(path: tuple[str, ...]) -> frozenset[str]:
    """The installed plugins that know people; looked up once, because it reads every package."""
    from torg.manifest import discover

    del path  # a test that puts a package on it must not get the answer from before
    return frozenset(each.name for each in discover() if "users" in each.provides)


def _create(
    url: str,
    names: list[str],
    sections: dict[str, dict[str, object]] | None,
    host: dict[str, Any],
) -> Any:
    from torg.app import create_app
    from torg.config import HostSettings, Settings

    settings = HostSettings(database_url=url, plugins=tuple(names), **host)
    extra = [testing_people] if _wants_people(names) else []
    return create_app(Settings.build(settings, sections), extra=extra)


def _migrate(url: str, names: list[str], host: Callable[[], dict[str, Any]]) -> None:
    from torg import db, migrate

    app = _create(url, names, None, host())
    migrate.upgrade(app)
    with app.app_context():
        db.session.remove()
        for engine in db.db.engines.values():
            engine.dispose()


@pytest.fixture
def make_app(torg_environment: Environment, tmp_path: Path) -> Iterator[AppMaker]:
    """Makes applications with chosen plugins and settings."""
    maker = AppMaker(torg_environment, tmp_path)
    try:
        yield maker
    finally:
        maker.close()


@pytest.fixture
def app(make_app: AppMaker, request: pytest.FixtureRequest) -> Any:
    """An application with the plugins that the ini option `torg_plugins` names."""
    return make_app(list(request.config.getini("torg_plugins")))


@pytest.fixture
def client(app: flask.Flask) -> Any:
    """A client that nobody is signed in with."""
    return app.test_client()


@pytest.fixture
def people(app: flask.Flask) -> People:
    """Makes people with any permissions (only where no enabled plugin provides `users`)."""
    found: People = app.extensions["torg.testing"]
    return found


@pytest.fixture
def run_jobs(app: flask.Flask) -> Callable[..., int]:
    """Runs every job that is due, in this process, and returns how many ran."""
    from torg import jobs

    def run(**arguments: Any) -> int:
        return jobs.run_due(app, **arguments)

    return run


@pytest.fixture
def mailbox(app: flask.Flask) -> Any:
    """The mails that the file adapter has caught; `run_jobs()` sends what is queued."""
    from torg import mail

    return mail.Mailbox(app)


@dataclass
class Count:
    """SQL statements that ran inside a `with count_queries() as count` block."""

    statements: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many."""
        return len(self.statements)


@pytest.fixture
def count_queries() -> Callable[[], contextlib.AbstractContextManager[Count]]:
    """Counts the SQL statements of a block, on every engine of the process."""

    @contextlib.contextmanager
    def counting() -> Iterator[Count]:
        count = Count()

        def note(_conn: Any, _cursor: Any, sql: str, *_rest: Any) -> None:
            count.statements.append(sql)

        event.listen(Engine, "before_cursor_execute", note)
        prepared.observers.append(count.statements.append)
        try:
            yield count
        finally:
            event.remove(Engine, "before_cursor_execute", note)
            prepared.observers.remove(count.statements.append)

    return counting


@pytest.fixture
def bad_inputs() -> Any:
    """The corpus of hostile input: see `torg.testing_inputs`."""
    return testing_inputs


@pytest.fixture
def fault_proxy() -> Iterator[Callable[[tuple[str, int] | str], FaultProxy]]:
    """Makes relays that hang, refuse or cut on demand."""
    with contextlib.ExitStack() as proxies:
        yield lambda target: proxies.enter_context(FaultProxy(target))


@pytest.fixture
def deploy(make_app: AppMaker, tmp_path: Path) -> Iterator[Callable[..., Deployment]]:
    """Runs the real processes: `deploy(["auth"]).web()`, `.worker()`, `.scheduler()`.

    Their database is a fresh, migrated one; further settings are `TORG_…` variables.
    """
    deployments: list[Deployment] = []

    def deploying(plugins: list[str], **environ: str) -> Deployment:
        app = make_app(plugins)
        directory = tmp_path / f"deployment-{len(deployments)}"
        directory.mkdir()
        deployment = Deployment(
            {
                "TORG_DATABASE_URL": app.config["SQLALCHEMY_DATABASE_URI"],
                "TORG_REDIS_URL": make_app.environment.redis_url,
                "TORG_PLUGINS": ",".join(plugins),
                "TORG_DATA_DIR": str(directory),
                "TORG_SECRET_KEY": app.config["SECRET_KEY"],
                "TORG_LOG_LEVEL": "warning",
                **environ,
            },
            directory,
            app,
        )
        deployments.append(deployment)
        return deployment

    try:
        yield deploying
    finally:
        for deployment in deployments:
            deployment.close()
