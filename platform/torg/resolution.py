"""Which plugins may run together, and in which order: pure decisions over their manifests.

Owns states and the rules that lead to them. Loading code is `torg.plugins`' job.
"""

import heapq
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from types import ModuleType

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from torg.hookspecs import API_VERSION
from torg.manifest import Manifest


class State(StrEnum):
    """Where a plugin stands (host.md, Plugins)."""

    DISABLED = "disabled"
    MISSING = "missing"
    INCOMPATIBLE = "incompatible"
    BLOCKED = "blocked"
    QUARANTINED = "quarantined"
    PENDING = "pending"
    PAUSED = "paused"
    ACTIVE = "active"


@dataclass(slots=True)
class Plugin:
    """One plugin of this application: its manifest, how far it came and why not further."""

    manifest: Manifest
    state: State = State.DISABLED
    reason: str = ""
    required: bool = False
    module: ModuleType | None = None
    start_seconds: float = 0.0
    hook_seconds: float = 0.0
    hook_errors: int = 0

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self.manifest.name

    @property
    def loaded(self) -> bool:
        """Whether its code runs in this process."""
        return self.module is not None and self.state in LOADED

    def stop(self, state: State, reason: str) -> None:
        """Keep the first cause; later ones are its consequences."""
        if self.state in LOADED or not self.reason:
            self.state, self.reason = state, reason


LOADED = frozenset({State.ACTIVE, State.PENDING, State.PAUSED})


def resolve(
    manifests: list[Manifest],
    enabled: list[str],
    required: Collection[str] = (),
    api: str = API_VERSION,
) -> tuple[dict[str, Plugin], list[str]]:
    """Decide what may load, and in which order: after what it needs, names break ties.

    Returns every installed or enabled plugin with its state (`active` = may load) and the
    order of those enabled.
    """
    plugins = {each.name: Plugin(each, required=each.name in required) for each in manifests}
    for name in enabled:
        plugin = plugins.get(name)
        if plugin is None:
            plugins[name] = _missing(name, sorted(plugins), required=name in required)
        else:
            plugin.state = State.ACTIVE
            _judge_alone(plugin, api)
    judge_together(plugins)
    order = _sorted(plugins, [name for name in plugins if name in set(enabled)])
    return plugins, order


def _missing(name: str, installed: list[str], *, required: bool) -> Plugin:
    near = get_close_matches(name, installed, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"installed are: {', '.join(installed)}"
    reason = f"plugin {name!r} is enabled but not installed; {hint}"
    manifest = Manifest(name=name, package="", version="0", path=Path())
    return Plugin(manifest, State.MISSING, reason, required)


def _judge_alone(plugin: Plugin, api: str) -> None:
    manifest = plugin.manifest
    if manifest.problem:
        plugin.stop(State.QUARANTINED, manifest.problem)
    elif not SpecifierSet(manifest.api).contains(Version(api)):
        reason = f"it is made for hooks {manifest.api}, this host offers {api}; update the older"
        plugin.stop(State.INCOMPATIBLE, reason)


def judge_together(plugins: dict[str, Plugin]) -> None:
    """Requirements, conflicts and contracts; repeated until nothing falls any more."""
    fallen = -1
    while fallen != (fallen := sum(p.state is not State.ACTIVE for p in plugins.values())):
        for plugin in plugins.values():
            if plugin.state is State.ACTIVE:
                reason = _blocked_by(plugin, plugins)
                if reason:
                    plugin.stop(State.BLOCKED, reason)


def _blocked_by(plugin: Plugin, plugins: dict[str, Plugin]) -> str | None:
    for name, versions in plugin.manifest.requires.items():
        other = plugins.get(name)
        if other is None or other.state is not State.ACTIVE:
            state = other.state if other else "not installed"
            return f"it requires plugin {name}, which is {state}; enable or mend {name}"
        if not _contains(versions, other.manifest.version):
            return f"it requires {name} {versions}, installed is {other.manifest.version}"
    for name in plugin.manifest.conflicts:
        if name in plugins and plugins[name].state is State.ACTIVE:
            return f"it conflicts with plugin {name}; enable one of the two"
    for contract, consumed in plugin.manifest.consumes.items():
        offers = _provided(contract, plugins)
        if not consumed.optional and not any(_contains(consumed.versions, v) for v in offers):
            return (
                f"it needs the service {contract} {consumed.versions}, which no active plugin "
                f"provides; {_who_could(contract, consumed.versions, plugins)}"
            )
    return None


def _who_could(contract: str, versions: str, plugins: dict[str, Plugin]) -> str:
    able = sorted(
        plugin.name
        for plugin in plugins.values()
        if contract in plugin.manifest.provides
        and _contains(versions, plugin.manifest.provides[contract])
    )
    return f"enable or mend {' or '.join(able)}" if able else "install a plugin that does"


def _provided(contract: str, plugins: dict[str, Plugin]) -> list[str]:
    active = (p.manifest.provides for p in plugins.values() if p.state is State.ACTIVE)
    return [provides[contract] for provides in active if contract in provides]


def _contains(versions: str, version: str) -> bool:
    try:
        return SpecifierSet(versions).contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


def _sorted(plugins: dict[str, Plugin], names: list[str]) -> list[str]:
    """Kahn's topological sort with the name as tie-break; a ring is blocked and named."""
    needs = {name: _predecessors(plugins[name], plugins) & set(names) for name in names}
    ready = [name for name in names if not needs[name]]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        done = heapq.heappop(ready)
        order.append(done)
        for name, before in needs.items():
            if done in before:
                before.discard(done)
                if not before:
                    heapq.heappush(ready, name)
    ring = sorted(set(names) - set(order))
    for name in ring:
        plugins[name].stop(State.BLOCKED, f"these plugins wait for each other: {', '.join(ring)}")
    return order + ring


def _predecessors(plugin: Plugin, plugins: dict[str, Plugin]) -> set[str]:
    manifest = plugin.manifest
    providers = {
        other.name
        for other in plugins.values()
        if any(contract in other.manifest.provides for contract in manifest.consumes)
    }
    return ({*manifest.requires, *manifest.after} | providers) - {plugin.name}
