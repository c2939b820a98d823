"""The rules that every mounted route keeps, checked once at start.

Owns the checks; an application with a route that breaks one does not start.
"""

import re
from collections.abc import Collection, Iterable
from typing import Any

import flask

from torg import limits
from torg.config_sources import nearest
from torg.operations import operations
from torg.plugins import StartError

_CONVERTED = re.compile(r"<(?:([^:<>]+):)?[^<>]+>")


def check_declarations(app: flask.Flask) -> None:
    """Refuse routes that break a rule, all of them in one message.

    Raises:
        StartError: a view is neither public nor names what it requires; two views claim the same
            rule and method; two operations have the same id; a rate or tag is not usable.
    """
    problems = [*_undeclared(app), *_claimed_twice(app), *_named_twice(app), *_wrong_words(app)]
    if problems:
        raise StartError("; ".join(problems))


def check_permissions(app: flask.Flask, plugin: str, declared: Collection[str]) -> None:
    """Refuse routes that ask for a permission which nobody can be given.

    Args:
        app: where the routes are mounted.
        plugin: whose routes.
        declared: the permissions of its manifest, of plugins that it requires, and the host's.

    Raises:
        StartError: naming each route, its permission and the nearest that is declared.
    """
    problems = []
    for operation in operations(app).values():
        wanted = operation.declaration.permission
        if operation.plugin != plugin or wanted is None or wanted in declared:
            continue
        near = nearest(wanted, declared)
        hint = f"did you mean {near}?" if near else "declare it there"
        problems.append(
            f"{operation.id} requires the permission {wanted}, which plugin.toml does not "
            f"declare; {hint}"
        )
    if problems:
        raise StartError("; ".join(problems))


def _undeclared(app: flask.Flask) -> Iterable[str]:
    for rule in app.url_map.iter_rules():
        operation = operations(app).get(rule.endpoint)
        if operation is not None and operation.declaration.access == "undeclared":
            yield (
                f"route {_methods(rule)} {rule.rule} of plugin {operation.plugin} is neither "
                "@blueprint.public nor @blueprint.requires(...); say which"
            )


def _claimed_twice(app: flask.Flask) -> Iterable[str]:
    claimed: dict[tuple[str, str], str] = {}
    for rule in app.url_map.iter_rules():
        operation = operations(app).get(rule.endpoint)
        owner = f"plugin {operation.plugin}" if operation is not None else "the host"
        place = f"{owner} ({rule.endpoint})"
        # Two rules that differ only in the name of an argument match the same addresses.
        shape = _CONVERTED.sub(lambda found: f"<{found[1] or 'string'}>", rule.rule).rstrip("/")
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            other = claimed.setdefault((method, shape), place)
            if other != place:
                yield f"{method} {rule.rule} is claimed by {other} and by {place}"


def _named_twice(app: flask.Flask) -> Iterable[str]:
    known: dict[str, str] = {}
    for operation in operations(app).values():
        other = known.setdefault(operation.id, operation.endpoint)
        if other != operation.endpoint:
            yield (
                f"plugin {operation.plugin} has two views {operation.id}: rename one, because the "
                "name of the function is the operation's id"
            )


def _wrong_words(app: flask.Flask) -> Iterable[str]:
    for rule in app.url_map.iter_rules():
        operation = operations(app).get(rule.endpoint)
        if operation is None:
            continue
        declared = operation.declaration
        for limit in declared.limits:
            if not limits.is_rate(limit.rate):
                yield f"{operation.id} declares the rate {limit.rate!r}; write '60 per minute'"
        if declared.ready is not None and not _fits(declared.ready.tags, rule.arguments):
            yield f"{operation.id} declares ready-answer tags that its route cannot fill"


def _fits(tags: tuple[str, ...], arguments: Iterable[str]) -> bool:
    try:
        for tag in tags:
            tag.format_map(dict.fromkeys(arguments, 1))
    except (KeyError, IndexError, ValueError):
        return False
    return bool(tags)


def _methods(rule: Any) -> str:
    return ",".join(sorted(set(rule.methods or ()) - {"HEAD", "OPTIONS"}))
