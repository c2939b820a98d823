"""The literal shapes: names, kinds and bounds as the clients of this API know them."""

from typing import Any

from torg import cursor
from torg.json_answers import nested
from torg.schemas import (
    Boolean,
    Enum,
    HostField,
    Id,
    Integer,
    List,
    Nested,
    QuerySchema,
    Schema,
    Text,
    Timestamp,
    Url,
    Words,
)
from torg_catalogue import MOST_AT_ONCE, SORTS
from torg_catalogue.trading import MOST_LINES, MOST_OF_ONE
from torg_classic.numbers import Bound, Price

REGISTERED = "User registered successfully."
_PASSWORD: dict[str, Any] = {
    "minimum": 1,
    "maximum": 1024,
    "control_characters": True,
    "required": True,
}
_QUANTITY: dict[str, Any] = {"minimum": 1, "maximum": MOST_OF_ONE, "example": 2}


class Registration(Schema):
    """What one registers with. Which values are accepted is up to accounts."""

    username = Text(maximum=64, required=True, example="anna")
    email = Text(maximum=254, required=True, example="anna@example.com")
    password = Text(**_PASSWORD, load_only=True, example="a fine long sentence")


class Registered(Schema):
    """That it went well."""

    message = Text(maximum=100, example=REGISTERED)


class Login(Schema):
    """Username, or e-mail address, and password."""

    username = Text(maximum=254, required=True, example="anna")
    password = Text(**_PASSWORD, load_only=True, example="a fine long sentence")


class Token(Schema):
    """What to send as `Authorization: Bearer <token>` from now on."""

    token = Text(maximum=2000, example="eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl")


class Product(Schema):
    """A product in a list."""

    id = Id()
    name = Text(maximum=100, example="A kettle")
    description = Text(maximum=10_000, minimum=0, multiline=True, example="It whistles.")
    category_name = Text(maximum=100, allow_none=True, example="Kettles")
    price = Price()
    created_at = Timestamp()
    tags = List(Text(maximum=60, example="new"), maximum=100)


class PageQuery(QuerySchema):
    """How much at once, and from where."""

    limit = Integer(
        minimum=1,
        maximum=MOST_AT_ONCE,
        load_default=MOST_AT_ONCE,
        example=MOST_AT_ONCE,
        description='How many at most; with more, `Link: <…>; rel="next"` leads on.',
    )
    cursor = Text(
        maximum=cursor.MAX_LENGTH,
        pattern=cursor.PATTERN,
        example=cursor.EXAMPLE,
        description="As in the address that `Link` gave.",
    )


class Wanted(Schema):
    """Which products, and in which order; an empty object means all."""

    category = Id(allow_none=True, description="This category and all below it.")
    price_min = Bound(allow_none=True, description="Not less than this.")
    price_max = Bound(allow_none=True, description="Not more than this.")
    sort = Words(
        SORTS,
        signed=True,
        allow_none=True,
        example="-price",
        description="Words joined by commas; a minus turns the direction. The newest first else.",
    )


class ProductQuery(QuerySchema):
    """Which product."""

    id = Id(required=True)


class Picture(Schema):
    """A picture; both links work for an hour at least."""

    url = Url(example="https://shop.example/files/kettle.webp")
    thumbnail_url = Url(example="https://shop.example/files/small.webp")
    alt = Text(maximum=200, minimum=0, example="A kettle from the side")


class Characteristics(HostField):
    """An object whose members are texts, numbers or truths."""

    def openapi(self) -> dict[str, object]:
        """Any names."""
        value = {"type": ["string", "number", "boolean"]}
        return {"type": "object", "additionalProperties": value}

    def example_value(self) -> object:
        """One of each kind."""
        return {"colour": "red", "weight_g": 250, "washable": True}


class Card(Product):
    """A product with all that its page shows."""

    sku = Text(maximum=64, example="KET-1")
    currency = Text(maximum=3, example="EUR")
    categories = List(Text(maximum=100, example="Kitchen"), maximum=10_000)
    characteristics = Characteristics()
    pictures = List(Nested(Picture), maximum=100)
    in_stock = Boolean(description="Whether one can be ordered now.")


class Branches(HostField):
    """Categories below a category, of any depth."""

    dump_value = staticmethod(nested)

    def openapi(self) -> dict[str, object]:
        """One level is described; those below look the same."""
        return {"type": "array", "items": {"type": "object"}}

    def example_value(self) -> object:
        """Nothing below."""
        return []


class Category(Schema):
    """A category with all that is below it, each once; counts include what is below."""

    id = Id()
    name = Text(maximum=100, example="Kettles")
    product_count = Integer(minimum=0, example=12)
    children = Branches()


class Line(Schema):
    """A product and how many of it."""

    product_id = Id(required=True)
    quantity = Integer(**_QUANTITY, load_default=1)


class ChangedLine(Schema):
    """How many there are to be; this accepts the product's present price."""

    product_id = Id(required=True)
    quantity = Integer(**_QUANTITY, required=True)


class LineQuery(QuerySchema):
    """What to take out."""

    product_id = Id(description="Only this product; without it, everything.")


class TakenOut(Schema):
    """What to take out, for clients that say it in the body."""

    product_id = Id(description="Only this product.")


class CartLine(Schema):
    """A product in the cart at its present price."""

    product_id = Id()
    name = Text(maximum=100, example="A kettle")
    quantity = Integer(**_QUANTITY)
    price = Price(description="Of one.")
    currency = Text(maximum=3, example="EUR")
    problems = List(
        Enum(("price_changed", "out_of_stock", "not_for_sale")),
        maximum=3,
        description="Why this cannot be ordered as it is.",
    )


class Cart(Schema):
    """Your cart; total and currency are null when it is empty or holds several currencies."""

    items = List(Nested(CartLine), maximum=MOST_LINES)
    total = Price(allow_none=True)
    currency = Text(maximum=3, allow_none=True, example="EUR")


class OrderedLine(Schema):
    """What was ordered, as it was priced then."""

    product_id = Id()
    name = Text(maximum=100, example="A kettle")
    quantity = Integer(**_QUANTITY)
    price = Price(description="Of one.")


class Order(Schema):
    """An order that was made."""

    number = Text(maximum=40, example="S9F86D081884C4D65")
    status = Text(maximum=40, example="placed")
    payment_status = Text(maximum=40, example="awaiting_payment")
    total = Price()
    currency = Text(maximum=3, example="EUR")
    items = List(Nested(OrderedLine), maximum=MOST_LINES)
    created_at = Timestamp()
