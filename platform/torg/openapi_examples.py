"""Examples for the documents, put together from the examples of fields.

Owns the walk through JSON schemas. An example that an author gave by hand stays.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from torg.errors import TorgError

# Deeper ones come from a schema that holds itself.
_DEEPEST = 8
_BY_TYPE: dict[str, Any] = {
    "string": "text",
    "integer": 1,
    "number": 1.0,
    "boolean": True,
    "null": None,
}
_MOMENT = "2026-01-31T12:00:00Z"


def of_schema(schema: Mapping[str, Any], schemas: Mapping[str, Any], *, sent: bool) -> Any:
    """A value that fits the schema.

    Args:
        schema: a JSON schema of the document.
        schemas: the document's components, by name.
        sent: whether the client sends it: then without what is read-only, else without what is
            write-only.
    """
    return _Examples(schemas, "readOnly" if sent else "writeOnly").of(schema, 0)


class _Examples:
    def __init__(self, schemas: Mapping[str, Any], left_out: str) -> None:
        self._schemas = schemas
        self._left_out = left_out

    def of(self, schema: Mapping[str, Any], depth: int) -> Any:
        if "$ref" in schema:
            name = str(schema["$ref"]).rpartition("/")[2]
            return self.of(self._schemas.get(name, {}), depth + 1)
        for key in ("example", "const", "default"):
            if key in schema:
                return schema[key]
        if schema.get("examples"):
            return schema["examples"][0]
        if schema.get("enum"):
            return schema["enum"][0]
        if "allOf" in schema:
            return self._merged(schema["allOf"], depth)
        for key in ("oneOf", "anyOf"):
            if schema.get(key):
                return self.of(schema[key][0], depth)
        return self._by_type(schema, depth)

    def _merged(self, schemas: Iterable[Mapping[str, Any]], depth: int) -> Any:
        parts = [self.of(each, depth) for each in schemas]
        if all(isinstance(part, dict) for part in parts):
            return {key: value for part in parts for key, value in part.items()}
        return parts[0] if parts else None

    def _by_type(self, schema: Mapping[str, Any], depth: int) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else None)
        if isinstance(kind, list):
            kind = kind[0]
        if kind == "object":
            properties = schema.get("properties", {}) if depth < _DEEPEST else {}
            return {
                name: self.of(each, depth + 1)
                for name, each in properties.items()
                if not each.get(self._left_out)
            }
        if kind == "array":
            items = schema.get("items", {})
            return [self.of(items, depth + 1)] if depth < _DEEPEST else []
        if schema.get("format") == "date-time":
            return _MOMENT
        return _BY_TYPE.get(str(kind))


def of_error(kind: type[TorgError], address: str) -> dict[str, Any]:
    """The problem document that an error class would be answered with.

    An error class may give values for its facts in `example`, such as
    `{"minimum_bid": {"amount": "10.00", "currency": "EUR"}}`.
    """
    facts: Mapping[str, Any] = getattr(kind, "example", {})
    example: dict[str, Any] = {
        "type": f"{address}/errors/{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": kind.detail.format_map(_Facts(facts)),
        "instance": "/api/v1/…",
        "code": kind.code,
    }
    if kind.code == "validation_failed":
        wrong = {
            "pointer": "/name",
            "code": "required",
            "message": "Missing data for required field.",
        }
        example["errors"] = [wrong]
    example["request_id"] = "5f0c2f6d1f0e4a6b9c7e8d3a2b1c0f9e"
    return {**{name: facts[name] for name in kind.public if name in facts}, **example}


class _Facts(dict[str, Any]):
    """Facts of a template in which those without an example read as an ellipsis."""

    def __missing__(self, key: str) -> str:
        del key
        return "…"
