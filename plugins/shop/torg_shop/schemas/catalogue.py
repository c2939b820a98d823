"""Products, categories, tags and pictures: names and bounds."""

import math
from collections.abc import Mapping
from typing import Any

from torg.field_base import HostField, problem
from torg.schemas import (
    Boolean,
    Enum,
    Id,
    Integer,
    List,
    MoneyField,
    Nested,
    Schema,
    Text,
    Timestamp,
    Url,
)

# A hundred thousand of the dearest things are still a BIGINT.
MOST_MINOR = 10**13
MOST_ATTRIBUTES, MOST_TAGS, MOST_PICTURES = 50, 30, 100
_ATTRIBUTE_NAME, _ATTRIBUTE_TEXT = 60, 500


class Attributes(HostField):
    """Characteristics: an object whose members are texts, numbers or truths."""

    def openapi(self) -> dict[str, Any]:
        """Bounds of names and values."""
        value = {"type": ["string", "number", "boolean"], "maxLength": _ATTRIBUTE_TEXT}
        return {
            "type": "object",
            "maxProperties": MOST_ATTRIBUTES,
            "additionalProperties": value,
        }

    def example_value(self) -> Any:
        """The author's, or one of each kind."""
        return self.example or {"colour": "red", "weight_g": 250, "washable": True}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_keywords: Any) -> Any:
        return checked_attributes(value)


def checked_attributes(value: Any) -> dict[str, Any]:
    """The characteristics as they are kept.

    Raises:
        ValidationError: a name or value is of no accepted kind or too long.
    """
    if not isinstance(value, Mapping):
        raise problem("not_an_object", "Has to be an object.")
    if len(value) > MOST_ATTRIBUTES:
        raise problem("too_many", "May have at most {maximum} items.", maximum=MOST_ATTRIBUTES)
    for name, each in value.items():
        if not _is_text(name, _ATTRIBUTE_NAME) or not name.strip():
            raise problem("attribute_name", "A characteristic's name is a text of 1 to 60 letters.")
        if not _is_value(each):
            raise problem(
                "attribute_value",
                "A characteristic is a text of at most 500 letters, a number, true or false.",
            )
    return dict(value)


def _is_value(value: Any) -> bool:
    if isinstance(value, str):
        return _is_text(value, _ATTRIBUTE_TEXT)
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**53)


def _is_text(value: Any, longest: int) -> bool:
    if not isinstance(value, str) or len(value) > longest:
        return False
    # Neither can be kept in the database.
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


class CategoryName(Schema):
    """A category as a product names it."""

    id = Id()
    name = Text(maximum=100, example="Kettles")


class TagName(Schema):
    """A tag."""

    id = Id()
    name = Text(maximum=60, example="new")


class Picture(Schema):
    """A picture; both links work for an hour or two."""

    id = Id()
    kind = Enum(("image",))
    alt = Text(maximum=200, minimum=0, example="A kettle from the side")
    position = Integer(minimum=0, maximum=1000)
    url = Url(example="https://shop.example/files/kettle.webp")
    thumbnail_url = Url(example="https://shop.example/files/small.webp")


class Product(Schema):
    """A product as shown."""

    id = Id()
    name = Text(maximum=100, example="A kettle")
    description = Text(maximum=10_000, minimum=0, multiline=True, example="It whistles.")
    sku = Text(maximum=64, example="KET-1")
    price = MoneyField(minor="price_minor")
    category = Nested(CategoryName, allow_none=True)
    tags = List(Text(maximum=60, example="new"), maximum=MOST_TAGS)
    attributes = Attributes()
    media = List(Nested(Picture), maximum=MOST_PICTURES)
    in_stock = Boolean(description="Whether at least one is free to be ordered.")
    created_at = Timestamp()
