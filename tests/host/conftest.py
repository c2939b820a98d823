"""Fixtures of the host's own tests: an application with blueprints of the test; jobs' bench."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import redis
from sqlalchemy import create_engine

from torg import (
    cache,
    config,
    contracts,
    db,
    events,
    http,
    i18n,
    identity,
    limits,
    openapi,
    plugins,
    problems,
    ready_answers,
    testing_people,
)
from torg.config import HostSettings, Settings
from torg.idempotency import IdempotencyRecord
from torg.identity import IdentityRow
from torg.manifest import Manifest
from torg.testing_faults import FaultProxy


def _make_tables(url: str) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
    tables = [IdentityRow.__table__, IdempotencyRecord.__table__]
    db.Base.metadata.create_all(engine, tables=tables)
    engine.dispose()


@pytest.fixture
def proxy(fault_proxy: Any, torg_environment: Any) -> FaultProxy:
    """A relay in front of the test session's Redis, to be hung, refused or cut."""
    relay: FaultProxy = fault_proxy(
        torg_environment.redis_url.removeprefix("unix://").partition("?")[0]
    )
    return relay


@pytest.fixture
def distant_redis_url(proxy: FaultProxy) -> str:
    """The address of Redis behind the relay."""
    return "redis://{}:{}".format(*proxy.address)


@pytest.fixture
def server(torg_environment: Any) -> Iterator[redis.Redis]:
    """The test session's Redis itself."""
    client = redis.Redis.from_url(torg_environment.redis_url)
    yield client
    client.close()


@pytest.fixture(scope="session")
def api_database(torg_environment: Any) -> Iterator[str]:
    """The address of one database for all tests of this file's applications."""
    name = f"torg_api_{os.getpid()}"
    url = torg_environment.create(name)
    _make_tables(url)
    yield url
    torg_environment.drop(name)


@pytest.fixture
def make_api(
    torg_environment: Any, api_database: str, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """Makes applications that serve the given blueprints, with people and a real database."""
    apps: list[Any] = []
    store = redis.Redis.from_url(torg_environment.redis_url)
    store.flushall()
    store.close()

    def make(*blueprints: Any, **host: Any) -> Any:
        settings = HostSettings(
            **{
                "database_url": api_database,
                "redis_url": torg_environment.redis_url,
                "data_dir": str(tmp_path),
                "demo": True,
                "base_url": "https://torg.example",
                **host,
            }
        )
        app = http.Application("torg")
        app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
        app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": 20}
        config.init(app, Settings.build(settings))
        db.init(app)
        for part in (contracts, events, identity, i18n, problems, http, limits, cache):
            part.init(app)
        ready_answers.init(app)
        plugins.init(app, [], extra=[testing_people])
        app.extensions["torg.testing"] = testing_people.People(app)
        openapi.init(app)
        for blueprint in blueprints:
            name = blueprint.name
            openapi.mount(
                app, Manifest(name, name, "1", Path(), name.title(), url_prefix=name), [blueprint]
            )
        openapi.finish(app)
        apps.append(app)
        return app

    yield make
    for app in apps:
        with app.app_context():
            db.session.remove()
            for engine in db.db.engines.values():
                engine.dispose()
    with psycopg2.connect(api_database) as connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE torg_identity, torg_idempotency RESTART IDENTITY CASCADE")
    connection.close()
