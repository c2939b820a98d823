"""Car models, dealers, suppliers, prices, tiers, promotions: names and bounds."""

from typing import Any

from marshmallow import ValidationError, validates_schema

from torg.field_base import Message
from torg.schemas import (
    Boolean,
    Decimal,
    Enum,
    Id,
    Integer,
    List,
    MoneyField,
    Nested,
    Schema,
    Text,
    Timestamp,
)
from torg_autotrade.domain.words import (
    BODY_TYPES,
    CLASSES,
    COUNTRIES,
    FUEL_TYPES,
    TRANSMISSIONS,
)

# A hundred of the dearest cars, with a thousand per cent on top, is still a BIGINT.
MOST_MINOR = 10**13
_SOON, _LATER = "2030-01-01T00:00:00Z", "2030-02-01T00:00:00Z"


def country(**options: Any) -> Enum:
    """An ISO 3166-1 alpha-2 code, of today's countries."""
    return Enum(COUNTRIES, example="DE", description="ISO 3166-1 alpha-2.", **options)


def price(description: str, **options: Any) -> MoneyField:
    """An amount above zero."""
    return MoneyField(minimum_minor=1, maximum_minor=MOST_MINOR, description=description, **options)


def shown(minor: str, description: str = "", **options: Any) -> MoneyField:
    """An amount out of a column of minor units."""
    return MoneyField(minor=minor, description=description, **options)


def wrong(place: str, code: str, template: str) -> ValidationError:
    """A refusal by a check over several fields that points at one of them."""
    return ValidationError({place: [Message(code, template)]})


def percent(maximum: int, **options: Any) -> Decimal:
    """Per cent with two digits after the point."""
    return Decimal(places=2, minimum=0, maximum=maximum, **options)


class CreateCarModel(Schema):
    """A car model of the catalogue."""

    make = Text(maximum=60, strip=True, required=True, example="Skoda")
    model = Text(maximum=60, strip=True, required=True, example="Octavia")
    body_type = Enum(BODY_TYPES, required=True)
    fuel_type = Enum(FUEL_TYPES, required=True)
    transmission = Enum(TRANSMISSIONS, required=True)
    engine = Text(maximum=60, minimum=0, strip=True, load_default="", example="1.5 TSI")
    model_year = Integer(minimum=1886, maximum=2100, required=True, example=2026)
    car_class = Enum(CLASSES, data_key="class", required=True)


class ChangeCarModel(Schema):
    """What is left out stays."""

    make = Text(maximum=60, strip=True, example="Skoda")
    model = Text(maximum=60, strip=True, example="Octavia")
    body_type = Enum(BODY_TYPES)
    fuel_type = Enum(FUEL_TYPES)
    transmission = Enum(TRANSMISSIONS)
    engine = Text(maximum=60, minimum=0, strip=True, example="1.5 TSI")
    model_year = Integer(minimum=1886, maximum=2100, example=2026)
    car_class = Enum(CLASSES, data_key="class")


class CarModel(Schema):
    """A car model as shown."""

    id = Id()
    make = Text(maximum=60)
    model = Text(maximum=60)
    body_type = Enum(BODY_TYPES)
    fuel_type = Enum(FUEL_TYPES)
    transmission = Enum(TRANSMISSIONS)
    engine = Text(maximum=60, minimum=0)
    model_year = Integer(minimum=1886, maximum=2100)
    car_class = Enum(CLASSES, data_key="class")
    is_active = Boolean()
    created_at = Timestamp()
    updated_at = Timestamp()


class Characteristics(Schema):
    """Lists of characteristics; each means "any of", an empty or missing one "all"."""

    makes = List(Text(maximum=60, example="Skoda"), maximum=50, unique=True)
    models = List(Text(maximum=60, example="Octavia"), maximum=50, unique=True)
    body_types = List(Enum(BODY_TYPES), maximum=20, unique=True)
    fuel_types = List(Enum(FUEL_TYPES), maximum=20, unique=True)
    transmissions = List(Enum(TRANSMISSIONS), maximum=20, unique=True)
    classes = List(Enum(CLASSES), maximum=20, unique=True)
    year_min = Integer(minimum=1886, maximum=2100, example=2020)
    year_max = Integer(minimum=1886, maximum=2100, example=2026)

    @validates_schema
    def _years_in_order(self, data: dict[str, Any], **_options: Any) -> None:
        if data.get("year_max", 2100) < data.get("year_min", 1886):
            raise wrong("year_max", "years_reversed", "It may not be before year_min.")


class CreateDealer(Schema):
    """A new dealer. Its money comes from its owner (`POST dealers/{id}/money`) and from sales."""

    name = Text(maximum=120, strip=True, required=True, example="Autohaus Nord")
    country = country(required=True)
    city = Text(maximum=120, strip=True, required=True, example="Hamburg")
    preferences = Nested(Characteristics, required=True)
    margin_percent = percent(1000, required=True, example="12.50")
    spend_per_run = MoneyField(
        maximum_minor=MOST_MINOR, required=True, description="Most that is spent in ten minutes."
    )
    target_stock = Integer(
        minimum=0, maximum=10_000, required=True, description="Of each model.", example=5
    )


class ChangeDealer(Schema):
    """What is left out stays."""

    name = Text(maximum=120, strip=True, example="Autohaus Nord")
    country = country()
    city = Text(maximum=120, strip=True, example="Hamburg")
    preferences = Nested(Characteristics)
    margin_percent = percent(1000, example="12.50")
    spend_per_run = MoneyField(maximum_minor=MOST_MINOR)
    target_stock = Integer(minimum=0, maximum=10_000, example=5)


class Dealer(Schema):
    """A dealer as everybody sees it."""

    id = Id()
    name = Text(maximum=120)
    country = country()
    city = Text(maximum=120)
    preferences = Nested(Characteristics)
    is_active = Boolean()
    created_at = Timestamp()
    updated_at = Timestamp()


class OwnDealer(Dealer):
    """A dealer as its owner sees it."""

    margin_percent = percent(1000)
    spend_per_run = shown("spend_per_run_minor", "Most that is spent in ten minutes.")
    target_stock = Integer(minimum=0)
    last_error = Text(maximum=600, allow_none=True, description="What stopped it in a run.")
    last_error_at = Timestamp(allow_none=True)


class CreateSupplier(Schema):
    """A new supplier."""

    name = Text(maximum=120, strip=True, required=True, example="Werk Süd")
    founded_year = Integer(minimum=1600, maximum=2100, required=True, example=1926)
    country = country(required=True)


class ChangeSupplier(Schema):
    """What is left out stays."""

    name = Text(maximum=120, strip=True, example="Werk Süd")
    founded_year = Integer(minimum=1600, maximum=2100, example=1926)
    country = country()


class Supplier(Schema):
    """A supplier as everybody sees it."""

    id = Id()
    name = Text(maximum=120)
    founded_year = Integer(minimum=1600, maximum=2100)
    country = country()
    buyer_count = Integer(minimum=0, description="How many dealers have bought here.")
    is_active = Boolean()
    created_at = Timestamp()
    updated_at = Timestamp()


class OwnSupplier(Supplier):
    """A supplier as its owner sees it."""


class SetPrice(Schema):
    """What is asked for one car before discounts."""

    price = price("For one car.", required=True)


class SetStockPrice(Schema):
    """A fixed price, or null: the cost and the margin."""

    price = price("For one car.", required=True, allow_none=True)


class SupplierPrice(Schema):
    """What a supplier asks for a model."""

    id = Id()
    car_model_id = Id()
    price = shown("price_minor")
    priced_at = Timestamp()
    is_active = Boolean()
    created_at = Timestamp()
    updated_at = Timestamp()


class Tier(Schema):
    """From so many units on, so many per cent off."""

    at_purchases = Integer(minimum=0, maximum=1_000_000, required=True, example=10)
    percent = Decimal(places=2, minimum=0, maximum=99, required=True, example="2.50")


class Tiers(Schema):
    """All loyalty tiers of a dealer or a supplier."""

    tiers = List(Nested(Tier), maximum=50, required=True)

    @validates_schema
    def _once_each(self, data: dict[str, Any], **_options: Any) -> None:
        found = [each["at_purchases"] for each in data.get("tiers", ())]
        message = Message("repeated", "Each number of purchases stands for one tier.")
        again = [place for place, each in enumerate(found) if each in found[:place]]
        if again:
            raise ValidationError(
                {"tiers": {place: {"at_purchases": [message]} for place in again}}
            )


class StockLine(Schema):
    """A dealer's stock of one model."""

    id = Id()
    car_model_id = Id()
    quantity = Integer(minimum=0)
    price = shown("price_minor", "Before discounts.", allow_none=True)
    is_wanted = Boolean(description="Whether the model matches the preferences now.")
    is_price_fixed = Boolean()
    oldest_at = Timestamp(allow_none=True, description="Since when the oldest car stands here.")
    days_in_stock = Integer(minimum=0, allow_none=True, description="Of the oldest car.")
    is_active = Boolean()
    created_at = Timestamp()
    updated_at = Timestamp()


class PriceChange(Schema):
    """A price as it was asked from a moment on."""

    id = Id()
    dealer_id = Id(allow_none=True)
    supplier_id = Id(allow_none=True)
    car_model_id = Id()
    price = shown("price_minor")
    priced_at = Timestamp()
    created_at = Timestamp()


class CreatePromotion(Schema):
    """A discount for a time: `percent` or `amount`, at most `cap`; without models it is for all."""

    title = Text(maximum=120, strip=True, required=True, example="Spring sale")
    dealer_id = Id(allow_none=True, load_default=None)
    supplier_id = Id(allow_none=True, load_default=None, example=None)
    percent = Decimal(
        places=2, minimum=0, maximum=99, allow_none=True, load_default=None, example="5.00"
    )
    amount = price("Off the price.", allow_none=True, load_default=None, example=None)
    cap = price("The most that comes off.", allow_none=True, load_default=None)
    car_model_ids = List(Id(), maximum=200, unique=True, load_default=list)
    starts_at = Timestamp(required=True, example=_SOON)
    ends_at = Timestamp(required=True, example=_LATER)

    @validates_schema
    def _more_than_nothing(self, data: dict[str, Any], **_options: Any) -> None:
        refuse_no_discount(data)


class ChangePromotion(Schema):
    """What is left out stays."""

    title = Text(maximum=120, strip=True, example="Spring sale")
    percent = Decimal(places=2, minimum=0, maximum=99, allow_none=True, example="5.00")
    amount = price("Off the price.", allow_none=True)
    cap = price("The most that comes off.", allow_none=True)
    car_model_ids = List(Id(), maximum=200, unique=True)
    starts_at = Timestamp(example=_SOON)
    ends_at = Timestamp(example=_LATER)

    @validates_schema
    def _more_than_nothing(self, data: dict[str, Any], **_options: Any) -> None:
        refuse_no_discount(data)


def refuse_no_discount(data: dict[str, Any]) -> None:
    """Refuse zero per cent."""
    if data.get("percent") is not None and data["percent"] == 0:
        raise wrong("percent", "no_discount", "Zero per cent is no discount.")


class Promotion(Schema):
    """A promotion as shown."""

    id = Id()
    title = Text(maximum=120)
    dealer_id = Id(allow_none=True)
    supplier_id = Id(allow_none=True)
    percent = Decimal(places=2, minimum=0, maximum=100, allow_none=True)
    amount = shown("amount_minor", allow_none=True)
    cap = shown("cap_minor", allow_none=True)
    car_model_ids = List(Id(), maximum=200)
    starts_at = Timestamp()
    ends_at = Timestamp()
    is_active = Boolean()
    last_error = Text(maximum=600, allow_none=True)
    created_at = Timestamp()
    updated_at = Timestamp()


class MoveMoney(Schema):
    """Between the owner's own account and the dealer's or supplier's."""

    amount = price("How much.", required=True)
    direction = Enum(["in", "out"], required=True)


class MoneyMoved(Schema):
    """The transfer in the ledger."""

    transfer = Text(maximum=64, example="TR0123456789ABCDEF0123456789ABCDEF")


class Account(Schema):
    """The money of a dealer or supplier now."""

    posted = MoneyField(signed=True)
    pending = MoneyField()
    available = MoneyField(signed=True)
