"""What is mounted: every view of every plugin with its declaration.

Owns mounting of blueprints and the look-up by endpoint. Running an operation is `torg.calls`',
the rules that all of them keep are `torg.route_rules`'.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import flask

from torg import db, root_paths
from torg.blueprint import Blueprint, Declaration, LimitRule, declaration_of
from torg.plugins import StartError

API_PREFIX = "/api/v1"
EXTENSION = "torg.operations"
HOST = "host"
SAFE_METHODS = frozenset({"GET", "HEAD"})
_DEFAULT_BODY_BYTES = 1024 * 1024
_DEFAULT_UPLOAD_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Operation:
    """A view of a blueprint as it is mounted: whose it is and what it declares."""

    id: str
    plugin: str
    endpoint: str
    declaration: Declaration
    by_address: tuple[LimitRule, ...]
    by_identity: tuple[LimitRule, ...]
    body_limit_bytes: int
    has_several_methods: bool = False

    def id_for(self, method: str) -> str:
        """The id in the documents; a view of several methods has one for each."""
        return f"{self.id}_{method}" if self.has_several_methods else self.id

    def mode(self, method: str, key: str | None) -> db.Mode:
        """The transaction this call runs in."""
        declared = self.declaration.mode
        if declared is None:
            return "read" if method in SAFE_METHODS else "write"
        return "write" if key is not None else declared


@dataclass(slots=True)
class Mounted:
    """What is mounted in one application."""

    operations: dict[str, Operation]
    blueprints: dict[str, tuple[str, Blueprint]]
    prefixes: dict[str, str]
    roots: dict[str, str] = field(default_factory=dict)
    body_limit_bytes: int = _DEFAULT_BODY_BYTES
    upload_limit_bytes: int = _DEFAULT_UPLOAD_BYTES
    is_debugging: bool = False
    is_tracing: bool = False
    origins: frozenset[str] = frozenset()


def mount(
    app: flask.Flask,
    blueprint: Blueprint,
    *,
    plugin: str,
    prefix: str | None,
    claims: Iterable[str] = (),
) -> None:
    """Serve a plugin's blueprint below `/api/v1/<prefix>`, or at its root paths.

    Args:
        app: where it is mounted.
        blueprint: with its declarations; `at_root` says which of the two.
        plugin: whose it is.
        prefix: of the plugin's manifest.
        claims: `root_paths` of the plugin's manifest.

    Raises:
        StartError: another plugin has this prefix, another blueprint this name, or an address at
            the root was not claimed.
    """
    mounted = of(app)
    claimed = tuple(claims)
    if blueprint.at_root:
        check_claims(app, plugin, claimed)
        mounted.roots.update(dict.fromkeys(claimed, plugin))
    else:
        _claim_prefix(mounted, plugin, prefix)
    name = blueprint.name if _is_own(blueprint.name, plugin) else f"{plugin}_{blueprint.name}"
    if name in mounted.blueprints:
        message = f"plugin {plugin} mounts two blueprints with the name {blueprint.name!r}"
        raise StartError(message)
    before = set(app.view_functions)
    below = "" if blueprint.at_root else f"{API_PREFIX}/{prefix}"
    app.register_blueprint(blueprint, name=name, url_prefix=f"{below}{blueprint.url_prefix or ''}")
    mounted.blueprints[name] = (plugin, blueprint)
    for endpoint in app.view_functions.keys() - before:
        if blueprint.at_root:
            _require_claimed(app, plugin, endpoint, claimed)
        mounted.operations[endpoint] = _operation(app, mounted, plugin, endpoint)


def check_claims(app: flask.Flask, plugin: str, claims: Iterable[str]) -> None:
    """See that addresses at the root are free.

    Raises:
        StartError: the host or another plugin serves one of them, or something below or above it.
    """
    mounted = of(app)
    taken = {claim: owner for claim, owner in mounted.roots.items() if owner != plugin}
    pages = [
        rule.rule for rule in app.url_map.iter_rules() if rule.endpoint not in mounted.operations
    ]
    if problems := root_paths.clashes(claims, API_PREFIX, taken, pages):
        message = f"plugin {plugin}: {'; '.join(problems)}; claim another in plugin.toml"
        raise StartError(message)


def _claim_prefix(mounted: Mounted, plugin: str, prefix: str | None) -> None:
    if prefix is None:
        message = f"plugin {plugin} has routes, but plugin.toml names no url_prefix"
        raise StartError(message)
    owner = mounted.prefixes.setdefault(prefix, plugin)
    if owner != plugin:
        message = f"plugins {owner} and {plugin} both claim the prefix {API_PREFIX}/{prefix}"
        raise StartError(message)


def _require_claimed(app: flask.Flask, plugin: str, endpoint: str, claims: Iterable[str]) -> None:
    for rule in app.url_map.iter_rules(endpoint):
        if not any(root_paths.covers(claim, rule.rule) for claim in claims):
            message = (
                f"plugin {plugin} serves {rule.rule}, which none of its root_paths covers; "
                "name it in plugin.toml"
            )
            raise StartError(message)


def _is_own(name: str, plugin: str) -> bool:
    return name == plugin or name.startswith(f"{plugin}_")


def _operation(app: flask.Flask, mounted: Mounted, plugin: str, endpoint: str) -> Operation:
    declared = declaration_of(app.view_functions[endpoint])
    limit = mounted.upload_limit_bytes if declared.upload else mounted.body_limit_bytes
    return Operation(
        id=f"{plugin}_{endpoint.rpartition('.')[2]}",
        plugin=plugin,
        endpoint=endpoint,
        declaration=declared,
        by_address=tuple(rule for rule in declared.limits if rule.by == "address"),
        by_identity=tuple(rule for rule in declared.limits if rule.by == "identity"),
        body_limit_bytes=limit,
        has_several_methods=_has_several_methods(app, endpoint),
    )


def _has_several_methods(app: flask.Flask, endpoint: str) -> bool:
    methods = {method for rule in app.url_map.iter_rules(endpoint) for method in rule.methods or ()}
    return len(methods - {"HEAD", "OPTIONS"}) > 1


def operations(app: flask.Flask) -> dict[str, Operation]:
    """Every mounted operation by its Flask endpoint."""
    return of(app).operations


def blueprints(app: flask.Flask) -> dict[str, tuple[str, Blueprint]]:
    """Every mounted blueprint by the name it is mounted under, with its plugin."""
    return of(app).blueprints


def of(app: flask.Flask) -> Mounted:
    """What is mounted in an application."""
    found: Mounted = app.extensions[EXTENSION]
    return found
