"""Products, categories, tags and pictures: names and bounds."""

import math
from collections.abc import Mapping
from typing import Any

from torg.field_base import HostField, problem
from torg.json_answers import nested
from torg.schemas import (
    Boolean,
    Enum,
    Id,
    Integer,
    List,
    MoneyField,
    Nested,
    QuerySchema,
    Schema,
    Slug,
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

    comes_ready = True

    id = Id()
    name = Text(maximum=100, example="Kettles")


class TagName(Schema):
    """A tag."""

    id = Id()
    name = Text(maximum=60, example="new")


class ManagedTag(TagName):
    """A tag as staff see it."""

    updated_at = Timestamp()


class Picture(Schema):
    """A picture; both links work for an hour or two."""

    comes_ready = True

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


class Card(Product):
    """A product with all that its page shows."""

    category_path = List(
        Nested(CategoryName), maximum=10_000, description="From the root to its own category."
    )
    similar = List(Nested(Product), maximum=8)


class ManagedProduct(Product):
    """A product as staff see it; the ETag of this is what If-Match asks for."""

    is_active = Boolean()
    popularity = Integer(minimum=0)
    updated_at = Timestamp()


def _price(**options: Any) -> MoneyField:
    return MoneyField(maximum_minor=MOST_MINOR, description="What one costs.", **options)


def _tags(**options: Any) -> List:
    return List(
        Text(maximum=60, strip=True, example="new"),
        maximum=MOST_TAGS,
        unique=True,
        description="By name; those there are not yet are made.",
        **options,
    )


class CreateProduct(Schema):
    """A new product."""

    name = Text(maximum=100, strip=True, required=True, example="A kettle")
    description = Text(
        maximum=10_000, minimum=0, multiline=True, load_default="", example="It whistles."
    )
    sku = Text(maximum=64, strip=True, required=True, example="KET-1")
    price = _price(required=True)
    category_id = Id(allow_none=True, load_default=None)
    tags = _tags(load_default=list)
    attributes = Attributes(load_default=dict)
    on_hand = Integer(minimum=0, maximum=10**9, load_default=0, description="How many there are.")


class ChangeProduct(Schema):
    """What is left out stays."""

    name = Text(maximum=100, strip=True, example="A kettle")
    description = Text(maximum=10_000, minimum=0, multiline=True, example="It whistles.")
    sku = Text(maximum=64, strip=True, example="KET-1")
    price = _price()
    category_id = Id(allow_none=True)
    tags = _tags()
    attributes = Attributes()


class CreateCategory(Schema):
    """A new category."""

    name = Text(maximum=100, strip=True, required=True, example="Kettles")
    slug = Slug(maximum=80, allow_none=True, load_default=None, example="kettles")
    parent_id = Id(allow_none=True, load_default=None)
    position = Integer(minimum=0, maximum=10**6, load_default=0)


class ChangeCategory(Schema):
    """What is left out stays; another `parent_id` moves it with all below it."""

    name = Text(maximum=100, strip=True, example="Kettles")
    slug = Slug(maximum=80, example="kettles")
    parent_id = Id(allow_none=True)
    position = Integer(minimum=0, maximum=10**6)


class Category(Schema):
    """A category as staff see it."""

    id = Id()
    parent_id = Id(allow_none=True)
    name = Text(maximum=100, example="Kettles")
    slug = Slug(maximum=80, example="kettles")
    position = Integer(minimum=0)
    updated_at = Timestamp()


class _Branches(HostField):
    """Categories below a category, of any depth."""

    dump_value = staticmethod(nested)

    def openapi(self) -> dict[str, Any]:
        """One level is described; those below look the same."""
        kinds = {"name": "string", "slug": "string", "children": "array"}
        names = ("id", "name", "slug", "position", "product_count", "children")
        properties = {name: {"type": kinds.get(name, "integer")} for name in names}
        properties["children"]["items"] = {"type": "object"}  # type: ignore[assignment]
        return {
            "type": "array",
            "items": {"type": "object", "required": list(names), "properties": properties},
        }

    def example_value(self) -> Any:
        """A root with nothing below it."""
        facts = {"id": 1, "name": "Kitchen", "slug": "kitchen", "position": 0}
        return [{**facts, "product_count": 12, "children": []}]


class CategoryTree(Schema):
    """All categories, each once, below its parent; counts include what is below."""

    items = _Branches()


class NamedTag(Schema):
    """A tag's name."""

    name = Text(maximum=60, strip=True, required=True, example="new")


class SetStock(Schema):
    """How many there are."""

    on_hand = Integer(minimum=0, maximum=10**9, required=True, example=12)


class Stock(Schema):
    """How many there are, are promised and are free."""

    product_id = Id()
    on_hand = Integer(minimum=0)
    reserved = Integer(minimum=0)
    available = Integer(minimum=0)


class SimilarProducts(Schema):
    """Products like one, the likest first."""

    items = List(Nested(Product), maximum=100)


class Recommended(Schema):
    """Products that might please."""

    items = List(Nested(Product), maximum=100)
    basis = Enum(("bought_together", "popular"))


class RecommendationQuery(QuerySchema):
    """For what, and how many."""

    product_id = Id(description="What goes with this one; without it, what is popular.")
    limit = Integer(minimum=1, maximum=50, load_default=12, example=12)


class HowMany(QuerySchema):
    """How many at most."""

    limit = Integer(minimum=1, maximum=50, load_default=8, example=8)
