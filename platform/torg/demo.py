"""The demo's data: what plugins fill in through `torg_demo_data`, once and repeatably.

Owns the `Demo` object that the hook gets, the record of what is filled in (schema `torg_demo`,
which only demo databases have) and what plugins registered for the printed block. Starting the
processes is `demo_commands`', running the background functions is `demo_bots`'.
"""

from __future__ import annotations

import importlib
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import structlog
from flask import Flask
from sqlalchemy import text

from torg import contracts, db, plugins
from torg.command_errors import CommandError
from torg.plugins import Plugin

__all__ = ["PASSWORD", "SEED", "Demo", "Filled", "Login", "Try", "fill"]

SEED = 42
# Known to everybody on purpose: a demo is thrown away and listens on the loopback address only.
PASSWORD = "open-market-square"  # noqa: S105

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Login:
    """Somebody to log in as, printed at the start."""

    username: str
    role: str
    note: str = ""


@dataclass(frozen=True)
class Try:
    """A command to try, printed at the start."""

    title: str
    command: str


@dataclass
class Demo:
    """What a plugin's `torg_demo_data(demo)` is given, and its background functions after it.

    The hook is called once per database, in dependency order, inside a unit of work of its own. The
    same seed and a fresh database give the same data, so draw every chance from `random` and every
    time from `now`.

    Attributes:
        plugin: The plugin that is being filled.
        random: Seeded for this plugin; adding a plugin changes no other plugin's data.
        now: The database's time when this filling began; aware, whole seconds, UTC.
        password: The password of everybody made for the demo.
        base_url: Where the demo will answer, such as `http://127.0.0.1:8000`.
    """

    plugin: str
    random: random.Random
    now: datetime
    base_url: str
    password: str = PASSWORD
    logins: list[Login] = field(default_factory=list)
    tries: list[Try] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event, repr=False)

    def login(self, username: str, role: str, note: str = "") -> None:
        """Have somebody printed among the logins."""
        self.logins.append(Login(username, role, note))

    def show(self, title: str, command: str) -> None:
        """Have a command printed that a newcomer can paste; `{base_url}` is filled in later."""
        self.tries.append(Try(title, command))

    def person(self, username: str) -> int:
        """The identity of somebody that another plugin made, through the contract `users`.

        Raises:
            LookupError: No active plugin knows such a person.
        """
        users = contracts.find("users")
        found = users.find(username) if users is not None else None
        if found is None:
            raise LookupError(f"the demo has no person {username!r}")
        return int(found)

    def background(self, function: Callable[[Demo], object]) -> None:
        """Have a module-level function run in a child process for as long as the demo runs.

        It is called as `function(demo)` in an application context, in a thread of its own, and
        again a while after it raised. It opens its own units of work and leaves when `demo.wait`
        says so.
        """
        if function.__qualname__ != function.__name__:
            raise ValueError(f"{function.__qualname__} is no module-level function")
        self.functions.append(f"{function.__module__}:{function.__name__}")

    def wait(self, seconds: float) -> bool:
        """For background functions: sleep, and tell whether the demo is being stopped."""
        return self._stopping.wait(seconds)

    def stop(self) -> None:
        """Let every background function leave."""
        self._stopping.set()


@dataclass(frozen=True)
class Filled:
    """What is in the database after `fill`, for the printed block.

    Attributes:
        fresh: Plugins filled just now.
        before: Plugins filled by a former start.
        failures: What went wrong, by plugin; their data is not there.
        seconds: How long it took.
    """

    logins: tuple[Login, ...]
    tries: tuple[Try, ...]
    functions: tuple[tuple[str, str], ...]
    fresh: tuple[str, ...]
    before: tuple[str, ...]
    failures: dict[str, str]
    seconds: float


def fill(app: Flask, base_url: str) -> Filled:
    """Let every active plugin that was not yet filled fill its demo data; safe to repeat.

    Raises:
        CommandError: The database holds people of a real deployment.
    """
    started = time.perf_counter()
    with db.unit_of_work(app=app):
        _refuse_real_data()
        for statement in _SCHEMA:
            db.session.execute(text(statement))
        done = set(db.session.scalars(text("SELECT plugin FROM torg_demo.filled")))
        now = db.database_now().replace(microsecond=0)
    fresh, failures = [], {}
    with app.app_context():
        registry = plugins.registry()
        waiting = [each for each in registry.active() if each.name not in done]
    for plugin in waiting:
        try:
            _fill_one(app, plugin, Demo(plugin.name, _chance(plugin.name), now, base_url))
            fresh.append(plugin.name)
        except Exception as error:
            _log.exception("demo_data_failed", plugin=plugin.name)
            failures[plugin.name] = f"{type(error).__name__}: {error}"
    with db.unit_of_work("read", app=app):
        rows = list(
            db.session.execute(text("SELECT plugin, registered FROM torg_demo.filled ORDER BY id"))
        )
    return Filled(
        logins=tuple(Login(**each) for _, found in rows for each in found["logins"]),
        tries=tuple(Try(**each) for _, found in rows for each in found["tries"]),
        functions=tuple((name, each) for name, found in rows for each in found["functions"]),
        fresh=tuple(fresh),
        before=tuple(sorted(done)),
        failures=failures,
        seconds=time.perf_counter() - started,
    )


def function_named(name: str) -> Callable[[Demo], object]:
    """The background function of a registered name `module:function`."""
    module, _, function = name.partition(":")
    found: Callable[[Demo], object] = getattr(importlib.import_module(module), function)
    return found


def background_demo(plugin: str, base_url: str, now: datetime) -> Demo:
    """The object for a background function: as in the hook, with a chance of its own."""
    return Demo(plugin, _chance(f"{plugin}:background"), now, base_url)


def _fill_one(app: Flask, plugin: Plugin, demo: Demo) -> None:
    """Data and record in one transaction: killed half-way, the next start fills the plugin."""
    with db.unit_of_work(app=app):
        plugins.registry().invoke(plugin, "torg_demo_data", demo=demo)
        registered: dict[str, Any] = {
            "logins": [asdict(each) for each in demo.logins],
            "tries": [asdict(each) for each in demo.tries],
            "functions": demo.functions,
        }
        db.session.execute(
            text("INSERT INTO torg_demo.filled (plugin, registered) VALUES (:plugin, :registered)"),
            {"plugin": plugin.name, "registered": json.dumps(registered)},
        )


def _chance(name: str) -> random.Random:
    return random.Random(f"{SEED}:{name}")  # noqa: S311 - data of a demo


def _refuse_real_data() -> None:
    """Accounts with a known password must never get into a real deployment's database."""
    marked = db.session.scalar(text("SELECT to_regclass('torg_demo.filled')"))
    if marked is None and db.session.scalar(text("SELECT EXISTS (SELECT FROM torg_identity)")):
        raise CommandError(
            "the demo refuses a database that holds people of a real deployment",
            where="TORG_DATABASE_URL",
            why="it would add accounts whose password everybody knows",
            next_steps=(
                "unset TORG_DATABASE_URL: the demo then brings its own database",
                "or name an empty database",
            ),
        )


_SCHEMA = (
    "CREATE SCHEMA IF NOT EXISTS torg_demo",
    """
    CREATE TABLE IF NOT EXISTS torg_demo.filled (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        plugin text NOT NULL UNIQUE,
        filled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        registered jsonb NOT NULL
    )
    """,
)
