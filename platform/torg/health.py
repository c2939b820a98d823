"""Is this process alive, and can it serve? `/health/live` and `/health/ready`.

Owns the checks' frame: each runs in a thread of its own with a time limit, answers are kept for a
second, and one slow part never hides the others. What the host checks stands in
`torg.health_checks`; plugins bring theirs by the hook `torg_health`.

A part is `ok`, `degraded` or `failing`. Ready answers 503 only when a part fails without which
requests cannot be served: the database, its migrations, a required plugin, or a plugin's check that
is marked so. Redis, workers, the scheduler, mail and storage may be away while pages, logins, bids
and orders go on; taking every web server out of the balancer for them would turn a small trouble
into a large one. They are named with `degraded`, and `/health/ready?strict=true` answers 503 for
them too, for those who want an alarm rather than a route.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any, Literal

import flask
import structlog
from psycopg2.errors import UndefinedTable
from sqlalchemy.exc import ProgrammingError

from torg import __version__, config

__all__ = [
    "Degraded",
    "Failing",
    "HealthCheck",
    "Part",
    "Report",
    "init",
    "mount",
    "readiness",
    "register",
    "withdraw",
]

EXTENSION = "torg.health"
KEPT_SECONDS = 1.0
Status = Literal["ok", "degraded", "failing"]

_log = structlog.get_logger(__name__)


class Failing(Exception):  # noqa: N818 - an outcome of a check, not a mistake
    """Raised by a check: it does not work; the text is shown to everybody, so no secret in it."""


class Degraded(Exception):  # noqa: N818 - an outcome of a check, not a mistake
    """Raised by a check: it works, but not as it should; the text says how and what to do."""


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One thing that can be looked at.

    Attributes:
        name: what the answer calls it; a plugin's gets its plugin's name in front.
        check: returns a note for people or None; raises `Degraded` when it limps, `Failing` or any
            other error when it fails (of others only the class is shown). Runs in a thread of its
            own inside an application context, outside of any request, and must change nothing.
        critical: whether no request can be served without it: then a failure answers 503.
        kept_seconds: how long an outcome may be shown again before it is looked at anew.
    """

    name: str
    check: Callable[[], str | None]
    critical: bool = False
    kept_seconds: float = KEPT_SECONDS


@dataclass(frozen=True, slots=True)
class Part:
    """The outcome of one check."""

    name: str
    status: Status
    critical: bool
    detail: str = ""
    milliseconds: float = 0.0

    def as_json(self) -> dict[str, object]:
        """As it stands in the answer."""
        shown: dict[str, object] = {"status": self.status, "milliseconds": self.milliseconds}
        if self.detail:
            shown["detail"] = self.detail
        return shown


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was looked at."""

    parts: tuple[Part, ...]

    @property
    def status(self) -> Status:
        """The worst that counts: a part that is not critical degrades at most."""
        if any(part.critical and part.status == "failing" for part in self.parts):
            return "failing"
        return "ok" if all(part.status == "ok" for part in self.parts) else "degraded"

    @property
    def failing(self) -> list[str]:
        """Names of the parts that are not ok, the failing ones first."""
        bad = [part for part in self.parts if part.status != "ok"]
        return [part.name for part in sorted(bad, key=lambda part: part.status != "failing")]

    def as_json(self) -> dict[str, object]:
        """The answer of `/health/ready`."""
        return {
            "status": self.status,
            "version": __version__,
            "failing": self.failing,
            "parts": {part.name: part.as_json() for part in self.parts},
        }


@dataclass
class _Running:
    """A check of one application: its last outcome, and the run that is under way."""

    check: HealthCheck
    plugin: str = "host"
    last: Part | None = None
    at: float = 0.0
    under_way: Future[Part] | None = None
    since: float = 0.0


@dataclass
class _Health:
    """The checks of one application."""

    timeout_seconds: float
    running: dict[str, _Running] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def init(app: flask.Flask) -> None:
    """Begin with the host's own checks."""
    from torg import health_checks

    app.extensions[EXTENSION] = _Health(config.of(app).host.health_timeout_seconds)
    for check in health_checks.of_host(app):
        register(app, "host", check)


def register(app: flask.Flask, plugin: str, check: HealthCheck) -> None:
    """Add a check; a plugin's is named `<plugin>.<name>`.

    Raises:
        ValueError: there is one of this name already.
    """
    name = check.name if plugin == "host" else f"{plugin}.{check.name}"
    running = _health(app).running
    if name in running:
        raise ValueError(f"two health checks are called {name!r}")
    running[name] = _Running(check, plugin)


def withdraw(app: flask.Flask, plugin: str) -> None:
    """Take back all checks of a plugin."""
    health = _health(app)
    health.running = {
        name: running for name, running in health.running.items() if running.plugin != plugin
    }


def mount(app: flask.Flask) -> None:
    """Add the two routes. Neither needs the database to answer."""
    app.add_url_rule("/health/live", "torg_health_live", _live, methods=["GET"])
    app.add_url_rule("/health/ready", "torg_health_ready", _ready, methods=["GET"])


def readiness(app: flask.Flask) -> Report:
    """Look at every part, each within its time limit; fresh outcomes are used again."""
    health = _health(app)
    now = time.monotonic()
    waiting: list[_Running] = []
    with health.lock:
        for name, running in health.running.items():
            if running.under_way is not None and running.under_way.done():
                _take_in(running)
            fresh = running.last is not None and now - running.at < running.check.kept_seconds
            if fresh:
                continue
            if running.under_way is None:
                running.under_way = _begin(app, name, running)
                running.since = now
            waiting.append(running)
    # Whoever comes meanwhile waits for the same runs: a check never runs twice at a time.
    wait([run.under_way for run in waiting if run.under_way], timeout=health.timeout_seconds)
    with health.lock:
        return Report(tuple(_outcome(name, each) for name, each in health.running.items()))


def _outcome(name: str, running: _Running) -> Part:
    if running.under_way is not None and running.under_way.done():
        _take_in(running)
    if running.under_way is None and running.last is not None:
        return running.last
    seconds = time.monotonic() - running.since
    detail = f"no answer for {seconds:.1f} s"
    return Part(name, "failing", running.check.critical, detail, round(seconds * 1000, 1))


def _take_in(running: _Running) -> None:
    assert running.under_way is not None
    running.last = running.under_way.result()
    running.at = time.monotonic()
    running.under_way = None


def _begin(app: flask.Flask, name: str, running: _Running) -> Future[Part]:
    """Run the check in a thread of its own: a pool would be used up by checks that hang."""
    outcome: Future[Part] = Future()
    former = running.last.status if running.last is not None else "ok"

    def run() -> None:
        outcome.set_result(_look(app, name, running.check, former))

    threading.Thread(target=run, name=f"health-{name}", daemon=True).start()
    return outcome


def _look(app: flask.Flask, name: str, check: HealthCheck, former: Status) -> Part:
    started = time.perf_counter()
    status: Status = "ok"
    cause = ""
    try:
        with app.app_context():
            detail = check.check() or ""
    except Degraded as limp:
        status, detail = "degraded", str(limp)
    except Failing as failure:
        status, detail, cause = "failing", str(failure), str(failure.__cause__ or failure)
    except ProgrammingError as error:
        # Before the first upgrade there is nothing that could be asked.
        missing = isinstance(error.orig, UndefinedTable)
        detail = "its tables wait for torg db upgrade" if missing else type(error).__name__
        status, cause = "failing", str(error)
    except Exception as error:
        # The answer is public, and messages of drivers name hosts and users: they stay in the log.
        status, detail, cause = "failing", type(error).__name__, str(error)
    if status != former:
        # Once for each change; probes come every few seconds.
        _log.warning("health_changed", part=name, status=status, detail=detail, cause=cause)
    took = round((time.perf_counter() - started) * 1000, 1)
    return Part(name, status, check.critical, detail, took)


def _health(app: flask.Flask) -> _Health:
    found: _Health = app.extensions[EXTENSION]
    return found


def _live() -> flask.Response:
    return _answer({"status": "ok", "version": __version__}, 200)


def _ready() -> flask.Response:
    application: Any = flask.current_app
    report = readiness(application._get_current_object())  # noqa: SLF001 - the proxy's own door
    strict = flask.request.args.get("strict", "").lower() in {"1", "true", "yes"}
    bad = report.status == "failing" or (strict and report.status != "ok")
    return _answer(report.as_json(), 503 if bad else 200)


def _answer(body: dict[str, object], status: int) -> flask.Response:
    answer = flask.jsonify(body)
    answer.status_code = status
    answer.headers["Cache-Control"] = "no-store"
    if status == 503:
        answer.headers["Retry-After"] = "5"
    return answer
