"""What is measured: one deployment with a filled market, and plain Flask beside it.

Owns servers, data and tokens of a run; the processes are those that a deployer runs.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.load import CONNECTIONS
from torg import db, embedded
from torg.identity import Identity
from torg.money import Money
from torg.testing_processes import Deployment, answers, eventually, free_port
from torg_auction.services.auctions import create_auction
from torg_auction.services.bids import place_bid
from torg_auth.domain.access import USER
from torg_auth.services import access
from torg_auth.services.accounts import NewAccount, add_user
from torg_auth.services.callers import present_caller
from torg_auth.services.sessions import open_session

WORKERS = 2
# As many as by default: threads of one interpreter wait for each other, see
# docs/explanation/performance.md.
THREADS = 2
# No more connections for a process than its share of the load's: a run in which one process got
# them all measures half a machine.
BALANCED = {"GUNICORN_CMD_ARGS": f"--worker-connections={CONNECTIONS // WORKERS}"}
BIDDERS = 8


@dataclass(frozen=True)
class Market:
    """A running market and its yardstick."""

    hello: str
    web: str
    app: Any
    admin_url: str
    database_url: str
    detail: int
    hot: int
    bidders: tuple[int, ...]
    tokens: tuple[str, ...]


@contextlib.contextmanager
def opened() -> Iterator[Market]:
    """Start servers and web processes, fill in the data, stop all at the end."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="torg-bench-")))
        directory.chmod(0o755)
        servers = stack.enter_context(embedded.start(directory))
        deployment = Deployment(_environment(servers, directory), directory)
        stack.callback(deployment.close)
        upgraded = deployment.start("db", "upgrade")
        if upgraded.process.wait(120):
            raise SystemExit(upgraded.output())
        os.environ.update(deployment.environ)
        app, facts = _fill()
        hello = stack.enter_context(hello_server(directory))
        web, _ = deployment.web()
        yield Market(hello, web, app, servers.admin_url, servers.database_url, **facts)


def _environment(servers: embedded.Servers, directory: Path) -> dict[str, str]:
    return {
        "TORG_DATABASE_URL": servers.database_url,
        "TORG_REDIS_URL": servers.redis_url,
        "TORG_PLUGINS": "auth,auction",
        "TORG_DATA_DIR": str(directory / "data"),
        "TORG_SECRET_KEY": "a key for measurements 0123456789 abcdef",
        "TORG_WEB_WORKERS": str(WORKERS),
        "TORG_WEB_THREADS": str(THREADS),
        "TORG_LOG_LEVEL": "warning",
        **BALANCED,
    }


@contextlib.contextmanager
def hello_server(directory: Path) -> Iterator[str]:
    """Plain Flask under the same server; its address."""
    port = free_port()
    command = [
        sys.executable, "-m", "gunicorn", "bench.hello:app", "--bind", f"127.0.0.1:{port}",
        "--workers", str(WORKERS), "--worker-class", "gthread", "--threads", str(THREADS),
        "--keep-alive", "75", "--no-control-socket",
    ]  # fmt: skip
    with (directory / "hello.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | BALANCED)
    try:
        eventually(lambda: answers(f"http://127.0.0.1:{port}/"))
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(10)


def _fill() -> tuple[Any, dict[str, Any]]:
    """People, sixty auctions, one of them with a hundred bids, one to be hot."""
    from torg.app import create_app

    app = create_app()
    with db.unit_of_work(app=app):
        seller, *bidders = [_person(f"person{number}") for number in range(BIDDERS + 1)]
        tokens = [open_session(each.id, present_caller()).token for each in bidders]
        auctions = [create_auction(seller.id, _auction(number)) for number in range(60)]
    for number in range(100):
        with db.unit_of_work(app=app):
            amount = Money(1000 + 100 * number, "EUR")
            place_bid(auctions[0], bidders[number % BIDDERS], amount=amount)
    return app, {
        "detail": auctions[0],
        "hot": auctions[1],
        "bidders": tuple(each.id for each in bidders),
        "tokens": tuple(tokens),
    }


def _person(username: str) -> Identity:
    new = NewAccount(username, f"{username}@people.example", "")
    added = add_user(new, "no password: nobody signs in here", verified=True)
    access.add_roles(added.id, [USER])
    return Identity(added.id, username, frozenset(), email_verified=True)


def _auction(number: int) -> dict[str, Any]:
    return {
        "title": f"Brass telescope, number {number}",
        "description": "Found in an attic. " * 10,
        "starting_price": Money(1000, "EUR"),
        "bid_increment": Money(1, "EUR"),
        "ends_at": datetime.now(UTC) + timedelta(days=7),
    }
