"""A thousand products at the fixed addresses: read anew, kept, and as a workbook.

`python -m bench --classic` measures these alone. Asked inside this process, so that the figures
are those of the application, and the statements of a request can be counted beside them.
"""

import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Engine, event

from torg import cache, db, embedded, migrate, prepared
from torg.app import create_app
from torg.config import HostSettings, Settings
from torg_auth.domain.access import USER
from torg_auth.services import access
from torg_auth.services.accounts import NewAccount, add_user
from torg_auth.services.callers import present_caller
from torg_auth.services.sessions import open_session
from torg_shop.generating import generate

PRODUCTS, ROUNDS = 1000, 15


def report() -> None:
    """Print the median time, size and statements of every request."""
    with tempfile.TemporaryDirectory(prefix="torg-bench-") as folder:
        directory = Path(folder)
        directory.chmod(0o755)
        with embedded.start(directory) as servers:
            app = _application(servers, directory)
            _print(app, _fill(app))
            with app.app_context():
                db.session.remove()
                for engine in db.db.engines.values():
                    engine.dispose()


def _application(servers: Any, directory: Path) -> Any:
    host = HostSettings(
        database_url=servers.database_url,
        redis_url=servers.redis_url,
        data_dir=str(directory / "data"),
        plugins=("auth", "shop", "classic"),
        log_level="error",
        rate_limits={"*": "off"},
        secret_key="a key for measurements 0123456789 abcdef",
    )
    migrate.upgrade(create_app(Settings.build(host, {})))
    return create_app(Settings.build(host, {}))


def _fill(app: Any) -> dict[str, str]:
    """Products with categories and tags, and headers of somebody signed in."""
    with db.unit_of_work(app=app):
        generate(Random(1), PRODUCTS)
        person = add_user(NewAccount("reader", "reader@people.example", ""), "none", verified=True)
        access.add_roles(person.id, [USER])
        token = open_session(person.id, present_caller()).token
    return {"Authorization": f"Bearer {token}"}


def _print(app: Any, headers: dict[str, str]) -> None:
    client = app.test_client()

    def forget() -> None:
        db.in_transaction(lambda: cache.invalidate("shop.catalogue"), app)

    cases: dict[str, tuple[str, Callable[[], object]]] = {
        "1,000 products, read anew": ("/api/products/", forget),
        "1,000 products, kept": ("/api/products/", lambda: None),
        "50 products, read anew": ("/api/products/?limit=50", forget),
        "export of 1,000 as XLSX": ("/api/products/export/", lambda: None),
    }
    # As a web process does before it serves (`torg.gunicorn_config`).
    gc.collect()
    gc.freeze()
    print(f"\nThe fixed addresses, in one process; medians of {ROUNDS}.\n")
    print(f"{'':32}{'ms':>8}{'KiB':>8}{'statements':>12}")
    for name, (address, before) in cases.items():
        taken, size, counted = [], 0, 0
        for _ in range(ROUNDS):
            before()
            started = time.perf_counter()
            size, counted = _counting(lambda address=address: client.get(address, headers=headers))
            taken.append((time.perf_counter() - started) * 1000)
        print(f"{name:<32}{statistics.median(taken):>8.2f}{size / 1024:>8.0f}{counted:>12}")


def _counting(ask: Callable[[], Any]) -> tuple[int, int]:
    """Bytes of the answer, and how many statements it took."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, sql: str, *_rest: Any) -> None:
        seen.append(sql)

    event.listen(Engine, "before_cursor_execute", note)
    prepared.observers.append(seen.append)
    try:
        answer = ask()
        size = len(answer.get_data())
        answer.close()
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        prepared.observers.remove(seen.append)
    if answer.status_code != 200:
        raise RuntimeError(answer.status)
    return size, len(seen)
