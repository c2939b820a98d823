"""Which plugins run: loading one by one, and calling their hooks singly.

Owns the registry of one application. Nothing here stops the host for an optional plugin: whatever
goes wrong becomes its state and a reason that says what to do. Reading manifests is
`torg.manifest`'s, order and states are `torg.resolution`'s, mounting what hooks return is
`torg.mounting`'s.
"""

import importlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import ModuleType
from typing import Any

import flask
import pluggy
import structlog
from flask import current_app
from sqlalchemy.exc import OperationalError

from torg import hookspecs
from torg.manifest import Permission, discover
from torg.resolution import Plugin, State, judge_together, resolve

__all__ = ["Plugin", "Registry", "StartError", "State", "call", "first", "init", "registry"]

_log = structlog.get_logger(__name__)


class StartError(Exception):
    """The host cannot start as it is configured; the message says what to change."""


@dataclass(slots=True)
class Registry:
    """The plugins of one application, in the order in which they are called."""

    plugins: dict[str, Plugin]
    order: list[str]
    manager: pluggy.PluginManager
    observe: Callable[[str, str, float, bool], None] | None = None
    _callers: dict[tuple[str, str], Any] = field(default_factory=dict)

    def loaded(self) -> list[Plugin]:
        """Plugins whose code runs, dependencies first."""
        return [self.plugins[name] for name in self.order if self.plugins[name].loaded]

    def active(self) -> list[Plugin]:
        """Plugins that do their work now, dependencies first."""
        return [plugin for plugin in self.loaded() if plugin.state is State.ACTIVE]

    def quarantine(self, plugin: Plugin, reason: str) -> None:
        """Take a plugin out of service because of an error.

        Raises:
            StartError: the plugin is marked as required.
        """
        reason = " ".join(reason.split())  # one line, as lists show it
        plugin.stop(State.QUARANTINED, reason)
        if plugin.module is not None and self.manager.is_registered(plugin.module):
            self.manager.unregister(plugin.module)
        self._callers.clear()
        _log.error("plugin_quarantined", plugin=plugin.name, reason=reason)
        if plugin.required:
            message = f"required plugin {plugin.name} cannot start: {reason}"
            raise StartError(message)

    def implements(self, plugin: Plugin, hook: str) -> bool:
        """Whether the plugin has an implementation of the hook."""
        caller = getattr(self.manager.hook, hook, None)
        return caller is not None and any(
            implementation.plugin_name == plugin.name for implementation in caller.get_hookimpls()
        )

    def invoke(self, plugin: Plugin, hook: str, /, **arguments: Any) -> Any:
        """Call the hook of one plugin, metered; None when it has none. Errors pass through.

        Raises:
            RuntimeError: the hook tried to end the process.
        """
        if not self.implements(plugin, hook):
            return None
        key = (plugin.name, hook)
        caller = self._callers.get(key)
        if caller is None:
            others = [
                module for name, module in self.manager.list_name_plugin() if name != plugin.name
            ]
            caller = self._callers[key] = self.manager.subset_hook_caller(hook, others)
        started = time.perf_counter()
        failed = True
        try:
            result = caller(**arguments)
            failed = False
        except SystemExit as error:
            # Nobody catches this one, so it would end the host, or a command, without a word.
            message = f"it tried to end the process: {error!r}"
            raise RuntimeError(message) from error
        finally:
            seconds = time.perf_counter() - started
            plugin.hook_errors += failed
            plugin.hook_seconds += seconds
            if self.observe is not None:
                self.observe(plugin.name, hook, seconds, failed)
        if isinstance(result, list) and not self._first_result(hook):
            return result[0] if result else None
        return result

    def _first_result(self, hook: str) -> bool:
        specification = getattr(self.manager.hook, hook).spec
        return bool(specification and specification.opts.get("firstresult"))


def init(
    app: flask.Flask,
    enabled: Iterable[str],
    required: Iterable[str] = (),
    *,
    extra: Iterable[ModuleType] = (),
) -> Registry:
    """Scan, resolve, import and register; the result is kept with the application.

    Args:
        app: the application.
        enabled: names of plugins that are switched on.
        required: names of those without which the start stops.
        extra: further modules with hooks and a `MANIFEST`, taken as enabled (test kits).

    Raises:
        StartError: a required plugin cannot run.
    """
    manager = pluggy.PluginManager("torg")
    manager.add_hookspecs(hookspecs)
    added = {module.MANIFEST.name: module for module in extra}
    manifests = [*discover(), *(module.MANIFEST for module in added.values())]
    plugins, order = resolve(manifests, [*enabled, *added], list(required))
    registry = Registry(plugins, order, manager)
    app.extensions["torg.plugins"] = registry
    for name, module in added.items():
        plugins[name].module = module
    for name in order:
        _import(registry, plugins[name])
    # pluggy calls the last registered first, so dependents go in first.
    for plugin in reversed(registry.loaded()):
        _register(registry, plugin)
    for plugin in registry.loaded():
        _add_own_hookspecs(registry, plugin)
    for plugin in registry.loaded():
        _check_hooks(registry, plugin)
    block_dependents(registry)
    return registry


def registry(app: flask.Flask | None = None) -> Registry:
    """The registry of this or the current application."""
    found: Registry = (app or current_app).extensions["torg.plugins"]
    return found


def call(hook: str, /, **arguments: Any) -> list[tuple[str, Any]]:
    """Call a hook of every active plugin by itself; one that raises is logged and left out."""
    results = []
    present = registry()
    for plugin in present.active():
        try:
            result = present.invoke(plugin, hook, **arguments)
        except Exception:
            _log.exception("hook_failed", plugin=plugin.name, hook=hook)
            continue
        if result is not None:
            results.append((plugin.name, result))
    return results


def announce_ready(app: flask.Flask) -> None:
    """Call `torg_ready` of every active plugin; one that raises goes on working and says so.

    Its routes are mounted already and may be all that somebody needs of it, so it stays active, and
    health is degraded until somebody has looked.
    """
    present = registry(app)
    for plugin in present.active():
        try:
            present.invoke(plugin, "torg_ready", app=app)
        except OperationalError as error:
            # The start has noted already that the database is away, and goes on without it.
            _log.warning("hook_left_out", plugin=plugin.name, hook="torg_ready", error=repr(error))
        except Exception as error:
            _log.exception("hook_failed", plugin=plugin.name, hook="torg_ready")
            text = " ".join(str(error).split())
            plugin.reason = f"its torg_ready failed: {type(error).__name__}: {text}"


def first(hook: str, /, **arguments: Any) -> Any:
    """The first answer that is not None, in plugin order; errors pass through (fail closed)."""
    present = registry()
    for plugin in present.active():
        result = present.invoke(plugin, hook, **arguments)
        if result is not None:
            return result
    return None


def permissions(app: flask.Flask | None = None) -> dict[str, Permission]:
    """The catalogue of permissions that the loaded plugins and the host declare, by name."""
    declared = [each for plugin in registry(app).loaded() for each in plugin.manifest.permissions]
    return {each.name: each for each in (*HOST_PERMISSIONS, *declared)}


HOST_PERMISSIONS = (
    Permission("host.job.read", "See every background job", ("admin",)),
    Permission("host.metrics.read", "See the metrics", ("admin",)),
)


def _import(registry: Registry, plugin: Plugin) -> None:
    if plugin.state is not State.ACTIVE or plugin.module is not None:
        return
    started = time.perf_counter()
    try:
        plugin.module = importlib.import_module(f"{plugin.manifest.package}.plugin")
    except Exception as error:
        _log.exception("plugin_import_failed", plugin=plugin.name)
        registry.quarantine(plugin, f"importing it failed: {type(error).__name__}: {error}")
    except SystemExit as error:
        registry.quarantine(plugin, f"importing it tried to end the process: {error!r}")
    plugin.start_seconds = time.perf_counter() - started


def _register(registry: Registry, plugin: Plugin) -> None:
    try:
        registry.manager.register(plugin.module, name=plugin.name)
    except Exception as error:
        registry.quarantine(plugin, f"its hooks do not fit: {error}")


def _add_own_hookspecs(registry: Registry, plugin: Plugin) -> None:
    try:
        own = registry.invoke(plugin, "torg_hookspecs")
        if own is not None:
            registry.manager.add_hookspecs(own)
    except Exception as error:
        registry.quarantine(plugin, f"its torg_hookspecs failed: {type(error).__name__}: {error}")


def _check_hooks(registry: Registry, plugin: Plugin) -> None:
    """A misspelt hook or argument would never be called, silently: refuse it by name."""
    for caller in registry.manager.get_hookcallers(plugin.module) or []:
        for implementation in caller.get_hookimpls():
            if implementation.plugin_name != plugin.name:
                continue
            if caller.spec is None and not implementation.optionalhook:
                known = [name for name in dir(hookspecs) if name.startswith("torg_")]
                near = get_close_matches(caller.name, known, 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                registry.quarantine(plugin, f"it implements unknown hook {caller.name}{hint}")
                return


def block_dependents(registry: Registry) -> None:
    """Block whoever needs a plugin that has just fallen out; the reason names it.

    Raises:
        StartError: one of those is marked as required.
    """
    before = {plugin.name for plugin in registry.loaded()}
    judge_together({n: p for n, p in registry.plugins.items() if p.state is not State.DISABLED})
    for name in before - {plugin.name for plugin in registry.loaded()}:
        plugin = registry.plugins[name]
        if plugin.module is not None and registry.manager.is_registered(plugin.module):
            registry.manager.unregister(plugin.module)
        _log.error("plugin_blocked", plugin=name, reason=plugin.reason)
    for plugin in registry.plugins.values():
        if plugin.required and not plugin.loaded:
            message = f"required plugin {plugin.name} is {plugin.state}: {plugin.reason}"
            raise StartError(message)
