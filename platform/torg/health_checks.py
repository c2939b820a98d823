"""What the host looks at for `/health/ready`: each part is one small function.

Owns the checks and the words for people; the frame that runs them is `torg.health`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import flask
from flask import current_app
from redis.exceptions import RedisError
from sqlalchemy import exc, text
from sqlalchemy.exc import InterfaceError, OperationalError

from torg import config, db, heartbeats, mail, migrate, plugins, redis_client, storage
from torg.health import Degraded, Failing, HealthCheck
from torg.plugins import State

WORKER_FRESH_SECONDS = 30.0
QUEUE_LATE_SECONDS = 60.0
_SLOW_PARTS_KEPT_SECONDS = 30.0  # a mail server must not be knocked at every second


def of_host(app: flask.Flask) -> list[HealthCheck]:
    """The host's own checks, in the order in which they are shown."""
    return [
        HealthCheck("database", _database, critical=True),
        HealthCheck("migrations", _migrations, critical=True, kept_seconds=5.0),
        HealthCheck("plugins", _plugins, critical=True),
        HealthCheck("redis", _redis),
        HealthCheck("worker", lambda: _process("worker")),
        HealthCheck("scheduler", lambda: _process("scheduler")),
        HealthCheck("queue", _queue, kept_seconds=5.0),
        HealthCheck("mail", _mail, kept_seconds=_SLOW_PARTS_KEPT_SECONDS),
        HealthCheck("storage", _storage, kept_seconds=_SLOW_PARTS_KEPT_SECONDS),
    ]


def _app() -> flask.Flask:
    return current_app._get_current_object()  # type: ignore[attr-defined,no-any-return]  # noqa: SLF001


def _database() -> str | None:
    with _reading() as session:
        session.execute(text("SELECT 1"))
    return None


@contextmanager
def _reading() -> Iterator[Any]:
    """A unit of work whose failure is told without the driver's words."""
    try:
        with db.unit_of_work("read", _app()) as session:
            yield session
    except (OperationalError, InterfaceError) as error:
        raise Failing("the database does not answer") from error
    except exc.TimeoutError as error:
        raise Failing("no database connection is free; see database_pool_size") from error


def _migrations() -> str | None:
    """An optional plugin that waits for its tables is off by itself; the rest serves."""
    try:
        waiting = migrate.pending(_app())
    except OperationalError as error:
        raise Failing("the database does not answer") from error
    if not waiting:
        return None
    registry = plugins.registry()
    words = "waiting for torg db upgrade: " + ", ".join(
        f"{name} ({len(revisions)})" for name, revisions in sorted(waiting.items())
    )
    needed = {name for name, plugin in registry.plugins.items() if plugin.required}
    if migrate.HOST in waiting or needed & set(waiting):
        raise Failing(words)
    raise Degraded(words)


def _plugins() -> str | None:
    registry = plugins.registry()
    off = {
        name: plugin
        for name, plugin in sorted(registry.plugins.items())
        if plugin.state is not State.DISABLED
        and (plugin.state is not State.ACTIVE or plugin.reason)
    }
    if not off:
        return f"{len(registry.active())} active"
    # Reasons may quote messages of code we do not know, so the public answer names states only.
    words = ", ".join(
        f"{name} is {plugin.state}" + (" with an error" if plugin.state is State.ACTIVE else "")
        for name, plugin in off.items()
    )
    words += "; torg plugins list says why"
    if any(plugin.required for plugin in off.values()):
        raise Failing(words)
    raise Degraded(words)


def _redis() -> str | None:
    if not config.settings().host.redis_url:
        return "not used"
    try:
        redis_client.client().ping()
    except RedisError as error:
        message = "Redis does not answer: jobs start a little later, caches are off"
        raise Failing(message) from error
    return None


def _process(kind: str) -> str | None:
    with _reading():
        sign = heartbeats.latest(WORKER_FRESH_SECONDS).get(kind)
    if sign is None:
        raise Failing(f"no {kind} is running: start one with  torg run {kind}")
    if not sign.processes:
        age = int(sign.age_seconds)
        raise Failing(f"no {kind} has been seen for {age} s: start one with  torg run {kind}")
    return f"{sign.processes} running"


def _queue() -> str | None:
    with _reading() as session:
        due, age, dead = session.execute(_QUEUE).one()
    if age is not None and age > QUEUE_LATE_SECONDS:
        raise Degraded(f"{due} jobs are due, the oldest for {int(age)} s")
    return f"{dead} dead: torg jobs list --state dead" if dead else None


_QUEUE = text(
    """
    SELECT count(*) FILTER (WHERE state = 'queued'),
           extract(epoch FROM clock_timestamp()
                   - min(run_at) FILTER (WHERE state = 'queued')),
           count(*) FILTER (WHERE state = 'dead')
    FROM torg_outbox
    WHERE (state = 'queued' AND run_at <= clock_timestamp()) OR state = 'dead'
    """
)


def _mail() -> str | None:
    host = config.settings().host
    if not mail.is_delivered() and not (host.demo or host.debug):
        raise Degraded("mails are kept here and nobody receives them: set TORG_MAIL_URL")
    try:
        mail.check()
    except mail.MailError as error:
        message = "the mail server cannot be used; mails wait and are tried again"
        raise Failing(message) from error
    return None


def _storage() -> str | None:
    storage.current().check()
    return None
