"""The shapes of auctions in bodies, answers, events and live streams.

Owns names and bounds. A maximum goes in (`max_amount`) and never comes out: no schema that is
dumped has a field for it.
"""

from typing import Any

from marshmallow import ValidationError, validates_schema

from torg.field_base import problem
from torg.schemas import (
    Boolean,
    Enum,
    Id,
    Integer,
    List,
    Message,
    MoneyField,
    Nested,
    Schema,
    Text,
    Timestamp,
    Url,
)
from torg_auction.domain import Reason, Status

# Far below what a BIGINT holds, so that a price plus an increment is always a number.
MOST_MINOR = 10**15
_LATER = "2030-01-31T12:00:00Z"
_REASONS = [reason.value for reason in Reason]


def _given_money(description: str, **options: Any) -> MoneyField:
    return MoneyField(maximum_minor=MOST_MINOR, description=description, **options)


def _shown_money(minor: str, description: str, **options: Any) -> MoneyField:
    return MoneyField(minor=minor, description=description, **options)


class SoftClose(Schema):
    """A late bid moves the end."""

    window_seconds = Integer(
        minimum=1,
        maximum=86400,
        required=True,
        description="A bid this late moves the end.",
        example=120,
    )
    extension_seconds = Integer(
        minimum=1, maximum=86400, required=True, description="By this much.", example=120
    )
    max_extensions = Integer(
        minimum=1, maximum=1000, load_default=20, description="At most so many times.", example=20
    )
    hard_ends_at = Timestamp(
        allow_none=True,
        load_default=None,
        description="Never past this moment.",
        example=_LATER,
    )


class CreateAuction(Schema):
    """A new auction. All amounts are in one currency; nothing of it can be changed later."""

    title = Text(maximum=200, strip=True, required=True, example="A clock that goes")
    description = Text(
        maximum=10000, minimum=0, multiline=True, required=True, example="It was my grandfather's."
    )
    starting_price = _given_money("The least first bid.", required=True)
    bid_increment = _given_money(
        "Every next bid is at least this much higher.",
        minimum_minor=1,
        required=True,
        example={"amount": "1.00", "currency": "EUR"},
    )
    ends_at = Timestamp(
        required=True, description="No bid is accepted from then on.", example=_LATER
    )
    starts_at = Timestamp(
        allow_none=True,
        load_default=None,
        description="First moment of bidding; now by default.",
        example="2030-01-01T12:00:00Z",
    )
    currency = Text(
        maximum=3,
        pattern="[A-Z]{3}",
        allow_none=True,
        load_default=None,
        example="EUR",
        description="Must be that of the amounts; may be left out.",
    )
    category = Text(maximum=100, strip=True, allow_none=True, load_default=None, example="clocks")
    pictures = List(
        Url(example="https://example.com/clock.jpg"),
        maximum=10,
        unique=True,
        allow_none=True,
        load_default=None,
        description="Addresses of pictures.",
    )
    reserve_price = _given_money(
        "Hidden: below it nothing is sold.", allow_none=True, load_default=None
    )
    buy_now_price = _given_money(
        "Whoever pays it before the first bid has bought.", allow_none=True, load_default=None
    )
    soft_close = Nested(SoftClose, allow_none=True, load_default=None)

    @validates_schema
    def _one_currency(self, data: dict[str, Any], **_options: Any) -> None:
        currency = data.get("currency")
        price = data.get("starting_price")
        if currency is not None and price is not None and price.currency != currency:
            message = Message("wrong_currency", "All amounts of an auction are in one currency.")
            raise ValidationError(message, field_name="currency")


class PlaceBid(Schema):
    """A plain bid (`amount`) or a secret maximum (`max_amount`), one of the two."""

    amount = _given_money("The price becomes this amount.")
    max_amount = _given_money("Secret: the price rises by the least needed, up to this.")
    expected_price = _given_money("Refuse the bid (409) when this is not the present price.")

    @validates_schema
    def _one_offer(self, data: dict[str, Any], **_options: Any) -> None:
        offers = [data[name] for name in ("amount", "max_amount") if name in data]
        if len(offers) != 1:
            raise problem("one_of", "Give either amount or max_amount.")
        expected = data.get("expected_price")
        if expected is not None and expected.currency != offers[0].currency:
            message = Message("wrong_currency", "All amounts of a bid are in one currency.")
            raise ValidationError(message, field_name="expected_price")


class Bid(Schema):
    """One line of the log."""

    seq = Integer(minimum=1, description="1, 2, 3… without gaps.")
    amount = _shown_money("amount_minor", "What was bid.")
    username = Text(maximum=150, allow_none=True, example="anna")
    is_leading = Boolean(description="Whether it led when it was placed.")
    is_automatic = Boolean(description="Placed by a standing maximum in answer to another bid.")
    placed_at = Timestamp()


class BidPlaced(Schema):
    """The own bid and the auction after it."""

    auction_id = Id()
    seq = Integer(
        minimum=1,
        allow_none=True,
        description="Of the own bid; null when a raised maximum needed none.",
    )
    amount = _shown_money("amount_minor", "Of the own bid, or null.", allow_none=True)
    username = Text(maximum=150, example="anna")
    is_leading = Boolean(description="Whether you lead now.")
    placed_at = Timestamp()
    current_price = _shown_money("current_price_minor", "The price after the bid.")
    minimum_bid = _shown_money(
        "minimum_bid_minor", "The least next bid; null after buy-now.", allow_none=True
    )
    bid_count = Integer(minimum=0)
    high_bidder = Text(maximum=150, allow_none=True, example="anna")
    reserve_met = Boolean()
    extended = Boolean(description="Whether this bid moved the end.")
    ends_at = Timestamp(example=_LATER)
    server_time = Timestamp()


class Summary(Schema):
    """An auction as lists show it: what there is to choose by. All else is on its own page."""

    id = Id()
    title = Text(maximum=200, example="A clock that goes")
    category = Text(maximum=100, allow_none=True, example="clocks")
    status = Enum(Status, description="Follows from the times, by the database's clock.")
    owner = Text(maximum=150, allow_none=True, example="anna")
    starting_price = _shown_money("starting_price_minor", "The least first bid.")
    bid_increment = _shown_money("bid_increment_minor", "The least step between bids.")
    current_price = _shown_money(
        "current_price_minor", "The leading bid; before the first one, the starting price."
    )
    minimum_bid = _shown_money(
        "minimum_bid_minor",
        "The least that is accepted now; null when finished.",
        allow_none=True,
    )
    bid_count = Integer(minimum=0)
    high_bidder = Text(maximum=150, allow_none=True, example="ben")
    reserve_met = Boolean(description="True without a reserve.")
    starts_at = Timestamp()
    ends_at = Timestamp(example=_LATER)
    outcome = Enum(_REASONS, attribute="reason", allow_none=True)
    winner = Text(maximum=150, allow_none=True, example="ben")
    server_time = Timestamp(description="The clock that decides.")


class Detail(Summary):
    """An auction with its newest bids."""

    is_active = Boolean(dump_default=True, description="Always true: auctions are never removed.")
    buy_now_price = _shown_money("buy_now_price_minor", "As given.", allow_none=True)
    buy_now_available = Boolean(description="Until the first bid.")
    scheduled_ends_at = Timestamp(example=_LATER, description="The end as given at creation.")
    hammer_price = _shown_money("hammer_price_minor", "What the winner pays.", allow_none=True)
    closed_at = Timestamp(allow_none=True, description="When it ended.")
    created_at = Timestamp()
    updated_at = Timestamp(description="Of the last bid or the closing.")
    description = Text(maximum=10000, minimum=0, multiline=True, example="It was my grandfather's.")
    pictures = List(Url(), maximum=10)
    soft_close = Nested(SoftClose, allow_none=True)
    extension_count = Integer(minimum=0)
    bids = List(Nested(Bid), maximum=100, description="Newest first.")
    bids_next_cursor = Text(
        maximum=2000,
        allow_none=True,
        example=None,
        description="For the older ones: `GET …/bids?limit=100&cursor=…`; null when all are here.",
    )


class OwnSummary(Summary):
    """An auction as its owner's list shows it."""

    reserve_price = _shown_money("reserve_price_minor", "Hidden from others.", allow_none=True)


class BidOnSummary(Summary):
    """An auction as the list of somebody who bid on it shows it."""

    own_amount = _shown_money("own_amount_minor", "The own highest bid.")
    standing = Enum(["leading", "outbid", "won", "lost"])


class Preferences(Schema):
    """What somebody wants to be told."""

    announcements = Boolean(required=True, description="A mail for every new auction.")


class StreamedBid(Schema):
    """The data of the event `bid`."""

    auction_id = Id()
    seq = Integer(minimum=1)
    amount = _shown_money("amount_minor", "What was bid; the price, when it leads.")
    username = Text(maximum=150, allow_none=True)
    is_leading = Boolean()
    is_automatic = Boolean()
    placed_at = Timestamp()
    minimum_bid = _shown_money("minimum_bid_minor", "The least next bid, when it leads.")
    reserve_met = Boolean()
    ends_at = Timestamp()


class StreamedExtension(Schema):
    """The data of the event `extended`."""

    auction_id = Id()
    seq = Integer(minimum=1, description="Of the bid that moved the end.")
    ends_at = Timestamp()


class StreamedClosing(Schema):
    """The data of the event `closed`."""

    auction_id = Id()
    seq = Integer(minimum=0, description="How many bids there were.")
    outcome = Enum(_REASONS, attribute="reason")
    winner = Text(maximum=150, allow_none=True)
    hammer_price = _shown_money("hammer_price_minor", "What the winner pays.", allow_none=True)
    closed_at = Timestamp()


class BidPlacedEvent(Schema):
    """The domain event `auction.bid_placed` 1.0: a new price, told once by a job after the bid."""

    auction_id = Id(required=True)
    seq = Integer(minimum=1, required=True)
    bidder_id = Id(required=True)
    amount = MoneyField(required=True)
    is_automatic = Boolean(required=True)
    placed_at = Timestamp(required=True)
    ends_at = Timestamp(required=True)


class ClosedEvent(Schema):
    """The domain event `auction.closed` 1.0: the outcome, told once by a job after the closing."""

    auction_id = Id(required=True)
    owner_id = Id(required=True)
    outcome = Enum(_REASONS, required=True)
    winner_id = Id(required=True, allow_none=True)
    hammer_price = MoneyField(required=True, allow_none=True)
    bid_count = Integer(minimum=0, required=True)
    closed_at = Timestamp(required=True)


class CreatedEvent(Schema):
    """The domain event `auction.created` 1.0."""

    auction_id = Id(required=True)
    owner_id = Id(required=True)
    title = Text(maximum=200, required=True)
    starting_price = MoneyField(required=True)
    ends_at = Timestamp(required=True)
