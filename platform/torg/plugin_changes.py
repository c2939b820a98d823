"""Noticing that a plugin was switched off: settings say what is on now, the database what was.

Owns the table of that memory and the call of `torg_on_disable`. Switching plugins on and off is the
settings' alone.
"""

from datetime import datetime

import flask
import structlog
from sqlalchemy import Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from torg import db, plugins
from torg.db import Base, session

_log = structlog.get_logger(__name__)


class PluginRow(Base):
    """A plugin that has been on at least once."""

    __tablename__ = "torg_plugin"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    is_enabled: Mapped[bool]
    changed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


_ON = text("""
INSERT INTO torg_plugin (name, is_enabled) SELECT unnest(CAST(:names AS text[])), true
ON CONFLICT (name) DO UPDATE SET is_enabled = true, changed_at = clock_timestamp()
WHERE NOT torg_plugin.is_enabled
""")
_OFF = text("""
UPDATE torg_plugin SET is_enabled = false, changed_at = clock_timestamp()
WHERE is_enabled AND NOT name = ANY(CAST(:names AS text[])) RETURNING name
""")


class NotToldError(Exception):
    """A plugin failed when it was told of another's end; the text says which, the cause why."""


def note(app: flask.Flask) -> list[str]:
    """Record what is on, and tell every active plugin what was switched off since the last look.

    Change and calls are one transaction, so each is told exactly once, whoever looks first: a
    worker that starts, or `torg db upgrade`.

    Returns:
        The names of the plugins that were found switched off.

    Raises:
        NotToldError: one failed; all are told again at the next look.
    """
    return db.in_transaction(lambda: _note(app), app)


def _note(app: flask.Flask) -> list[str]:
    registry = plugins.registry(app)
    # A plugin that is on but cannot run now is broken, not switched off.
    names = sorted(set(registry.order) - {"testkit"})
    session.execute(_ON, {"names": names})
    gone = sorted(session.scalars(_OFF, {"names": names}))
    for name in gone:
        _log.info("plugin_switched_off", plugin=name)
        for plugin in registry.active():
            try:
                registry.invoke(plugin, "torg_on_disable", plugin=name)
            except Exception as error:
                message = f"torg_on_disable of plugin {plugin.name}"
                raise NotToldError(message) from error
    return gone
