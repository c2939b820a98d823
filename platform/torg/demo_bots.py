"""The process `python -m torg.demo_bots`: runs what plugins registered by `demo.background`.

Owns one thread per function and its repetition after an error. What they do is the plugins'.
"""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType

import structlog
from flask import Flask
from sqlalchemy import text

from torg import config, db
from torg.demo import Demo, background_demo, function_named

_PAUSE_AFTER_ERROR_SECONDS = 5.0
_LEAVE_SECONDS = 5.0

_log = structlog.get_logger(__name__)


def main() -> None:
    """Run every registered function until SIGTERM or SIGINT."""
    from torg.app import create_app

    app = create_app()
    demos: list[Demo] = []

    def stop_all() -> None:
        for each in demos:
            each.stop()

    def leave(number: int, frame: FrameType | None) -> None:
        del number, frame
        # The event's lock may be held by the very thread this interrupts.
        threading.Thread(target=stop_all).start()

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    threads = []
    for plugin, name in _registered(app):
        with db.unit_of_work("read", app):
            demo = background_demo(plugin, config.settings().host.base_url, db.database_now())
        demos.append(demo)
        threads.append(threading.Thread(target=_repeat, args=(app, name, demo), daemon=True))
    for thread in threads:
        thread.start()
    for demo in demos:
        while not demo.wait(1.0):
            pass
    for thread in threads:
        thread.join(_LEAVE_SECONDS)
    sys.exit(0)


def _registered(app: Flask) -> list[tuple[str, str]]:
    with db.unit_of_work("read", app):
        rows = db.session.execute(text("SELECT plugin, registered FROM torg_demo.filled"))
        return [(plugin, name) for plugin, found in rows for name in found["functions"]]


def _repeat(app: Flask, name: str, demo: Demo) -> None:
    while not demo.wait(0):
        try:
            with app.app_context():
                function_named(name)(demo)
        except Exception:
            _log.exception("demo_background_failed", function=name)
        if demo.wait(_PAUSE_AFTER_ERROR_SECONDS):
            return


if __name__ == "__main__":
    main()
