"""Offers, sales, purchases, decisions, runs: names and bounds."""

from collections.abc import Iterable
from typing import Any

from marshmallow import validates_schema

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
from torg_autotrade.domain.words import KINDS, REASONS, STATUSES
from torg_autotrade.schemas.market import Characteristics, country, price, shown, wrong


class CreateOffer(Schema):
    """What is wanted and paid at most; so much money is held until the offer ends."""

    car_model_id = Id(allow_none=True, load_default=None)
    criteria = Nested(Characteristics, allow_none=True, load_default=None)
    max_price = price("For one car.", required=True)
    quantity = Integer(minimum=1, maximum=100, load_default=1, example=1)
    expires_at = Timestamp(allow_none=True, load_default=None, example="2030-01-31T12:00:00Z")

    @validates_schema
    def _one_wish(self, data: dict[str, Any], **_options: Any) -> None:
        if (data.get("car_model_id") is None) == (data.get("criteria") is None):
            raise wrong("car_model_id", "one_of", "Give either car_model_id or criteria.")


class Offer(Schema):
    """An offer and how it stands."""

    id = Id()
    buyer_id = Id()
    car_model_id = Id(allow_none=True)
    criteria = Nested(Characteristics, allow_none=True)
    max_price = shown("max_price_minor", "For one car.")
    quantity = Integer(minimum=1)
    expires_at = Timestamp(allow_none=True)
    status = Enum(STATUSES)
    reason = Enum(REASONS, allow_none=True, description="Why it is not filled, by the last try.")
    best_price = shown("best_price_minor", "The least that was asked.", allow_none=True)
    tried_at = Timestamp(allow_none=True, description="Since when it stands so.")
    sale_id = Id(allow_none=True)
    placed_at = Timestamp()
    ended_at = Timestamp(allow_none=True)
    is_active = Boolean()
    created_at = Timestamp()
    updated_at = Timestamp()


class Sale(Schema):
    """A dealer sold to a buyer; every part of the price as it was."""

    id = Id()
    offer_id = Id()
    buyer_id = Id()
    dealer_id = Id()
    car_model_id = Id()
    quantity = Integer(minimum=1)
    list_price = shown("list_price_minor")
    promotion_id = Id(allow_none=True)
    promotion_discount = shown("promotion_discount_minor")
    loyalty_percent = Decimal(places=2, minimum=0, maximum=100)
    loyalty_discount = shown("loyalty_discount_minor")
    unit_price = shown("unit_price_minor")
    total = shown("total_minor")
    days_in_stock = Integer(minimum=0, description="Of the oldest car.")
    sold_at = Timestamp()
    transfer = Text(maximum=64, attribute="transfer_reference")
    decision_id = Id()
    created_at = Timestamp()


def priced(rows: Iterable[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    """Parts of a price as they are kept, with the currency that they are all in."""
    return [{**each, "currency": currency} for each in rows]


class SupplyStep(Schema):
    """So many units at one price."""

    quantity = Integer(minimum=1)
    loyalty_percent = Text(maximum=8, example="2.50")
    unit_price = shown("unit_price_minor")


class SupplyDeal(Schema):
    """A dealer bought from a supplier; every part of the price as it was."""

    id = Id()
    dealer_id = Id()
    supplier_id = Id()
    car_model_id = Id()
    quantity = Integer(minimum=1)
    list_price = shown("list_price_minor")
    promotion_id = Id(allow_none=True)
    promotion_discount = shown("promotion_discount_minor")
    steps = List(Nested(SupplyStep), maximum=100)
    total = shown("total_minor")
    bought_at = Timestamp()
    transfer = Text(maximum=64, attribute="transfer_reference")
    decision_id = Id()
    created_at = Timestamp()


class DealerSupplier(Schema):
    """The supplier a dealer buys a model from."""

    id = Id()
    car_model_id = Id()
    supplier_id = Id()
    expected_total = shown("expected_total_minor", "Of the next purchases, when he was chosen.")
    horizon = Integer(minimum=1, description="How many purchases that were.")
    reviewed_at = Timestamp()
    decision_id = Id()
    is_active = Boolean()
    created_at = Timestamp()
    updated_at = Timestamp()


class Candidate(Schema):
    """Somebody who could have been chosen."""

    dealer_id = Id()
    supplier_id = Id()
    car_model_id = Id()
    list_price = shown("list_price_minor")
    promotion_id = Id(allow_none=True)
    promotion_discount = shown("promotion_discount_minor")
    loyalty_percent = Text(maximum=8, example="2.50")
    loyalty_discount = shown("loyalty_discount_minor")
    price = shown("price_minor", "For one car, now.")
    bought = Integer(minimum=0, description="Units bought from this supplier before.")
    expected_total = shown("expected_total_minor", "Of the next purchases.")
    stocked_at = Text(maximum=40, example="2026-01-31T12:00:00Z")


class Decision(Schema):
    """Why this dealer, or this supplier: the best candidates, the chosen one among them."""

    id = Id()
    kind = Enum(["sale", "supply", "review"])
    dealer_id = Id()
    car_model_id = Id()
    supplier_id = Id(allow_none=True)
    decided_at = Timestamp()
    considered = Integer(minimum=0, description="How many were looked at.")
    candidates = List(Nested(Candidate), maximum=100)
    created_at = Timestamp()


class RehearsedDecision(Schema):
    """What the next run would decide."""

    kind = Enum(["sale", "supply", "review"])
    offer_id = Id()
    dealer_id = Id()
    supplier_id = Id()
    car_model_id = Id()
    quantity = Integer(minimum=1)
    reason = Enum(REASONS)
    best_price = shown("best_price_minor", allow_none=True)
    total = shown("total_minor")
    candidates = List(Nested(Candidate), maximum=100)


class StartTick(Schema):
    """Which of the market's jobs."""

    kind = Enum(KINDS, required=True)


class Tick(Schema):
    """What was started, or what a dry run would do."""

    kind = Enum(KINDS)
    is_dry_run = Boolean()
    job_id = Id(allow_none=True)
    seen = Integer(minimum=0, description="Offers or dealers looked at.")
    dealt = Integer(minimum=0, description="Deals that would be made.")
    decisions = List(Nested(RehearsedDecision), maximum=10_000)
    is_complete = Boolean(
        description="Whether a dry run looked at all that waits, and not at the first of it alone."
    )


class Run(Schema):
    """A run of one of the jobs."""

    id = Id()
    kind = Enum(KINDS)
    part = Integer(minimum=0)
    parts = Integer(minimum=1)
    seen = Integer(minimum=0)
    dealt = Integer(minimum=0)
    failed = Integer(minimum=0)
    now_at = Timestamp()
    created_at = Timestamp()
    finished_at = Timestamp(allow_none=True)


class BuyerProfile(Schema):
    """What a buyer says of himself."""

    full_name = Text(maximum=120, minimum=0, strip=True, example="Anna Sommer")
    country = country(allow_none=True)
    city = Text(maximum=120, minimum=0, strip=True, example="Hamburg")


class Buyer(BuyerProfile):
    """A buyer as he sees himself."""

    id = Id()
    is_active = Boolean()
    created_at = Timestamp()
    updated_at = Timestamp()


class Statistics(Schema):
    """What was traded up to now; which fields have values depends on whose they are."""

    cars = Integer(minimum=0, description="Sold, or bought.")
    turnover = MoneyField(description="Taken in, or spent.")
    profit = MoneyField(signed=True, allow_none=True)
    partners = Integer(minimum=0, description="Unique buyers, or sellers.")
    days_in_stock = Decimal(
        places=1, minimum=0, maximum=10**6, allow_none=True, description="Average of sold cars."
    )


class SaleMade(Schema):
    """The domain event `autotrade.sale_made` 1.0, told once by a job after the sale."""

    sale_id = Id(required=True)
    offer_id = Id(required=True)
    buyer_id = Id(required=True, description="The person's identity.")
    dealer_id = Id(required=True)
    car_model_id = Id(required=True)
    quantity = Integer(minimum=1, required=True)
    total = MoneyField(required=True)
    sold_at = Timestamp(required=True)


class OfferEnded(Schema):
    """The domain event `autotrade.offer_ended` 1.0: it ended unfilled."""

    offer_id = Id(required=True)
    buyer_id = Id(required=True, description="The person's identity.")
    status = Enum(STATUSES, required=True)
