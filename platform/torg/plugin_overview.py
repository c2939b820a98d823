"""Where every plugin stands, for `torg plugins list` and `info`: also when not all is well.

Owns putting together what the registry, the manifests and the database say; it changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import flask
from sqlalchemy.exc import SQLAlchemyError

from torg import deployment, migrate, plugins
from torg.command_errors import CommandError
from torg.config import Settings, SettingsError
from torg.manifest import Manifest, discover
from torg.migration_plan import StreamState
from torg.plugins import StartError
from torg.resolution import Plugin, State, resolve


@dataclass(frozen=True, slots=True)
class Line:
    """One plugin.

    Attributes:
        manifest: None when its package is gone.
        state: one of the states of the host, or `orphaned`: data without a package.
        reason: why it is in that state, with what helps.
        migrations: where its stream stands; None when the database could not be asked.
        start_seconds: how long importing it took.
        hook_seconds: spent in its hooks so far in this process.
    """

    name: str
    state: str
    reason: str = ""
    required: bool = False
    manifest: Manifest | None = None
    migrations: StreamState | None = None
    start_seconds: float = 0.0
    hook_seconds: float = 0.0
    hook_errors: int = 0

    def as_json(self) -> dict[str, object]:
        """The line for a machine."""
        stream = self.migrations
        return {
            "name": self.name,
            "version": self.manifest.version if self.manifest else None,
            "title": self.manifest.title if self.manifest else None,
            "state": self.state,
            "reason": self.reason,
            "required": self.required,
            "revision": stream.current if stream else None,
            "pending": list(stream.pending) if stream else [],
            "start_seconds": round(self.start_seconds, 4),
            "hook_seconds": round(self.hook_seconds, 4),
            "hook_errors": self.hook_errors,
        }


@dataclass(frozen=True, slots=True)
class Overview:
    """All plugins, and what could not be found out."""

    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()
    app: flask.Flask | None = field(default=None, repr=False)

    def find(self, name: str) -> Line:
        """One plugin.

        Raises:
            MigrationError: it is neither installed nor in the database.
        """
        for line in self.lines:
            if line.name == name:
                return line
        raise migrate.unknown(name, [line.name for line in self.lines])


def overview(settings: Settings) -> Overview:
    """Start an application and ask it; what keeps it from starting becomes a note."""
    try:
        app = deployment.application(settings)
    except (CommandError, SettingsError, StartError) as error:
        resolved, _order = resolve(discover(), list(settings.host.plugins))
        note = f"the application does not start, so this is what the manifests say: {error}"
        return Overview(_lines(resolved, {}), (note,))
    known = plugins.registry(app).plugins
    try:
        states = migrate.states(app)
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", error)).split())
        note = f"the database cannot be asked, so orphaned data is not shown: {reason}"
        return Overview(_lines(known, {}), (note,), app)
    return Overview(_lines(known, states), (), app)


def _lines(known: Mapping[str, Plugin], states: Mapping[str, StreamState]) -> tuple[Line, ...]:
    orphans = {name: each for name, each in states.items() if each.state == "orphaned"}
    lines = [
        Line(
            name=name,
            state=str(plugin.state),
            reason=plugin.reason,
            required=plugin.required,
            manifest=plugin.manifest if plugin.state is not State.MISSING else None,
            migrations=states.get(name),
            start_seconds=plugin.start_seconds,
            hook_seconds=plugin.hook_seconds,
            hook_errors=plugin.hook_errors,
        )
        for name, plugin in known.items()
        if name not in orphans
    ]
    lines += [
        Line(name, "orphaned", f"its package is gone; {state.next_step}", migrations=state)
        for name, state in orphans.items()
    ]
    return tuple(sorted(lines, key=lambda line: line.name))
