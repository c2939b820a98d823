"""What a plugin's hooks return, mounted one plugin at a time.

Owns the order in which the parts of a plugin are taken in, and what happens when one is wrong:
that plugin goes into quarantine and everything it had entered is taken back. Each part's own rules
are those of the module that keeps it.
"""

from collections.abc import Callable
from typing import Any

import flask
import structlog
from pydantic import BaseModel

from torg import (
    contracts,
    events,
    health,
    i18n,
    jobs,
    mail,
    migrate,
    openapi,
    operations,
    plugins,
    schedules,
)
from torg.config import Settings, SettingsError
from torg.config_values import settings_class
from torg.http import Application, Blueprint
from torg.plugins import Plugin, Registry
from torg.route_rules import check_declarations, check_permissions

_log = structlog.get_logger(__name__)


class MountError(Exception):
    """A part of a plugin breaks a rule of the host; the message says which and how to mend it."""


def check_settings(registry: Registry, settings: Settings) -> None:
    """Check every plugin's section at once.

    Raises:
        SettingsError: one message with the problems of all sections; the start stops.
    """
    models: dict[str, type[BaseModel] | None] = {}
    for plugin in registry.loaded():
        try:
            found = registry.invoke(plugin, "torg_settings")
            models[plugin.name] = None if found is None else settings_class(found)
        except Exception as error:
            _fail(registry, plugin, "torg_settings", error)
    settings.plugins(models)


def mount(app: flask.Flask, registry: Registry) -> None:
    """Take in what every loaded plugin brings, dependencies first."""
    for plugin in registry.loaded():
        for hook, take in _PARTS:
            try:
                result = registry.invoke(plugin, hook)
                if result is None and hook == "torg_services":
                    result = ()  # a promise of the manifest is kept or broken without it, too
                if result is not None:
                    take(app, plugin, result)
            except SettingsError:
                raise
            except Exception as error:
                _withdraw(app, plugin)
                _fail(registry, plugin, hook, error)
                break
        i18n.add_catalogue(app, plugin.manifest.path / "translations")
        plugins.block_dependents(registry)
    _note_unheard(app, registry)


def _note_unheard(app: flask.Flask, registry: Registry) -> None:
    """A misspelt event would never be heard, silently: say so of the plugin that waits for it."""
    present = {plugin.name for plugin in registry.loaded()}
    for name, sentence in events.init(app).unheard(present):
        _log.error("subscription_unheard", plugin=name, reason=sentence)
        registry.plugins[name].reason = sentence


def _fail(registry: Registry, plugin: Plugin, hook: str, error: Exception) -> None:
    _log.error("plugin_mount_failed", plugin=plugin.name, hook=hook, exc_info=error)
    registry.quarantine(plugin, f"its {hook} failed: {type(error).__name__}: {error}")


def _withdraw(app: flask.Flask, plugin: Plugin) -> None:
    contracts.init(app).withdraw(plugin.name)
    events.init(app).withdraw(plugin.name)
    for owner in (jobs, schedules, mail, health):
        owner.withdraw(app, plugin.name)


def _take_models(_app: flask.Flask, plugin: Plugin, models: Any) -> None:
    problems = migrate.check_models(plugin.name, list(models))
    if problems:
        raise MountError("; ".join(problems))


def _take_services(app: flask.Flask, plugin: Plugin, services: Any) -> None:
    returned = set()
    for service in services:
        declared = plugin.manifest.provides.get(service.contract)
        if declared != service.version:
            message = (
                f"service {service.contract} {service.version} is returned, but plugin.toml "
                f"says provides.{service.contract} = {declared!r}; make the two agree"
            )
            raise MountError(message)
        contracts.init(app).provide(plugin.name, service)
        returned.add(service.contract)
    missing = sorted(set(plugin.manifest.provides) - returned)
    if missing:
        # Whoever relies on it would be let in, and fail only when somebody asks for something.
        message = f"plugin.toml says it provides {', '.join(missing)}; torg_services does not"
        raise MountError(message)


def _take_events(app: flask.Flask, plugin: Plugin, declared: Any) -> None:
    for event in declared:
        events.init(app).declare(plugin.name, event)


def _take_subscriptions(app: flask.Flask, plugin: Plugin, subscriptions: Any) -> None:
    for subscription in subscriptions:
        events.init(app).subscribe(plugin.name, subscription)
        if subscription.phase == "outbox":
            jobs.deliver_events(app, plugin.name)


def _take_jobs(app: flask.Flask, plugin: Plugin, declared: Any) -> None:
    for job in declared:
        jobs.register(app, plugin.name, job)


def _take_schedules(app: flask.Flask, plugin: Plugin, declared: Any) -> None:
    for schedule in declared:
        schedules.register(app, plugin.name, schedule)


def _take_mail_templates(app: flask.Flask, plugin: Plugin, templates: Any) -> None:
    for template in templates:
        mail.register(app, plugin.name, template)


def _take_health(app: flask.Flask, plugin: Plugin, checks: Any) -> None:
    for check in checks:
        health.register(app, plugin.name, check)


def _take_blueprints(app: flask.Flask, plugin: Plugin, blueprints: Any) -> None:
    own = list(blueprints)
    if plugin.manifest.url_prefix is None and not all(each.at_root for each in own):
        raise MountError("it has routes, but plugin.toml names no url_prefix")
    _rehearse(app, plugin, own)
    openapi.mount(app, plugin.manifest, own)


def _rehearse(app: flask.Flask, plugin: Plugin, blueprints: list[Blueprint]) -> None:
    """Mount everything on a throw-away application first: a real one never gives routes back.

    Raises:
        StartError: a route declares no access or an unknown permission, or clashes with one that
            is mounted; both are named.
    """
    stage = Application("rehearsal")
    mounted = operations.of(app)
    # The stage has none of the host's own pages, so addresses at the root are checked here.
    if any(blueprint.at_root for blueprint in blueprints):
        operations.check_claims(app, plugin.name, plugin.manifest.root_paths)
    prefixes = {owner: prefix for prefix, owner in mounted.prefixes.items()}
    for owner, blueprint in mounted.blueprints.values():
        prefix = blueprint.name if owner == operations.HOST else prefixes.get(owner)
        claims = [claim for claim, claimant in mounted.roots.items() if claimant == owner]
        operations.mount(stage, blueprint, plugin=owner, prefix=prefix, claims=claims)
    manifest = plugin.manifest
    for blueprint in blueprints:
        operations.mount(
            stage,
            blueprint,
            plugin=plugin.name,
            prefix=manifest.url_prefix,
            claims=manifest.root_paths,
        )
    check_declarations(stage)
    known = plugins.registry(app).plugins
    needed = [known[name].manifest for name in manifest.requires if name in known]
    declared = [each for one in (manifest, *needed) for each in one.permissions]
    names = {each.name for each in (*plugins.HOST_PERMISSIONS, *declared)}
    check_permissions(stage, plugin.name, names)


_PARTS: tuple[tuple[str, Callable[[flask.Flask, Plugin, Any], None]], ...] = (
    ("torg_models", _take_models),
    ("torg_services", _take_services),
    ("torg_events", _take_events),
    ("torg_subscriptions", _take_subscriptions),
    ("torg_jobs", _take_jobs),
    ("torg_schedules", _take_schedules),
    ("torg_mail_templates", _take_mail_templates),
    ("torg_health", _take_health),
    # Last, because routes cannot be taken back from a Flask application.
    ("torg_blueprints", _take_blueprints),
)
