"""Who trades what at which terms: car models, suppliers, dealers, buyers, promotions.

Owns names and constraints, equal to the migrations (a test holds them so).
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ARRAY,
    CHAR,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from torg.db import Base, Fact, Record
from torg.search import search_column

PERSON = "torg_identity.id"
MODEL, SUPPLIER, DEALER = "autotrade_car_model.id", "autotrade_supplier.id", "autotrade_dealer.id"
STOCK = "autotrade_dealer_stock.id"
_CURRENCY = "currency ~ '^[A-Z]{3}$'"
_COUNTRY = "country ~ '^[A-Z]{2}$'"


def key(target: str, **options: Any) -> Any:
    """A foreign key column; nothing that others refer to is ever deleted."""
    return mapped_column(ForeignKey(target, ondelete="RESTRICT"), **options)


class CarModel(Record, Base):
    """A model of car, as a catalogue lists it. Runs lock its row to be alone in its market."""

    __tablename__ = "autotrade_car_model"
    __table_args__ = (
        UniqueConstraint(
            *("make", "model", "body_type", "fuel_type", "transmission", "engine", "model_year"),
            name="uq_autotrade_car_model_described",
        ),
        CheckConstraint("model_year BETWEEN 1886 AND 2100", name="model_year"),
        CheckConstraint(
            "char_length(make) BETWEEN 1 AND 60 AND char_length(model) BETWEEN 1 AND 60"
            " AND char_length(engine) <= 60",
            name="texts",
        ),
        Index("ix_autotrade_car_model_search", "search", postgresql_using="gin"),
    )

    make: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text)
    body_type: Mapped[str] = mapped_column(Text)
    fuel_type: Mapped[str] = mapped_column(Text)
    transmission: Mapped[str] = mapped_column(Text)
    engine: Mapped[str] = mapped_column(Text, server_default="")
    model_year: Mapped[int] = mapped_column(SmallInteger)
    car_class: Mapped[str] = mapped_column(Text)
    search: Mapped[Any] = search_column("make", "model", "body_type", "engine")


class Supplier(Record, Base):
    """Somebody dealers buy from. `account_id` is his money in the ledger."""

    __tablename__ = "autotrade_supplier"
    __table_args__ = (
        CheckConstraint("char_length(name) BETWEEN 1 AND 120", name="name"),
        CheckConstraint(_COUNTRY, name="country"),
        CheckConstraint("founded_year BETWEEN 1600 AND 2100", name="founded_year"),
        CheckConstraint("buyer_count >= 0", name="buyer_count"),
        Index("ix_autotrade_supplier_owner_id", "owner_id"),
        Index("ix_autotrade_supplier_search", "search", postgresql_using="gin"),
    )

    owner_id: Mapped[int] = key(PERSON)
    name: Mapped[str] = mapped_column(Text)
    founded_year: Mapped[int] = mapped_column(SmallInteger)
    country: Mapped[str] = mapped_column(CHAR(2))
    buyer_count: Mapped[int] = mapped_column(Integer, server_default="0")
    account_id: Mapped[int | None]
    search: Mapped[Any] = search_column("name")


class SupplierPrice(Record, Base):
    """What a supplier asks for a model before discounts."""

    __tablename__ = "autotrade_supplier_price"
    __table_args__ = (
        UniqueConstraint("supplier_id", "car_model_id"),
        CheckConstraint("price_minor > 0", name="price"),
        CheckConstraint(_CURRENCY, name="currency"),
        Index("ix_autotrade_supplier_price_car_model_id", "car_model_id"),
    )

    supplier_id: Mapped[int] = key(SUPPLIER)
    car_model_id: Mapped[int] = key(MODEL)
    price_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(CHAR(3))
    priced_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class SupplierTier(Record, Base):
    """From so many units on, a dealer gets so many per cent off at this supplier."""

    __tablename__ = "autotrade_supplier_tier"
    __table_args__ = (
        CheckConstraint("at_purchases >= 0", name="at_purchases"),
        CheckConstraint("percent >= 0 AND percent < 100", name="percent"),
        Index(
            "uq_autotrade_supplier_tier_active",
            *("supplier_id", "at_purchases"),
            unique=True,
            postgresql_where=text("is_active"),
        ),
    )

    supplier_id: Mapped[int] = key(SUPPLIER)
    at_purchases: Mapped[int] = mapped_column(Integer)
    percent: Mapped[Decimal] = mapped_column(Numeric(5, 2))


class Dealer(Record, Base):
    """A showroom. `preferences` are lists of characteristics, each meaning "any of".

    `last_error` is what stopped the dealer in a run; a later run that succeeds clears it.
    """

    __tablename__ = "autotrade_dealer"
    __table_args__ = (
        CheckConstraint("char_length(name) BETWEEN 1 AND 120", name="name"),
        CheckConstraint("char_length(city) BETWEEN 1 AND 120", name="city"),
        CheckConstraint(_COUNTRY, name="country"),
        CheckConstraint(_CURRENCY, name="currency"),
        CheckConstraint("margin_percent >= 0 AND margin_percent <= 1000", name="margin"),
        CheckConstraint("spend_per_run_minor >= 0 AND target_stock >= 0", name="supply"),
        Index("ix_autotrade_dealer_owner_id", "owner_id"),
        Index("ix_autotrade_dealer_search", "search", postgresql_using="gin"),
    )

    owner_id: Mapped[int] = key(PERSON)
    name: Mapped[str] = mapped_column(Text)
    country: Mapped[str] = mapped_column(CHAR(2))
    city: Mapped[str] = mapped_column(Text)
    preferences: Mapped[Any] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    margin_percent: Mapped[Decimal] = mapped_column(Numeric(6, 2))
    spend_per_run_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(CHAR(3))
    target_stock: Mapped[int] = mapped_column(Integer)
    account_id: Mapped[int | None]
    supplied_slot: Mapped[int] = mapped_column(BigInteger, server_default="-1")
    reviewed_slot: Mapped[int] = mapped_column(BigInteger, server_default="-1")
    last_error: Mapped[str | None] = mapped_column(Text)
    last_error_at: Mapped[datetime | None]
    search: Mapped[Any] = search_column("name", "city")


class DealerStock(Record, Base):
    """A dealer's line of one model: it exists from the day on which the model first matched.

    `is_wanted` says whether it matches now; what is left of an unwanted one is still sold.
    """

    __tablename__ = "autotrade_dealer_stock"
    __table_args__ = (
        UniqueConstraint("dealer_id", "car_model_id"),
        CheckConstraint("quantity >= 0", name="quantity"),
        CheckConstraint("price_minor > 0", name="price"),
        CheckConstraint("quantity = 0 OR price_minor IS NOT NULL", name="priced"),
        CheckConstraint(_CURRENCY, name="currency"),
        Index("ix_autotrade_dealer_stock_car_model_id", "car_model_id"),
    )

    dealer_id: Mapped[int] = key(DEALER)
    car_model_id: Mapped[int] = key(MODEL)
    quantity: Mapped[int] = mapped_column(Integer, server_default="0")
    price_minor: Mapped[int | None]
    currency: Mapped[str] = mapped_column(CHAR(3))
    is_wanted: Mapped[bool]
    is_price_fixed: Mapped[bool] = mapped_column(server_default=text("false"))
    priced_at: Mapped[datetime | None]


class DealerTier(Record, Base):
    """From so many units on, a buyer gets so many per cent off at this dealer."""

    __tablename__ = "autotrade_dealer_tier"
    __table_args__ = (
        CheckConstraint("at_purchases >= 0", name="at_purchases"),
        CheckConstraint("percent >= 0 AND percent < 100", name="percent"),
        Index(
            "uq_autotrade_dealer_tier_active",
            *("dealer_id", "at_purchases"),
            unique=True,
            postgresql_where=text("is_active"),
        ),
    )

    dealer_id: Mapped[int] = key(DEALER)
    at_purchases: Mapped[int] = mapped_column(Integer)
    percent: Mapped[Decimal] = mapped_column(Numeric(5, 2))


class Promotion(Record, Base):
    """A discount of a supplier or a dealer for a time; without models it is for all of them."""

    __tablename__ = "autotrade_promotion"
    __table_args__ = (
        CheckConstraint("num_nonnulls(supplier_id, dealer_id) = 1", name="of_one"),
        CheckConstraint("num_nonnulls(percent, amount_minor) = 1", name="one_discount"),
        CheckConstraint("percent > 0 AND percent < 100", name="percent"),
        CheckConstraint("amount_minor > 0 AND cap_minor > 0", name="amounts"),
        CheckConstraint("ends_at > starts_at", name="times"),
        CheckConstraint("cardinality(car_model_ids) <= 200", name="models"),
        CheckConstraint("char_length(title) BETWEEN 1 AND 120", name="title"),
        CheckConstraint(_CURRENCY, name="currency"),
        Index("ix_autotrade_promotion_dealer_id", "dealer_id", "ends_at"),
        Index("ix_autotrade_promotion_supplier_id", "supplier_id", "ends_at"),
    )

    supplier_id: Mapped[int | None] = key(SUPPLIER)
    dealer_id: Mapped[int | None] = key(DEALER)
    title: Mapped[str] = mapped_column(Text)
    percent: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    amount_minor: Mapped[int | None]
    cap_minor: Mapped[int | None]
    currency: Mapped[str] = mapped_column(CHAR(3))
    car_model_ids: Mapped[list[int]] = mapped_column(
        ARRAY(BigInteger), server_default=text("'{}'::bigint[]")
    )
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    last_error: Mapped[str | None] = mapped_column(Text)
    last_error_at: Mapped[datetime | None]


class Buyer(Record, Base):
    """A person who makes offers, with what he says of himself."""

    __tablename__ = "autotrade_buyer"
    __table_args__ = (
        UniqueConstraint("identity_id"),
        CheckConstraint("char_length(full_name) <= 120 AND char_length(city) <= 120", name="texts"),
        CheckConstraint(_COUNTRY, name="country"),
    )

    identity_id: Mapped[int] = key(PERSON)
    account_id: Mapped[int]
    full_name: Mapped[str] = mapped_column(Text, server_default="")
    country: Mapped[str | None] = mapped_column(CHAR(2))
    city: Mapped[str] = mapped_column(Text, server_default="")


class PriceChange(Fact, Base):
    """A price as it was asked from a moment on; written by triggers, so that none is missed."""

    __tablename__ = "autotrade_price_change"
    __table_args__ = (
        CheckConstraint("num_nonnulls(supplier_id, dealer_id) = 1", name="of_one"),
        Index("ix_autotrade_price_change_dealer_id", "dealer_id", "car_model_id", "id"),
        Index("ix_autotrade_price_change_supplier_id", "supplier_id", "car_model_id", "id"),
    )

    supplier_id: Mapped[int | None] = key(SUPPLIER)
    dealer_id: Mapped[int | None] = key(DEALER)
    car_model_id: Mapped[int] = key(MODEL)
    price_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(CHAR(3))
    priced_at: Mapped[datetime]


MODELS = (
    *(CarModel, Supplier, SupplierPrice, SupplierTier, Dealer, DealerStock, DealerTier),
    *(Promotion, Buyer, PriceChange),
)
