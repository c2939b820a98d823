"""Names and properties of schemas in the documents.

Owns the set-up of apispec's marshmallow plugin. A schema of a plugin is called `<plugin>.<Name>`,
so its name depends on nothing but itself; the host's own ones, which several plugins may use, keep
their plain names.
"""

import sys
from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.common import MODIFIERS, resolve_schema_cls
from flask_smorest.spec.field_converters import uploadfield2properties
from marshmallow import Schema

from torg.schemas import openapi_properties

_GENERATED = "GeneratedSchema"


class SchemaNameTakenError(Exception):
    """Two schema classes of one plugin have the same name; rename one of them."""


def marshmallow_plugin(plugin: str) -> MarshmallowPlugin:
    """The converter of one plugin's schemas, with the host's names and properties."""
    # apispec describes a schema in place when it gets no name, though its types do not say so.
    return MarshmallowPlugin(schema_name_resolver=_Names(plugin))  # type: ignore[arg-type]


def add_properties(plugin: MarshmallowPlugin) -> None:
    """Teach the converter of a specification the host's fields; after the specification is made."""
    add: Any = getattr(plugin.converter, "add_attribute_function")  # noqa: B009 - has no types
    add(openapi_properties)
    add(uploadfield2properties)


class _Names:
    """Finds the name of a schema, or None to describe it in place."""

    def __init__(self, plugin: str) -> None:
        self._plugin = plugin
        self._taken: dict[str, type] = {}

    def __call__(self, schema: Any) -> str | None:
        """Called by apispec with a class, an instance or a name."""
        resolved = resolve_schema_cls(schema)
        kind = resolved[0] if isinstance(resolved, list) else resolved
        if kind.__name__ == _GENERATED or _is_reduced(schema):
            return None
        name = kind.__name__.removesuffix("Schema") or kind.__name__
        name = name if _is_of_host(kind) else f"{self._plugin}.{name}"
        if isinstance(schema, Schema) and schema.partial is True:
            name += "Changes"
        elif self._taken.setdefault(name, kind) is not kind:
            message = f"plugin {self._plugin} documents two schemas called {kind.__name__}"
            raise SchemaNameTakenError(message)
        return name


def _is_reduced(schema: Any) -> bool:
    """An instance that shows only some fields is another shape and would need another name."""
    if not isinstance(schema, Schema):
        return False
    modifiers = {name: getattr(schema, name) for name in MODIFIERS}
    partial = modifiers.pop("partial", None)
    return any(modifiers.values()) or bool(partial and partial is not True)


def _is_of_host(kind: type) -> bool:
    module = kind.__module__
    if module != "torg" and not module.startswith("torg."):
        return False
    # A class that host code makes for a plugin (a page of its items) is the plugin's.
    return getattr(sys.modules.get(module), kind.__name__, None) is kind
