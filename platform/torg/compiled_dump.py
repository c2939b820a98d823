"""Dumps objects by code that is written once for a schema: a dict literal per object.

Owns the writing and choosing of that code. It gives what marshmallow's own dump gives, field by
field (a test holds the two equal); a schema with hooks or computed fields is not compiled.
"""

import keyword
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from marshmallow import fields, missing
from sqlalchemy import Row

from torg.container_fields import List, Nested
from torg.field_base import HostField
from torg.money_field import MoneyField, money_json

Function = Callable[..., Any]
Many = Callable[[Iterable[Any]], list[dict[str, Any]]]

# Fields of marshmallow whose `_serialize` looks at nothing but the value.
_VALUE_FIELDS = (fields.String, fields.Float, fields.UUID)
# Rows of one result share this object, so their columns stand in the same order.
_result_of = operator.attrgetter("_parent")


@dataclass(frozen=True, slots=True)
class Part:
    """One key of the output: where its values come from and what makes them ready."""

    key: str
    sources: tuple[str, ...]
    function: Function | None
    default: Any


def plan(dump_fields: Mapping[str, Any], *, for_encoder: bool) -> list[Part] | None:
    """The parts of a schema's output, or None when a field cannot be compiled.

    Args:
        dump_fields: marshmallow's bound fields by name.
        for_encoder: leave moments to the JSON encoder, which writes them faster.
    """
    parts = []
    for name, field in dump_fields.items():
        sources = _sources(name, field)
        if not all(source.isidentifier() and not keyword.iskeyword(source) for source in sources):
            return None
        try:
            ready = _comes_ready(field)
            function = None if ready else _function(name, field, for_encoder=for_encoder)
        except _NotCompilableError:
            return None
        key = name if field.data_key is None else field.data_key
        parts.append(Part(key, sources, function, field.dump_default))
    return parts


class CompiledDump:
    """Dumps what one schema describes, from objects, mappings and rows of a query."""

    def __init__(self, parts: list[Part]) -> None:
        """Write no code yet: it is written for each kind of object when that kind is met."""
        self._parts = parts
        self._sources = {source for part in parts for source in part.sources}
        self._by_kind: dict[Any, Many | None] = {}

    def many(self, items: list[Any]) -> list[dict[str, Any]]:
        """A dict for each of the items."""
        run = self._code_for(items)
        if run is not None:
            try:
                return run(items)
            except (AttributeError, KeyError):
                pass  # Something is missing in one of them: look at each.
        return [self._careful(item) for item in items]

    def one(self, item: Any) -> dict[str, Any]:
        """A dict for the item."""
        if isinstance(item, Mapping) and not self._sources.issubset(item):
            return self._careful(item)
        return self.many([item])[0]

    def _code_for(self, items: list[Any]) -> Many | None:
        kinds = set(map(type, items))
        if len(kinds) != 1:
            return None
        kind = kinds.pop()
        if not issubclass(kind, Row):
            if kind not in self._by_kind:
                self._by_kind[kind] = self._write_for_type(kind)
            return self._by_kind[kind]
        if len(set(map(_result_of, items))) != 1:
            return None
        columns = items[0]._fields  # public in spite of its name, as in a named tuple
        if columns not in self._by_kind:
            self._by_kind[columns] = self._write_for_columns(columns, len(items[0]))
        return self._by_kind[columns]

    def _write_for_type(self, kind: type) -> Many | None:
        if issubclass(kind, tuple) and hasattr(kind, "_fields"):
            return self._write_for_columns(kind._fields, len(kind._fields))
        if issubclass(kind, Mapping):
            return self._write("item", lambda source: f"item[{source!r}]")
        if hasattr(kind, "__getitem__") and not issubclass(kind, tuple):
            return None
        return self._write("item", lambda source: f"item.{source}")

    def _write_for_columns(self, columns: tuple[str, ...], width: int) -> Many | None:
        if not self._sources.issubset(columns) or len(set(columns)) != width:
            return None
        names = {column: f"c{position}" for position, column in enumerate(columns)}
        return self._write(f"({', '.join(names.values())},)", names.__getitem__)

    def _write(self, target: str, value_of: Callable[[str], str]) -> Many:
        names: dict[str, Any] = {}
        entries = []
        for position, part in enumerate(self._parts):
            values = [value_of(source) for source in part.sources]
            text = values[0]
            if part.function is not None:
                names[f"f{position}"] = part.function
                rest = ", ".join(["value", *values[1:]])
                text = f"None if (value := {values[0]}) is None else f{position}({rest})"
            entries.append(f"{part.key!r}: {text}")
        code = f"def many(items):\n return [{{{', '.join(entries)}}} for {target} in items]"
        # The code is made of checked identifiers and quoted keys of a schema class, no input.
        exec(code, names)  # noqa: S102
        run: Many = names["many"]
        return run

    def _careful(self, item: Any) -> dict[str, Any]:
        """Slower, one by one: leaves out what is missing, as marshmallow does."""
        result = {}
        for part in self._parts:
            values = [_get(item, source) for source in part.sources]
            if any(value is missing for value in values):
                default = part.default
                values[0] = default() if callable(default) else default
                if any(value is missing for value in values):
                    continue
            if part.function is None or values[0] is None:
                result[part.key] = values[0]
            else:
                result[part.key] = part.function(*values)
        return result


class _NotCompilableError(Exception):
    """A field computes its output in a way of its own."""


def _sources(name: str, field: Any) -> tuple[str, ...]:
    if isinstance(field, MoneyField) and field.minor is not None:
        return (field.minor, field.currency)
    return (field.attribute or name,)


def _function(name: str, field: Any, *, for_encoder: bool) -> Function | None:
    """What makes a value ready, never called with None; None when the value is ready."""
    if _is_container(field, Nested):
        return partial(_dump_nested, field, False, for_encoder)
    if _is_container(field, List):
        if isinstance(field.inner, fields.Nested):
            if not _is_container(field.inner, Nested):
                raise _NotCompilableError
            return partial(_dump_nested, field.inner, True, for_encoder)
        if len(_sources(name, field.inner)) > 1:
            raise _NotCompilableError
        inner = _function(name, field.inner, for_encoder=for_encoder)
        return list if inner is None else partial(_dump_list, inner)
    if isinstance(field, HostField):
        if _overrides(field):
            raise _NotCompilableError
        if isinstance(field, MoneyField) and field.minor is not None:
            return money_json if for_encoder else field.dump_columns
        if field.is_plain() or (for_encoder and field.is_plain_for_encoder()):
            return None
        return field.json_value if for_encoder else field.dump_value
    if type(field) is fields.Raw:
        return None
    if type(field) in _VALUE_FIELDS:
        return lambda value: field._serialize(value, name, None)  # noqa: SLF001 - its very purpose
    raise _NotCompilableError


def _is_container(field: Any, kind: type) -> bool:
    return isinstance(field, kind) and not any(
        name in vars(each)
        for each in type(field).__mro__[: type(field).__mro__.index(kind)]
        for name in ("serialize", "_serialize", "get_value")
    )


def _comes_ready(field: Any) -> bool:
    nested = field.inner if _is_container(field, List) else field
    return _is_container(nested, Nested) and getattr(nested.schema, "comes_ready", False)


def _overrides(field: HostField) -> bool:
    kind = type(field)
    serialize = MoneyField.serialize if isinstance(field, MoneyField) else fields.Field.serialize
    return (
        kind._serialize is not HostField._serialize  # noqa: SLF001 - compared, not called
        or kind.serialize is not serialize
        or kind.get_value is not fields.Field.get_value
    )


def _dump_nested(field: Any, many: bool, for_encoder: bool, value: Any) -> Any:
    schema = field.schema
    if for_encoder and hasattr(schema, "dump_for_encoder"):
        return schema.dump_for_encoder(value, many=many or schema.many)
    return schema.dump(value, many=many or schema.many)


def _dump_list(inner: Function, values: Iterable[Any]) -> list[Any]:
    return [None if value is None else inner(value) for value in values]


def _get(item: Any, source: str) -> Any:
    if isinstance(item, Mapping):
        return item.get(source, missing)
    if hasattr(item, "__getitem__"):
        try:
            return item[source]
        except (KeyError, IndexError, TypeError, AttributeError):
            pass
    return getattr(item, source, missing)
