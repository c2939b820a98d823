"""Fields that hold other fields: one object, or a bounded list.

Owns their bounds. Import the fields from `torg.schemas`.
"""

from typing import Any

from marshmallow import fields

from torg.field_base import HostField

# marshmallow's class comes first in both: its `_serialize` is the one that knows the inside.


class Nested(fields.Nested, HostField):
    """Another schema's object. For several of them use `List(Nested(...), maximum=...)`."""

    def __init__(self, nested: Any, **keywords: Any) -> None:
        """Take a schema class, an instance, or a function that returns one."""
        if keywords.get("many"):
            raise ValueError("use List(Nested(...), maximum=...): every list is bounded")
        super().__init__(nested, **keywords)

    def _serialize(  # type: ignore[override]  # the two parents name the value differently
        self, value: Any, attr: str | None, obj: Any, **_keywords: Any
    ) -> Any:
        return fields.Nested._serialize(self, value, attr, obj)  # type: ignore[no-untyped-call]  # noqa: SLF001 - the parent's own


class List(fields.List[Any], HostField):
    """A list of at most `maximum` values of one kind."""

    default_error_messages = {  # noqa: RUF012 - marshmallow reads this class attribute
        "not_a_list": "Has to be a list.",
        "too_many": "May have at most {maximum} items.",
        "too_few": "Needs at least {minimum} items.",
        "repeated": "The same value appears twice.",
    }

    def __init__(
        self,
        inner: fields.Field[Any] | type[fields.Field[Any]],
        *,
        maximum: int,
        minimum: int = 0,
        unique: bool = False,
        **keywords: Any,
    ) -> None:
        """Bound the list.

        Args:
            inner: the field of every item.
            maximum: most items; checked before any item is looked at.
            minimum: least items.
            unique: refuse equal items.
            **keywords: as in `HostField`.
        """
        super().__init__(inner, **keywords)
        self.maximum = maximum
        self.minimum = minimum
        self.unique = unique

    def openapi(self) -> dict[str, Any]:
        """Bounds of the length."""
        found: dict[str, Any] = {"minItems": self.minimum, "maxItems": self.maximum}
        if self.unique:
            found["uniqueItems"] = True
        return found

    def example_value(self) -> Any:
        """The author's, or one example of the inner field."""
        if self.example is not None or not isinstance(self.inner, HostField):
            return self.example
        inner = self.inner.example_value()
        return (
            None
            if inner is None or self.maximum < 1
            else [inner] * (1 if self.unique else max(1, self.minimum))
        )

    def _serialize(self, value: Any, attr: str | None, obj: Any, **keywords: Any) -> Any:
        # One call for all items, so that a compiled schema dumps them in one go.
        if value is not None and isinstance(self.inner, fields.Nested):
            return self.inner.schema.dump(value, many=True)
        return super()._serialize(value, attr, obj, **keywords)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **keywords: Any) -> Any:
        if not isinstance(value, list):
            raise self.make_error("not_a_list")
        if len(value) > self.maximum:
            raise self.make_error("too_many", maximum=self.maximum)
        if len(value) < self.minimum:
            raise self.make_error("too_few", minimum=self.minimum)
        loaded = super()._deserialize(value, attr, data, **keywords)
        if self.unique and any(item in loaded[:place] for place, item in enumerate(loaded)):
            raise self.make_error("repeated")
        return loaded
