"""Numbers for Prometheus: requests, SQL, hooks, jobs, cache and mail, by route and by plugin.

Owns the metrics, their names and the page `/metrics`. Those who do the work say what they did:
`observe_request`, `observe_hook`, `observe_job`, `count_cache`, `count_mail`. With several
processes `PROMETHEUS_MULTIPROC_DIR` names their common folder; it must be set before a process
imports this module, which the supervisor of `torg run` does.
"""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import flask
import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from sqlalchemy import text

from torg import __version__, config, db, plugins
from torg.errors import NotFoundError

__all__ = [
    "count_cache",
    "count_mail",
    "forget_process",
    "init",
    "mount",
    "observe_hook",
    "observe_job",
    "observe_request",
    "prepare_directory",
    "registry",
]

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
JOBS_KEPT_SECONDS = 5.0  # so that many scrapers together ask the database once

_log = structlog.get_logger(__name__)
# Without a registry of their own, these would also meet other libraries' metrics.
registry = CollectorRegistry()

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_JOB_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0)

_requests = Histogram(
    "torg_request_seconds",
    "Time of a request inside the application.",
    ["plugin", "route", "method", "status"],
    buckets=_BUCKETS,
    registry=registry,
)
_statements = Counter(
    "torg_request_sql_statements",
    "SQL statements of requests.",
    ["plugin", "route", "method"],
    registry=registry,
)
_sql_seconds = Counter(
    "torg_request_sql_seconds",
    "Time that requests waited for SQL.",
    ["plugin", "route", "method"],
    registry=registry,
)
_hook_calls = Counter(
    "torg_hook_calls", "Calls of hooks.", ["plugin", "hook", "outcome"], registry=registry
)
_hook_seconds = Counter(
    "torg_hook_seconds", "Time spent in hooks.", ["plugin", "hook"], registry=registry
)
_jobs = Histogram(
    "torg_job_seconds",
    "Time of one attempt of a job.",
    ["plugin", "job", "outcome"],
    buckets=_JOB_BUCKETS,
    registry=registry,
)
_cache = Counter("torg_cache_reads", "Reads of the cache.", ["cache", "outcome"], registry=registry)
_mails = Counter("torg_mails", "Mails handed over.", ["template", "outcome"], registry=registry)

# Clients may send any word as a method, and each would be a series of its own.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SHORT = {status: f"{status // 100}xx" for status in range(100, 600)}


class _Amount(Protocol):
    def inc(self, amount: float = 1) -> None: ...


# Finding a metric's child by its labels costs more than counting; each is looked up once.
_request_children: dict[tuple[str, str, str, str], tuple[Any, _Amount, _Amount]] = {}


def init(app: flask.Flask) -> None:
    """Set up the numbers that are read when they are asked for: queues and states."""
    app.extensions["torg.metrics"] = _Present(app)


def mount(app: flask.Flask) -> None:
    """Meter the hooks of plugins, and add `/metrics` unless it is switched off."""
    plugins.registry(app).observe = observe_hook
    if config.of(app).host.metrics_enabled:
        app.add_url_rule("/metrics", "torg_metrics", _page, methods=["GET"])


def observe_request(
    plugin: str,
    route: str,
    method: str,
    status: int,
    seconds: float,
    statements: int = 0,
    sql_seconds: float = 0.0,
) -> None:
    """Note one answered request.

    Args:
        plugin: whose route it is; "host" for the host's own.
        route: the template (`/api/v1/news/<int:article_id>`), never the path: paths have no
            end and each would be a series of its own. "" when no route matched.
        method: the HTTP method.
        status: the status code; kept as its class, such as "4xx".
        seconds: from the arrival to the finished answer.
        statements: SQL statements run for it.
        sql_seconds: time waited for them.
    """
    if method not in _METHODS:
        method = "other"
    key = (plugin, route, method, _SHORT.get(status, "other"))
    children = _request_children.get(key)
    if children is None:
        children = _request_children[key] = (
            _requests.labels(*key),
            _statements.labels(*key[:3]),
            _sql_seconds.labels(*key[:3]),
        )
    children[0].observe(seconds)
    if statements:
        children[1].inc(statements)
        children[2].inc(sql_seconds)


def observe_hook(plugin: str, hook: str, seconds: float, failed: bool) -> None:
    """Note one call of a plugin's hook."""
    _hook_calls.labels(plugin, hook, "error" if failed else "ok").inc()
    _hook_seconds.labels(plugin, hook).inc(seconds)


def observe_job(job: str, outcome: str, seconds: float) -> None:
    """Note one attempt of a job.

    Args:
        job: its full name, `<plugin>.<job>`.
        outcome: how it ended: "done", "retried", "dead", "parked".
        seconds: from claim to commit.
    """
    _jobs.labels(job.split(".", 1)[0], job, outcome).observe(seconds)


def count_cache(cache: str, outcome: str) -> None:
    """Note one read: whose cache (a plugin's name), and "hit", "miss" or "away"."""
    _cache_child(cache, outcome).inc()


@lru_cache(maxsize=256)
def _cache_child(cache: str, outcome: str) -> Counter:
    return _cache.labels(cache, outcome)


def count_mail(template: str, outcome: str) -> None:
    """Note one mail: "sent", "failed" or "skipped"."""
    _mails.labels(template, outcome).inc()


def prepare_directory(directory: Path) -> None:
    """Empty the common folder before the first process starts; numbers begin at zero then."""
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.db"):
        old.unlink(missing_ok=True)


def forget_process(process_id: int) -> None:
    """Drop the live numbers of a process that has ended; its counters stay counted."""
    if os.environ.get(DIRECTORY_VARIABLE):
        mark_process_dead(process_id)  # type: ignore[no-untyped-call]


class _Present:
    """Numbers that are true now and stand in the database, so any process can tell them."""

    def __init__(self, app: flask.Flask) -> None:
        self._app = app
        self._lock = Lock()
        self._kept: tuple[float, list[Metric]] = (0.0, [])

    def collect(self) -> Iterator[Metric]:
        """Called by the client library for each scrape."""
        yield _build()
        yield _states(self._app)
        with self._lock:
            moment, families = self._kept
            if time.monotonic() - moment > JOBS_KEPT_SECONDS or not families:
                families = self._queue()
                self._kept = (time.monotonic(), families)
        yield from families

    def _queue(self) -> list[Metric]:
        waiting = GaugeMetricFamily("torg_jobs", "Jobs by state.", labels=["plugin", "state"])
        age = GaugeMetricFamily(
            "torg_job_oldest_due_seconds",
            "How long the oldest due job has been waiting.",
            labels=["plugin"],
        )
        readable = GaugeMetricFamily("torg_database_up", "Whether the queue could be read.", 1.0)
        try:
            with db.unit_of_work("read", self._app) as session:
                rows = session.execute(_QUEUE).all()
        except Exception as error:
            # Numbers must not fail because the database does: that is when they are looked at.
            _log.warning("metrics_without_database", error=type(error).__name__)
            return [GaugeMetricFamily("torg_database_up", "Whether the queue could be read.", 0.0)]
        oldest: dict[str, float] = {}
        for plugin, state, count, seconds in rows:
            waiting.add_metric([plugin, state], count)
            oldest[plugin] = max(oldest.get(plugin, 0.0), float(seconds or 0.0))
        for plugin, seconds in oldest.items():
            age.add_metric([plugin], seconds)
        return [waiting, age, readable]


_QUEUE = text(
    """
    SELECT plugin, state, count(*),
           max(extract(epoch FROM clock_timestamp() - run_at))
             FILTER (WHERE state = 'queued' AND run_at <= clock_timestamp())
    FROM torg_outbox WHERE state <> 'done' GROUP BY plugin, state
    """
)


def _build() -> Metric:
    family = GaugeMetricFamily("torg_build", "The version that runs.", labels=["version"])
    family.add_metric([__version__], 1)
    return family


def _states(app: flask.Flask) -> Metric:
    family = GaugeMetricFamily(
        "torg_plugin_state", "1 for the state a plugin is in.", labels=["plugin", "state"]
    )
    for name, plugin in sorted(plugins.registry(app).plugins.items()):
        family.add_metric([name, str(plugin.state)], 1)
    return family


def render(app: flask.Flask) -> bytes:
    """All numbers of all processes in Prometheus' text format."""
    answer = CollectorRegistry()
    if os.environ.get(DIRECTORY_VARIABLE):
        MultiProcessCollector(answer)  # type: ignore[no-untyped-call]
        parts: list[Callable[[], bytes]] = [lambda: generate_latest(answer)]
    else:
        parts = [lambda: generate_latest(registry)]
    present = CollectorRegistry()
    present.register(app.extensions["torg.metrics"])
    parts.append(lambda: generate_latest(present))
    return b"".join(part() for part in parts)


def _page() -> flask.Response:
    if not _may_read():
        raise NotFoundError
    application = flask.current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    return flask.Response(render(application), content_type=CONTENT_TYPE_LATEST)


def _may_read() -> bool:
    """With the token, or from this machine itself when no token is set."""
    host = config.settings().host
    token = host.metrics_token.get_secret_value()
    if token:
        given = flask.request.headers.get("Authorization", "")
        expected = f"Bearer {token}".encode()
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected)
    # Behind a proxy everybody comes from its address, so only an unforwarded request counts.
    forwarded = "X-Forwarded-For" in flask.request.headers or "Forwarded" in flask.request.headers
    return not forwarded and _is_local(flask.request.remote_addr)


def _is_local(address: str | None) -> bool:
    from torg.config_host import is_loopback

    return address is not None and is_loopback(address)
