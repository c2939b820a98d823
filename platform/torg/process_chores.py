"""What a worker and a scheduler do beside their work: show that they live, follow an upgrade.

Owns the rhythm of these chores. Signs of life are `torg.heartbeats`', states of plugins
`torg.migrate`'s.
"""

from __future__ import annotations

import time

import flask
import structlog

from torg import db, heartbeats, migrate, plugins, schedules
from torg.plugins import State

_log = structlog.get_logger(__name__)


class Chores:
    """The chores of one process of an application."""

    def __init__(self, app: flask.Flask, kind: str) -> None:
        """Prepare.

        Args:
            app: the application.
            kind: "worker" or "scheduler".
        """
        self._app = app
        self._kind = kind
        self._done_at = -heartbeats.BEAT_SECONDS

    def do_when_due(self) -> bool:
        """Do them if `heartbeats.BEAT_SECONDS` have passed; returns whether they were done."""
        if time.monotonic() - self._done_at < heartbeats.BEAT_SECONDS:
            return False
        self._done_at = time.monotonic()
        with db.unit_of_work("statement", self._app):
            heartbeats.beat(self._kind)
        self._follow_upgrade()
        return True

    def leave(self) -> None:
        """Take the sign of life away at an orderly end."""
        with db.unit_of_work("statement", self._app):
            heartbeats.leave()

    def _follow_upgrade(self) -> None:
        """Let plugins begin whose migrations were applied since this process started."""
        loaded = plugins.registry(self._app).loaded()
        waiting = {plugin.name for plugin in loaded if plugin.state is State.PENDING}
        if not waiting:
            return
        migrate.note_states(self._app)
        begun = waiting & {plugin.name for plugin in loaded if plugin.state is State.ACTIVE}
        if begun:
            _log.info("plugins_began", plugins=sorted(begun))
            schedules.sync(self._app)
