"""Migrations for the application and the command line: what is pending, upgrade, downgrade, check.

The door to the parts: files (`migration_streams`), decisions (`migration_plan`), the record
(`migration_record`), running (`migration_run`) and rules (`migration_rules`). At a start in
production nothing is migrated: only the state is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import flask
from flask_migrate import Migrate
from sqlalchemy import Connection, Engine

from torg import db, plugin_changes, plugins
from torg.manifest import Manifest, discover
from torg.migration_plan import (
    Database,
    MigrationError,
    Plan,
    Step,
    StreamState,
    plan_downgrade,
    plan_upgrade,
    require_known,
    unknown,
)
from torg.migration_record import database_by_record, disagreements, read_database
from torg.migration_rules import check_models, drift
from torg.migration_run import Tell, exclusive, run, silent
from torg.migration_streams import (
    HOST,
    Stream,
    environment_folder,
    host_stream,
    names_of,
    plugin_stream,
)
from torg.resolution import Plugin, State, resolve

__all__ = [
    "HOST",
    "CheckResult",
    "MigrationError",
    "Plan",
    "StreamState",
    "bring_in_line",
    "check",
    "check_models",
    "downgrade",
    "init",
    "installed_streams",
    "note_states",
    "pending",
    "plan",
    "planned_downgrade",
    "require_known",
    "states",
    "streams_of",
    "unknown",
    "upgrade",
    "upgrade_engine",
]

_EXTENSION = "torg.migrate"
# A plugin in one of these states is enabled, but must not be migrated: it would not run anyway.
_UNFIT = frozenset({State.MISSING, State.INCOMPATIBLE, State.BLOCKED, State.QUARANTINED})


def init(app: flask.Flask) -> None:
    """Let `flask db …` work on the host's stream; plugins are migrated by `torg db`."""
    Migrate(app, db.db, directory=str(environment_folder()), render_as_batch=False)


def states(app: flask.Flask) -> dict[str, StreamState]:
    """Where every stream stands, read with one statement.

    Raises:
        sqlalchemy.exc.OperationalError: the database cannot be reached.
    """
    # Files do not change under a running process, and health asks often.
    streams = app.extensions.get(_EXTENSION)
    if streams is None:
        streams = app.extensions[_EXTENSION] = streams_of(app)
    with app.app_context(), db.db.engine.connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        return dict(plan_upgrade(streams, database_by_record(autocommit)).states)


def note_states(app: flask.Flask) -> None:
    """Set loaded plugins to `pending` or `active` as the database is, and quarantine the unfit.

    Raises:
        sqlalchemy.exc.OperationalError: the database cannot be reached.
        torg.plugins.StartError: the migrations of a required plugin have a problem.
    """
    registry = plugins.registry(app)
    found = states(app)
    unfit = [each for each in registry.loaded() if _state_of(found, each) == "blocked"]
    for plugin in unfit:
        registry.quarantine(plugin, f"its migrations have a problem: {found[plugin.name].problem}")
    if unfit:
        # Before any is marked as pending: who needs a pending plugin only waits with it.
        plugins.block_dependents(registry)
    for plugin in registry.loaded():
        waiting = found[plugin.name].pending if plugin.name in found else ()
        if waiting:
            plugin.state = State.PENDING
            plugin.reason = f"migrations wait: {', '.join(waiting)}; run: torg db upgrade"
        elif plugin.state is State.PENDING:
            plugin.state, plugin.reason = State.ACTIVE, ""


def _state_of(found: Mapping[str, StreamState], plugin: Plugin) -> str:
    state = found.get(plugin.name)
    return state.state if state is not None else ""


def bring_in_line(app: flask.Flask) -> None:
    """After an upgrade: note the states, call `torg_on_enable`, tell who was switched off.

    Each call is a transaction of its own, and one that fails keeps no other plugin from its own.

    Raises:
        MigrationError: calls failed; what the upgrade applied is kept.
    """
    note_states(app)
    registry = plugins.registry(app)
    failed: list[tuple[str, BaseException]] = []
    with app.app_context():
        for plugin in registry.active():
            try:
                db.in_transaction(partial(registry.invoke, plugin, "torg_on_enable"))
            except Exception as error:
                failed.append((f"torg_on_enable of plugin {plugin.name}", error))
    try:
        plugin_changes.note(app)
    except plugin_changes.NotToldError as error:
        failed.append((str(error), error.__cause__ or error))
    if failed:
        raise MigrationError(
            f"the migrations are applied, but failed: {', '.join(what for what, _ in failed)}",
            why="; ".join(f"{type(error).__name__}: {error}" for _, error in failed),
            next_steps=("mend that or switch the plugin off, then again: torg db upgrade",),
        ) from failed[0][1]


def pending(app: flask.Flask) -> dict[str, list[str]]:
    """Revisions that wait for `torg db upgrade`, by plugin (`host` for the host's own).

    Raises:
        sqlalchemy.exc.OperationalError: the database cannot be reached.
    """
    waiting = {"pending", "blocked"}
    return {
        name: list(state.pending)
        for name, state in states(app).items()
        if state.state in waiting and state.pending
    }


def upgrade(
    app: flask.Flask, only: Collection[str] | None = None, tell: Tell = silent
) -> list[str]:
    """Bring the database of an application to the newest revisions; returns what was applied.

    For the first-run mode and the test kit; in production it is `torg db upgrade`. Plugins are
    brought in line afterwards (see `bring_in_line`).

    Raises:
        MigrationError: something is wrong with a stream (then nothing was run), or a revision
            failed (those before it are kept).
    """
    with app.app_context():
        done = upgrade_engine(db.db.engine, streams_of(app), only or (), tell)
    bring_in_line(app)
    return done


def upgrade_engine(
    engine: Engine, streams: Sequence[Stream], only: Collection[str] = (), tell: Tell = silent
) -> list[str]:
    """The same for a bare engine and streams; see `upgrade`."""
    with exclusive(engine, tell) as connection:
        # Planned under the lock: whoever held it before has changed the database.
        planned = plan(connection, streams, only)
        chosen = [each for each in planned.problems if not only or each.name in only]
        if chosen:
            raise blocked(chosen)
        run(connection, planned.steps, names=_known(streams, planned), tell=tell)
        return [step.revision.id for step in planned.steps]


def plan(connection: Connection, streams: Sequence[Stream], only: Collection[str] = ()) -> Plan:
    """What an upgrade would do now; the connection is left outside of a transaction."""
    database = read_database(connection)
    connection.rollback()
    return plan_upgrade(streams, database, only)


def blocked(problems: Sequence[StreamState]) -> MigrationError:
    """The error for streams with problems."""
    first = problems[0]
    others = f" (and {len(problems) - 1} more: torg db plan)" if len(problems) > 1 else ""
    return MigrationError(
        f"the migrations of {first.name} have a problem, so nothing was run{others}",
        why=first.problem,
        next_steps=tuple(
            step
            for step in (first.next_step, "the others alone: torg db upgrade --plugin NAME")
            if step
        ),
    )


def planned_downgrade(
    connection: Connection, streams: Sequence[Stream], targets: Mapping[str, str]
) -> list[Step]:
    """What a downgrade would undo now, in its order.

    Raises:
        MigrationError: a target is unknown, or something that stays needs what would go.
    """
    database = read_database(connection)
    connection.rollback()
    return plan_downgrade(streams, database, targets)


def downgrade(
    engine: Engine, streams: Sequence[Stream], targets: Mapping[str, str], tell: Tell = silent
) -> list[str]:
    """Take streams back to the given revisions (`base`: before the first); returns what is undone.

    Raises:
        MigrationError: it is refused (nothing was run), or a revision failed.
    """
    with exclusive(engine, tell) as connection:
        steps = planned_downgrade(connection, streams, targets)
        run(connection, steps, downgrade=True, names=names_of(streams), tell=tell)
        return [step.revision.id for step in steps]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What `torg db check` found.

    Attributes:
        drift: differences between models and tables, by stream.
        notes: what is odd and stops nothing.
    """

    states: Mapping[str, StreamState]
    drift: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def sound(self) -> bool:
        """Nothing pending, nothing blocked, no drift."""
        waiting = any(each.state in {"pending", "blocked"} for each in self.states.values())
        return not waiting and not any(self.drift.values())


def check(app: flask.Flask, only: Collection[str] = ()) -> CheckResult:
    """Compare files, database and models of every enabled stream.

    Raises:
        MigrationError: a name in `only` is neither installed nor in the database.
        sqlalchemy.exc.OperationalError: the database cannot be reached.
    """
    streams = streams_of(app)
    with app.app_context(), db.db.engine.connect() as connection:
        database = read_database(connection)
        connection.rollback()
        planned = plan_upgrade(streams, database)
        require_known(only, planned.states)
        differences = {}
        for stream in streams:
            wanted = not only or stream.name in only
            if wanted and planned.states[stream.name].state == "current":
                found = drift(connection, stream, _known(streams, planned))
                differences[stream.name] = found
    chosen = {n: s for n, s in planned.states.items() if not only or n in only}
    return CheckResult(chosen, differences, _notes(chosen, database))


def _notes(chosen: Mapping[str, StreamState], database: Database) -> list[str]:
    changed = [
        f"{revision}: its file was changed after it was applied; write a new revision instead"
        for state in chosen.values()
        for revision in state.changed
    ]
    return [*disagreements(database), *changed]


def _known(streams: Sequence[Stream], planned: Plan) -> frozenset[str]:
    """Every plugin that is installed or has left data."""
    return names_of(streams) | frozenset(planned.states)


def installed_streams(
    enabled: Iterable[str], manifests: Sequence[Manifest] | None = None
) -> list[Stream]:
    """The host's stream and those of all installed plugins, without importing any of them."""
    found = discover() if manifests is None else list(manifests)
    resolved, _order = resolve(found, list(enabled))
    return _streams(resolved.values())


def streams_of(app: flask.Flask) -> list[Stream]:
    """The streams of an application: the host's and those of all installed plugins."""
    return _streams(plugins.registry(app).plugins.values())


def _streams(all_plugins: Iterable[Plugin]) -> list[Stream]:
    streams = [host_stream()]
    for plugin in all_plugins:
        if plugin.state is State.MISSING:
            continue
        reason = f"it is {plugin.state}: {plugin.reason}" if plugin.state in _UNFIT else ""
        enabled = plugin.state is not State.DISABLED
        streams.append(plugin_stream(plugin.manifest, enabled=enabled, reason=reason))
    return streams
