"""The OpenAPI 3.1 document of one plugin, made from its blueprints.

Owns the assembly and the merging of several: flask-smorest and apispec describe arguments and
answers, `torg.openapi_operations` completes each operation. Serving is `torg.docs_pages`'.
"""

from dataclasses import dataclass
from typing import Any

import flask
from apispec import APISpec
from flask_smorest.spec.plugins import FlaskPlugin

from torg import __version__, openapi_operations, operations
from torg.blueprint import Blueprint
from torg.openapi_schemas import add_properties, marshmallow_plugin

OPENAPI_VERSION = "3.1.0"


@dataclass(frozen=True, slots=True)
class Section:
    """A plugin as the documents show it."""

    plugin: str
    title: str
    summary: str


class _Defaults:
    """What flask-smorest's documenting asks its `Api` for."""

    DEFAULT_ERROR_RESPONSE_NAME = None
    DEFAULT_REQUEST_BODY_CONTENT_TYPE = "application/json"
    DEFAULT_RESPONSE_CONTENT_TYPE = "application/json"


def build(
    app: flask.Flask, section: Section, blueprints: dict[str, Blueprint], address: str
) -> dict[str, Any]:
    """The complete document of one plugin.

    Args:
        app: the application in which the blueprints are mounted.
        section: how the plugin presents itself.
        blueprints: its blueprints by the name they are mounted under.
        address: the deployment's address, for links to explanations.

    Raises:
        Exception: whatever a schema of the plugin raises while it is described.
    """
    converter = marshmallow_plugin(section.plugin)
    spec = APISpec(section.title, __version__, OPENAPI_VERSION, plugins=[FlaskPlugin(), converter])
    add_properties(converter)
    for name, blueprint in blueprints.items():
        blueprint.register_views_in_doc(_Defaults(), app, spec, name=name, parameters=None)
    document = spec.to_dict()
    document["info"]["description"] = section.summary
    document["servers"] = [{"url": "/"}]
    document["tags"] = [{"name": section.plugin, "description": _described(section, blueprints)}]
    components = document.setdefault("components", {})
    # Answers are described in place: flask-smorest's shared ones are of another shape.
    components.pop("responses", None)
    openapi_operations.add_components(components)
    mounted = {
        (_path(rule), method.lower()): operation
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if (operation := operations.operations(app).get(rule.endpoint)) is not None
    }
    for path, item in document["paths"].items():
        for method, described in item.items():
            operation = mounted.get((path, method))
            if operation is not None:
                openapi_operations.complete(
                    described, operation, method, item.get("parameters", []), components, address
                )
    return document


def _path(rule: Any) -> str:
    return str(FlaskPlugin.flaskpath2openapi(rule.rule))


def _described(section: Section, blueprints: dict[str, Blueprint]) -> str:
    texts = [section.summary, *(each.description for each in blueprints.values())]
    return "\n\n".join(dict.fromkeys(text for text in texts if text))


def merge(
    documents: dict[str, dict[str, Any]], title: str, description: str, missing: list[str]
) -> dict[str, Any]:
    """One document of several; names of paths and schemas are those of the single ones.

    Args:
        documents: by plugin.
        title: of the whole.
        description: of the whole.
        missing: plugins whose document could not be made; named, so that nobody takes the whole
            for complete.
    """
    merged: dict[str, Any] = {
        "openapi": OPENAPI_VERSION,
        "info": {"title": title, "version": __version__, "description": description},
        "servers": [{"url": "/"}],
        "tags": [],
        "paths": {},
        "components": {},
    }
    for document in documents.values():
        merged["tags"].extend(document["tags"])
        merged["paths"].update(document["paths"])
        for kind, parts in document["components"].items():
            merged["components"].setdefault(kind, {}).update(parts)
    if missing:
        merged["info"]["x-missing-plugins"] = missing
    return merged
