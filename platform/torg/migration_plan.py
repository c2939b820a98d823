"""What an upgrade or a downgrade would do: pure decisions over streams and the database's state.

Owns order, needs and refusals. Reading files is `torg.migration_streams`' job, reading the
database `torg.migration_record`'s, running `torg.migration_run`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from torg.command_errors import CommandError
from torg.migration_streams import HOST, Revision, Stream


class MigrationError(CommandError):
    """A migration command cannot do what was asked; the message names the cause and the mend."""


@dataclass(frozen=True, slots=True)
class Applied:
    """One row of the record: a revision that is in the database.

    Attributes:
        version: version of the distribution that applied it.
        needs: what it stated then, so that it counts even when its package is gone.
    """

    plugin: str
    revision: str
    version: str
    checksum: str
    needs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Database:
    """How far each stream is, by name; streams without data are absent."""

    current: Mapping[str, str] = field(default_factory=dict)
    records: Sequence[Applied] = ()

    def record(self, plugin: str, revision: str) -> Applied | None:
        """The record of one applied revision."""
        for each in self.records:
            if (each.plugin, each.revision) == (plugin, revision):
                return each
        return None


@dataclass(frozen=True, slots=True)
class Step:
    """One revision of one stream that is to be applied or undone."""

    stream: Stream
    revision: Revision


@dataclass(frozen=True, slots=True)
class StreamState:
    """Where one stream stands.

    Attributes:
        state: `current`, `pending`, `blocked` (its migrations have a problem), `skipped` (the
            plugin itself cannot run), `disabled` or `orphaned`.
        pending: revisions that the package has and the database has not, oldest first.
        changed: applied revisions whose file is another one now.
    """

    name: str
    state: str
    current: str | None = None
    pending: tuple[str, ...] = ()
    problem: str = ""
    next_step: str = ""
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in the order of their running, and the state of every stream before them."""

    steps: tuple[Step, ...]
    states: Mapping[str, StreamState]

    @property
    def problems(self) -> list[StreamState]:
        """The streams whose migrations have a problem."""
        return [each for each in self.states.values() if each.state == "blocked"]


def ordered(streams: Iterable[Stream]) -> tuple[list[Stream], frozenset[str]]:
    """The host, then each stream after those it comes after; names break ties.

    Returns the streams in order and the names of those that wait for each other (they come last).
    """
    present = {stream.name: stream for stream in streams}
    waiting = {name: set(stream.before & set(present)) for name, stream in present.items()}
    order: list[str] = []
    while ready := [name for name, before in waiting.items() if not before - set(order)]:
        first = min(ready, key=lambda name: (name != HOST, name))
        order.append(first)
        del waiting[first]
    return [present[name] for name in (*order, *sorted(waiting))], frozenset(waiting)


def plan_upgrade(streams: Sequence[Stream], database: Database, only: Collection[str] = ()) -> Plan:
    """What would bring the enabled streams to their newest revisions.

    Args:
        streams: the host's and those of every installed plugin.
        database: how far each stream is.
        only: plugins to upgrade, with the host and what they need; all enabled ones when empty.

    Raises:
        MigrationError: `only` names a plugin that is unknown or disabled.
    """
    order, ring = ordered(streams)
    by_name = {stream.name: stream for stream in order}
    chosen = _chosen(by_name, only)
    there = _applied(order, database)
    steps: list[Step] = []
    states: dict[str, StreamState] = {}
    for stream in order:
        state = _state(stream, database)
        if state.state == "pending" and stream.name in ring:
            state = _blocked(state, f"these wait for each other: {', '.join(sorted(ring))}", "")
        if state.state == "pending":
            state = _with_needs(state, stream, by_name, there)
        if state.state == "pending" and stream.name in chosen:
            pending = [each for each in stream.revisions if each.id in state.pending]
            steps += [Step(stream, revision) for revision in pending]
            there |= {(stream.name, revision.id) for revision in pending}
        states[stream.name] = state
    for name, revision in sorted(database.current.items()):
        if name not in by_name:
            states[name] = StreamState(name, "orphaned", revision, next_step=_ORPHAN.format(name))
    return Plan(tuple(steps), states)


_ORPHAN = "install its package again, or remove its data: torg plugins purge {} --plan"


def plan_downgrade(
    streams: Sequence[Stream], database: Database, targets: Mapping[str, str]
) -> list[Step]:
    """What would take streams back, dependents first, newest revision first.

    Args:
        streams: the host's and those of every installed plugin, enabled or not.
        database: how far each stream is.
        targets: for each stream the revision to stop at, or `base` for before the first.

    Raises:
        MigrationError: a target is unknown, or something that stays needs what would go.
    """
    order, _ring = ordered(streams)
    by_name = {stream.name: stream for stream in order}
    going: dict[str, tuple[Revision, ...]] = {}
    for name, target in targets.items():
        going[name] = _going(by_name.get(name), name, database, target, by_name)
    gone = {(name, each.id) for name, revisions in going.items() for each in revisions}
    emptied = {name for name, target in targets.items() if target == "base"}
    _refuse_for_dependents(by_name, database, gone, emptied)
    return [
        Step(stream, revision)
        for stream in reversed(order)
        for revision in reversed(going.get(stream.name, ()))
    ]


def _chosen(by_name: Mapping[str, Stream], only: Collection[str]) -> set[str]:
    if not only:
        return {name for name, stream in by_name.items() if stream.enabled}
    chosen: set[str] = set()
    queue = [HOST, *only]
    while queue:
        name = queue.pop()
        stream = by_name.get(name)
        if stream is None and name in only:
            raise unknown(name, by_name)
        if stream is None or name in chosen:
            continue
        if name in only and not stream.enabled:
            raise MigrationError(
                f"plugin {name} is disabled, and upgrades leave disabled plugins alone",
                next_steps=(f"enable it: add {name} to TORG_PLUGINS or to plugins in torg.toml",),
            )
        if stream.enabled:
            chosen.add(name)
            queue += [*stream.requires, *(n for each in stream.revisions for n in each.needs)]
    return chosen


def unknown(name: str, known: Collection[str]) -> MigrationError:
    """The error for a stream that is not installed."""
    near = get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"installed are: {', '.join(sorted(known))}"
    return MigrationError(
        f"there is no installed plugin {name!r}; {hint}",
        next_steps=("see what is there: torg plugins list",),
    )


def require_known(names: Collection[str], known: Collection[str]) -> None:
    """See that every name is one of the known: a misspelt one would look as if all were well.

    Raises:
        MigrationError: naming the first that is not, and the nearest known one.
    """
    for name in names:
        if name not in known:
            raise unknown(name, known)


def _applied(order: Iterable[Stream], database: Database) -> set[tuple[str, str]]:
    """Every revision that is in the database, also of packages that are gone."""
    there = {(each.plugin, each.revision) for each in database.records}
    for stream in order:
        position = max(stream.position(database.current.get(stream.name)), 0)
        there |= {(stream.name, each.id) for each in stream.revisions[:position]}
    return there


def _state(stream: Stream, database: Database) -> StreamState:
    current = database.current.get(stream.name)
    position = stream.position(current)
    applied = stream.revisions[: max(position, 0)]
    records = [(each, database.record(stream.name, each.id)) for each in applied]
    changed = tuple(each.id for each, row in records if row and row.checksum != each.checksum)
    pending = tuple(each.id for each in stream.revisions[max(position, 0) :])
    state = StreamState(stream.name, "current", current, pending, changed=changed)
    if stream.problem:
        return _blocked(state, stream.problem, "", enabled=stream.enabled)
    if stream.reason and stream.enabled:
        return replace(state, state="skipped", problem=stream.reason)
    if position < 0:
        why = _unknown_revision(stream, str(current), database.record(stream.name, str(current)))
        state = replace(state, pending=())
        return _blocked(state, why, _ORPHAN.format(stream.name), enabled=stream.enabled)
    if not stream.enabled:
        return replace(state, state="disabled")
    return replace(state, state="pending" if pending else "current")


def _blocked(state: StreamState, why: str, mend: str, *, enabled: bool = True) -> StreamState:
    return replace(state, state="blocked" if enabled else "disabled", problem=why, next_step=mend)


def _unknown_revision(stream: Stream, current: str, row: Applied | None) -> str:
    by = f"; it was applied by {stream.package} {row.version}" if row else ""
    return (
        f"the database is at {current}, which {stream.package} {stream.version} does not know "
        f"(its newest is {stream.newest}){by}. Either the package is older than the database or "
        "its revisions were squashed: install the version that has this revision"
    )


def _with_needs(
    state: StreamState,
    stream: Stream,
    by_name: Mapping[str, Stream],
    there: Collection[tuple[str, str]],
) -> StreamState:
    for revision in stream.revisions:
        if revision.id not in state.pending:
            continue
        for name, needed in revision.needs.items():
            if (name, needed) not in there:
                why, mend = _missing(name, needed, by_name.get(name))
                return _blocked(state, f"{revision.id} needs {needed} of {why}", mend)
    return state


def _missing(name: str, needed: str, other: Stream | None) -> tuple[str, str]:
    """Why a needed revision is not there, and what helps."""
    whose = "the host" if name == HOST else f"plugin {name}"
    if other is None:
        return f"{whose}, which is not installed", f"install and enable {name}, then repeat"
    if other.position(needed) < 0 and not other.problem:
        why = f"{whose}, but {other.package} {other.version} goes up to {other.newest}"
        return why, f"install a newer {other.package}"
    if not other.enabled:
        return f"{whose}, which is disabled", f"enable {name}, then: torg db upgrade"
    return f"{whose}, which cannot be upgraded itself", "mend that first: torg db plan"


def _going(
    stream: Stream | None,
    name: str,
    database: Database,
    target: str,
    installed: Collection[str],
) -> tuple[Revision, ...]:
    current = database.current.get(name)
    if stream is None:
        if current is None:
            raise unknown(name, installed)
        raise MigrationError(
            f"the package of plugin {name} is gone, so it cannot be taken back step by step",
            next_steps=(f"remove all of it: torg plugins purge {name} --plan",),
        )
    if stream.problem:
        raise MigrationError(f"the revisions of {name} cannot be read", why=stream.problem)
    position = stream.position(current)
    if position < 0:
        why = _unknown_revision(stream, str(current), database.record(name, str(current)))
        raise MigrationError(f"{name} cannot be taken back", why=why)
    stop = 0 if target == "base" else stream.position(target)
    if stop < 0 or (target != "base" and stop == 0):
        known = ", ".join(["base", *(each.id for each in stream.revisions[:position])])
        raise MigrationError(f"{name} has no revision {target!r}", why=f"there are: {known}")
    if stop > position:
        raise MigrationError(
            f"{name} is at {current or 'base'}, before {target}",
            next_steps=(f"torg db upgrade --plugin {name}",),
        )
    return stream.revisions[stop:position]


def _refuse_for_dependents(
    by_name: Mapping[str, Stream],
    database: Database,
    gone: Collection[tuple[str, str]],
    emptied: Set[str],
) -> None:
    for row in database.records:
        for name, revision in row.needs.items():
            if (row.plugin, row.revision) not in gone and (name, revision) in gone:
                raise _needed(name, row.plugin, f"its {row.revision} needs {revision}")
    for other in database.current:
        stream = by_name.get(other)
        if other in emptied or not emptied or other == HOST:
            continue
        if HOST in emptied:
            raise _needed(HOST, other, "every plugin's tables stand on the host's")
        for name in sorted(emptied & stream.requires if stream else ()):
            raise _needed(name, other, f"it requires plugin {name}")


def _needed(name: str, by: str, why: str) -> MigrationError:
    return MigrationError(
        f"{name} cannot be taken back, because plugin {by} has data that needs it",
        why=why,
        next_steps=(
            f"take {by} back first: torg db downgrade --plugin {by} --to base",
            f"or remove it: torg plugins purge {by} --plan",
        ),
    )
