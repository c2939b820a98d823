"""Schemas: the shape of every body, query and answer, and all of the host's fields.

Owns the base class: unknown names are refused, and the dump is compiled once from the schema's own
fields. Plugins import the fields from here.
"""

from typing import Any, ClassVar

import marshmallow
import orjson
from marshmallow.decorators import POST_DUMP, PRE_DUMP

from torg.compiled_dump import CompiledDump, plan
from torg.container_fields import List, Nested
from torg.field_base import HostField, Message, openapi_properties, problem
from torg.fields import (
    MAX_BIGINT,
    MIN_BIGINT,
    Boolean,
    Date,
    Decimal,
    Enum,
    Id,
    Integer,
    Timestamp,
)
from torg.money_field import MoneyField
from torg.text_fields import Email, Slug, Text, Url, Words

__all__ = [
    "MAX_BIGINT",
    "MIN_BIGINT",
    "Boolean",
    "Date",
    "Decimal",
    "Email",
    "Enum",
    "HostField",
    "Id",
    "Integer",
    "List",
    "Message",
    "MoneyField",
    "Nested",
    "QuerySchema",
    "Schema",
    "Slug",
    "Text",
    "Timestamp",
    "Url",
    "Words",
    "openapi_properties",
    "problem",
]


class Schema(marshmallow.Schema):
    """Parent of every schema. Names that it does not declare are refused (422)."""

    #: Whether values arrive as text; fields read it when they are bound.
    from_text: ClassVar[bool] = False

    #: Whether nested values come as finished dicts, which then cost nothing to dump: a list of
    #: hundreds of small ones is mostly looking at each. Their author answers for their members.
    comes_ready: ClassVar[bool] = False

    _shared: ClassVar[dict[tuple[Any, ...], CompiledDump | None]] = {}

    error_messages: dict[str, str] = {  # noqa: RUF012 - declared so by marshmallow
        "type": Message("invalid_type", "Invalid input type."),
        "unknown": Message("unknown", "Unknown field."),
    }

    class Meta:
        """Options of marshmallow."""

        unknown = marshmallow.RAISE

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls._shared = {}

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """As marshmallow's; by compiled code when the schema has no hooks or computed fields."""
        return self._dump(obj, many, for_encoder=False)

    def dump_for_encoder(self, obj: Any, *, many: bool | None = None) -> Any:
        """As `dump`, but moments stay moments (aware, UTC), which `orjson` writes just the same."""
        return self._dump(obj, many, for_encoder=True)

    def dump_bytes(self, obj: Any, *, many: bool | None = None) -> bytes:
        """The whole answer as JSON bytes: the quickest way from rows to a body."""
        return orjson.dumps(self.dump_for_encoder(obj, many=many), option=orjson.OPT_UTC_Z)

    def dumps(self, obj: Any, *_arguments: Any, many: bool | None = None, **_keywords: Any) -> str:
        """The whole answer as JSON text; options of a JSON module are not obeyed."""
        return self.dump_bytes(obj, many=many).decode()

    def _dump(self, obj: Any, many: bool | None, *, for_encoder: bool) -> Any:
        if type(obj) is orjson.Fragment:
            return obj  # made ready elsewhere; what it says is the plugin's promise
        compiled = None if obj is None else self._compiled_for(for_encoder)
        if compiled is None:
            return super().dump(obj, many=many)
        if self.many if many is None else many:
            return compiled.many(obj if isinstance(obj, list) else list(obj))
        return compiled.one(obj)

    def _compiled_for(self, for_encoder: bool) -> CompiledDump | None:
        if for_encoder not in self._own:
            # Instances of one class differ by `only` and `exclude`, their own and those they hand
            # on. With a hook that may give every instance other fields nothing can be shared.
            shared = {} if _binds_specially(type(self)) else self._shared
            key = (for_encoder, *map(_shape, self.dump_fields.items()))
            if key not in shared:
                shared[key] = self._compile(for_encoder)
            self._own[for_encoder] = shared[key]
        return self._own[for_encoder]

    def _compile(self, for_encoder: bool) -> CompiledDump | None:
        parts = plan(self.dump_fields, for_encoder=for_encoder) if self._is_plain() else None
        return None if parts is None else CompiledDump(parts)

    def _is_plain(self) -> bool:
        kind = type(self)
        return (
            not self._hooks[PRE_DUMP]
            and not self._hooks[POST_DUMP]
            and self.dict_class is dict
            and kind.get_attribute is marshmallow.Schema.get_attribute
            and kind._serialize is marshmallow.Schema._serialize  # noqa: SLF001 - compared
        )

    def _init_fields(self) -> None:
        # Also called again for a copy of an instance that is nested with another `only`.
        super()._init_fields()
        self._own: dict[bool, CompiledDump | None] = {}


class QuerySchema(Schema):
    """Parent of schemas for query strings, where every value arrives as text."""

    from_text = True


def _binds_specially(kind: type[Schema]) -> bool:
    return kind.on_bind_field is not marshmallow.Schema.on_bind_field


def _shape(item: tuple[str, Any]) -> tuple[Any, ...]:
    name, field = item
    options = (getattr(field, option, None) for option in ("only", "exclude"))
    return (name, *(None if names is None else frozenset(names) for names in options))
