"""Turns text into values, and values and types into words: masking, allowed values, defaults.

Pure; knows pydantic's field descriptions and no particular setting.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Collection
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

MASK = "***"

_SECRET_NAME = re.compile(r"(^|_)(secret|password|token|key|keys|credentials|dsn|pin)$")
_USER_INFO = re.compile(r"(?<=://)([^/?#@\s:]*):([^/?#@\s]*)@")
_SECRET_PARAMETER = re.compile(r"(?i)((?:password|secret|token|key|sslpassword)=)[^&\s\"]+")


def settings_class(found: object) -> type[BaseModel]:
    """What a plugin's `torg_settings` returned, when it is what that hook has to return.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(found, type) and issubclass(found, BaseModel):
        return found
    message = f"torg_settings has to return a pydantic model class, not {found!r}"
    raise TypeError(message)


def extra(described: FieldInfo, name: str) -> object:
    """A remark that a settings class made on its field, such as `allowed` or `secret`."""
    remarks = described.json_schema_extra
    return remarks.get(name) if isinstance(remarks, dict) else None


def is_secret(key: str, described: FieldInfo | None) -> bool:
    """Whether the whole value must never be shown."""
    if described is not None:
        marked = extra(described, "secret")
        if isinstance(marked, bool):
            return marked
        if SecretStr in _alternatives(described.annotation):
            return True
        if {bool, int, float} & set(_alternatives(described.annotation)):
            return False
    return bool(_SECRET_NAME.search(key.lower()))


def without_password(text: str) -> str:
    """A URL with its password, and secret-looking parameters, replaced."""
    return _SECRET_PARAMETER.sub(rf"\1{MASK}", _USER_INFO.sub(rf"\1:{MASK}@", text))


def masked(key: str, value: object, described: FieldInfo | None) -> str:
    """A value as a person may see it: in TOML's spelling, secrets replaced by `***`."""
    if value is None or value == "" or (isinstance(value, SecretStr) and not value):
        return '""'
    if isinstance(value, SecretStr) or is_secret(key, described):
        return MASK
    return without_password(literal(value))


def literal(value: object) -> str:
    """A value in the spelling of TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Enum):
        return literal(value.value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Collection) and not isinstance(value, str | bytes):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    if value is None:
        return '""'
    return json.dumps(str(value), ensure_ascii=False)


def from_text(described: FieldInfo, value: object) -> object:
    """Prepare a value from a variable: a list from commas, a table from JSON.

    Raises:
        ValueError: a table is not JSON.
    """
    if not isinstance(value, str):
        return value
    value = value.strip()
    alternatives = _alternatives(described.annotation)
    if any(_is_list(item) for item in alternatives):
        if value.startswith("["):
            return _json(value)
        return [part.strip() for part in value.split(",") if part.strip()]
    if any(_is_table(item) for item in alternatives) and value:
        return _json(value)
    return value


def allowed_values(described: FieldInfo) -> str:
    """What a setting accepts, in words."""
    stated = extra(described, "allowed")
    if isinstance(stated, str):
        return stated
    words = [
        _words(item, described)
        for item in _alternatives(described.annotation)
        if item is not type(None)
    ]
    return " or ".join(dict.fromkeys(words))


def _words(kind: Any, described: FieldInfo) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(literal(item) for item in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(literal(item) for item in kind)
    if _is_list(kind):
        return 'a list ["a", "b"]; as a variable: a,b'
    if _is_table(kind):
        return "a table; as a variable: JSON"
    if kind is bool:
        return "true or false"
    if kind is int:
        return "a whole number" + _bounds(described)
    if kind in (float, Decimal):
        return "a number" + _bounds(described)
    if kind is Path:
        return "a path"
    return "text" + _length(described)


def _bounds(described: FieldInfo) -> str:
    low = next((item.ge for item in described.metadata if hasattr(item, "ge")), None)
    high = next((item.le for item in described.metadata if hasattr(item, "le")), None)
    above = next((item.gt for item in described.metadata if hasattr(item, "gt")), None)
    parts = [
        f" from {low}" if low is not None else "",
        f" above {above}" if above is not None else "",
        f" to {high}" if high is not None else "",
    ]
    return "".join(parts)


def _length(described: FieldInfo) -> str:
    longest = next(
        (item.max_length for item in described.metadata if hasattr(item, "max_length")), None
    )
    return f" of at most {longest} characters" if longest else ""


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) in (Union, types.UnionType):
        return get_args(annotation)
    return (annotation,)


def _is_list(kind: Any) -> bool:
    return (get_origin(kind) or kind) in (tuple, list, set, frozenset)


def _is_table(kind: Any) -> bool:
    origin = get_origin(kind) or kind
    return origin is dict or (isinstance(origin, type) and issubclass(origin, BaseModel))


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error}") from None
