"""The API documents: one for each plugin and one of all, always of what is mounted here.

Owns mounting with its documentation, the making of documents when they are first asked for, and
the check of the rules that every operation keeps. One plugin whose schemas cannot be described is
named and left out; the documents of the others are whole.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import flask
import structlog

from torg import docs_pages, openapi_document, operations
from torg.blueprint import Blueprint
from torg.config import EXTENSION as CONFIG
from torg.errors import NotFoundError, UnavailableError
from torg.manifest import Manifest
from torg.openapi_document import Section
from torg.openapi_rules import problems_of
from torg.route_rules import check_declarations

EXTENSION = "torg.openapi"
TITLE = "Torg"
_SUMMARY = "A trading platform made of plugins. Every plugin speaks the same grammar."
_log = structlog.get_logger(__name__)


class DocumentBrokenError(UnavailableError):
    """The document of this plugin could not be made; the server's log says why."""

    code = "document_broken"
    title = "Document unavailable"
    detail = "The document of plugin {plugin} could not be made."
    public = ("plugin",)


@dataclass
class _Documents:
    """The documents of one application; each is made once."""

    sections: dict[str, Section] = field(default_factory=dict)
    made: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


def init(app: flask.Flask) -> None:
    """Give the application its documents, and pages to read them when they are switched on."""
    app.extensions[EXTENSION] = _Documents()
    settings = app.extensions.get(CONFIG)
    if settings is None or settings.host.docs_enabled:
        docs_pages.init(app, document)


def mount_host(app: flask.Flask, blueprints: Iterable[Blueprint]) -> None:
    """Serve blueprints of the host itself, each below its own name."""
    _sections(app)[operations.HOST] = Section(
        operations.HOST, "Host", "What the host itself serves."
    )
    for blueprint in blueprints:
        operations.mount(app, blueprint, plugin=operations.HOST, prefix=blueprint.name)


def mount(app: flask.Flask, manifest: Manifest, blueprints: Iterable[Blueprint]) -> None:
    """Serve a plugin's blueprints below the prefix, or at the root paths, of its manifest.

    Raises:
        StartError: an address, or the name of a blueprint, is taken.
    """
    title = manifest.title or manifest.name
    _sections(app)[manifest.name] = Section(manifest.name, title, manifest.summary)
    for blueprint in blueprints:
        operations.mount(
            app,
            blueprint,
            plugin=manifest.name,
            prefix=manifest.url_prefix,
            claims=manifest.root_paths,
        )


def finish(app: flask.Flask) -> None:
    """Check every route, now that all are mounted.

    Raises:
        StartError: a route breaks a rule; names it and its plugin.
    """
    check_declarations(app)


def document(app: flask.Flask, plugin: str | None = None) -> dict[str, Any]:
    """The OpenAPI 3.1 document of one plugin, or of all.

    Raises:
        NotFoundError: no such plugin is mounted.
        DocumentBrokenError: a schema of this plugin cannot be described.
    """
    state: _Documents = app.extensions[EXTENSION]
    if plugin is None:
        made = {name: _made(app, state, name) for name in state.sections}
        whole = {name: each for name, each in made.items() if each is not None}
        missing = sorted(set(made) - set(whole))
        return openapi_document.merge(whole, TITLE, _SUMMARY, missing)
    if plugin not in state.sections:
        raise NotFoundError
    found = _made(app, state, plugin)
    if found is None:
        raise DocumentBrokenError(plugin=plugin)
    return found


def check(app: flask.Flask, plugin: str | None = None) -> list[str]:
    """What operations lack by the host's rules, one sentence each; empty when all is well."""
    return problems_of(document(app, plugin))


def _made(app: flask.Flask, state: _Documents, plugin: str) -> dict[str, Any] | None:
    with state.lock:
        if plugin not in state.made:
            state.made[plugin] = _make(app, state.sections[plugin])
        return state.made[plugin]


def _make(app: flask.Flask, section: Section) -> dict[str, Any] | None:
    own = {
        name: blueprint
        for name, (plugin, blueprint) in operations.blueprints(app).items()
        if plugin == section.plugin
    }
    settings = app.extensions.get(CONFIG)
    address = settings.host.base_url if settings is not None else ""
    try:
        return openapi_document.build(app, section, own, address)
    except Exception:
        _log.exception("document_broken", plugin=section.plugin)
        return None


def _sections(app: flask.Flask) -> dict[str, Section]:
    state: _Documents = app.extensions[EXTENSION]
    return state.sections
