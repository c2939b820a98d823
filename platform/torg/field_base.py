"""What all of the host's fields share: coded messages, examples, and a dump that can be compiled.

Owns the contract between fields, `torg.compiled_dump` and the OpenAPI documents. The fields
themselves are in `torg.fields` and `torg.text_fields`; import them from `torg.schemas`.
"""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields


class Message(str):
    """A sentence about a wrong value that also carries its code and what it was made of.

    It is a `str`, so marshmallow passes it through; `template` and `facts` are for translation.
    """

    __slots__ = ("code", "facts", "template")

    code: str
    template: str
    facts: dict[str, Any]

    def __new__(cls, code: str, template: str, **facts: Any) -> "Message":
        """Fill the facts into the template."""
        self = super().__new__(cls, template.format_map(facts))
        self.code = code
        self.template = template
        self.facts = facts
        return self

    def __copy__(self) -> "Message":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Message":
        # flask-smorest copies what it documents deeply; a text needs no second one.
        return self


def problem(code: str, template: str, **facts: Any) -> ValidationError:
    """A refusal with a code, for validators and checks of a schema's own."""
    return ValidationError(Message(code, template, **facts))


class HostField(fields.Field[Any]):
    """Parent of the host's fields.

    A field that dumps by `dump_value` alone, which means it overrides neither `serialize` nor
    `_serialize`, is dumped by compiled code.
    """

    #: Whether values arrive as text (a query string); set by the schema the field belongs to.
    from_text = False

    def __init__(
        self,
        *,
        example: Any = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        **keywords: Any,
    ) -> None:
        """Take marshmallow's keywords too.

        Args:
            example: a value as it stands in JSON, for the documents; there is a plain default.
            description: one sentence for the documents.
            metadata: further OpenAPI properties.
            **keywords: `required`, `allow_none`, `load_default`, `attribute`, ...
        """
        about = {**(metadata or {})}
        if description is not None:
            about["description"] = description
        super().__init__(metadata=about, **keywords)
        self.example = example

    def dump_value(self, value: Any, /) -> Any:
        """The JSON value of what the database or a service gave; never called with None."""
        return value

    def is_plain(self) -> bool:
        """Whether `dump_value` gives back what it got, so that no call is needed."""
        return type(self).dump_value is HostField.dump_value

    def is_plain_for_encoder(self) -> bool:
        """Whether the JSON encoder writes a value just as `dump_value` would give it."""
        return self.is_plain()

    def json_value(self, value: Any, /) -> Any:
        """As `dump_value`, but may leave to the encoder what it writes just the same."""
        return self.dump_value(value)

    def openapi(self) -> dict[str, Any]:
        """JSON Schema keywords beside those which apispec finds by itself."""
        return {}

    def example_value(self) -> Any:
        """The author's example or one that fits the bounds; None when there is none."""
        return self.example

    def make_error(self, key: str, **facts: Any) -> ValidationError:
        """As marshmallow's, with the key as the message's code."""
        return problem(key, str(self.error_messages[key]), **facts)

    def _bind_to_schema(self, field_name: str, parent: "Schema | fields.Field[Any]") -> None:
        super()._bind_to_schema(field_name, parent)
        self.from_text = getattr(self.root, "from_text", False)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **_keywords: Any) -> Any:
        return None if value is None else self.dump_value(value)


def openapi_properties(
    converter: Any, field: "fields.Field[Any]", **_keywords: Any
) -> dict[str, Any]:
    """Attribute function for apispec's marshmallow plugin: exact types, bounds and an example.

    Register it with `plugin.converter.add_attribute_function(openapi_properties)`. It is called
    after apispec's own functions and overrides what they found.
    """
    del converter
    if not isinstance(field, HostField):
        return {}
    found = field.openapi()
    example = field.example_value()
    if example is not None and "example" not in field.metadata:
        found["example"] = example
    if field.allow_none:
        if isinstance(found.get("type"), str):
            found["type"] = [found["type"], "null"]
        if "enum" in found:
            found["enum"] = [*found["enum"], None]
    return found
