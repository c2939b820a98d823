"""From marshmallow's messages to pointers, codes and words.

Owns the walk through nested messages. Raising and answering them is others' work.
"""

from collections.abc import Iterator
from typing import Any

import marshmallow
from marshmallow import fields

from torg.errors import FieldProblem
from torg.field_base import Message
from torg.i18n import gettext

_CODES = {
    "Missing data for required field.": "required",
    "Field may not be null.": "null",
    "Unknown field.": "unknown",
    "Invalid input type.": "invalid_type",
}
# A body of a thousand wrong items needs no thousand sentences.
_MOST = 100


def field_problems(messages: Any, location: str = "json", schema: Any = None) -> list[FieldProblem]:
    """The wrong places that marshmallow found, in its order, at most 100.

    Args:
        messages: `ValidationError.messages`, a list or nested mappings of lists.
        location: where the values came from; "query" and "headers" change the pointers.
        schema: the schema that refused, to name what it would have taken.
    """
    found: list[FieldProblem] = []
    for path, text, owner in _walk(messages, (), schema):
        if len(found) == _MOST:
            break
        code, words = _said(text)
        if code == "unknown" and owner is not None:
            words = gettext("Unknown here. Allowed: {names}.", names=_allowed(owner))
        found.append(FieldProblem(_pointer(path, location), code, words))
    return found


def _said(text: str) -> tuple[str, str]:
    """Code and words: the host's fields say both, marshmallow's own messages are known ones."""
    if isinstance(text, Message):
        return text.code, gettext(text.template, **text.facts)
    return _CODES.get(text, "invalid"), gettext(text)


def _walk(
    messages: Any, path: tuple[str, ...], schema: Any
) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    if isinstance(messages, dict):
        for key, inner in messages.items():
            if key == "_schema":
                yield from _walk(inner, path, schema)
            else:
                step = (*path, str(key))
                yield from _walk(inner, step, _inner_schema(schema, key, inner))
    elif isinstance(messages, list | tuple):
        for inner in messages:
            yield from _walk(inner, path, schema)
    else:
        yield path, messages if isinstance(messages, str) else str(messages), schema


def _inner_schema(schema: Any, key: Any, inner: Any) -> Any:
    """The schema to name alternatives from: a leaf keeps its owner's."""
    if not isinstance(inner, dict):
        return schema
    if not isinstance(schema, marshmallow.Schema):
        return None
    if isinstance(key, int):
        return schema
    for name, field in schema.fields.items():
        if key in (name, field.data_key):
            return _schema_of(field)
    return None


def _schema_of(field: Any) -> Any:
    while isinstance(field, fields.List):
        field = field.inner
    return field.schema if isinstance(field, fields.Nested) else None


def _allowed(schema: Any) -> str:
    if not isinstance(schema, marshmallow.Schema):
        return "-"
    return ", ".join(sorted(field.data_key or name for name, field in schema.load_fields.items()))


def _pointer(path: tuple[str, ...], location: str) -> str:
    if location in ("query", "querystring"):
        return "?" + ".".join(path)
    if location == "headers":
        return "header:" + ".".join(path)
    # RFC 6901, section 3.
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path)
