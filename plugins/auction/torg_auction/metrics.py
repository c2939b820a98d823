"""What can be counted of auctions: those that were made, how they ended, and the bids.

Nothing here reads a secret maximum. What an auction's end is counted by stands still from then on:
no bid comes after its outcome.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, and_, case, func, literal, select

from torg import contracts
from torg.db import session
from torg_auction.models import Auction, AuctionState, BidRow, OutcomeRow
from torg_metrics import Aggregate, Dimension, Facts, Metric, Ratio, Unit


def _ids(values: Sequence[str]) -> list[int]:
    return [int(each) for each in values if each.isascii() and each.isdigit()]


def _usernames(values: Sequence[str]) -> Mapping[str, str]:
    users = contracts.require("users", ">=1,<2")
    return {str(number): name for number, name in users.names(_ids(values)).items()}


def _titles(values: Sequence[str]) -> Mapping[str, str]:
    rows = session.execute(select(Auction.id, Auction.title).where(Auction.id.in_(_ids(values))))
    return {str(row.id): row.title for row in rows}


def _oneself(person_id: int) -> Select[Any]:
    return select(literal(person_id))


def _created() -> Any:
    return select(
        Auction.created_at.label("happened_at"),
        Auction.created_at.label("recorded_at"),
        Auction.owner_id.label("seller"),
        Auction.category,
    )


def _outcomes() -> Any:
    is_sold = OutcomeRow.winner_id.is_not(None)
    last = and_(BidRow.auction_id == AuctionState.auction_id, BidRow.seq == AuctionState.bid_count)
    return (
        select(
            OutcomeRow.closed_at.label("happened_at"),
            OutcomeRow.created_at.label("recorded_at"),
            Auction.owner_id.label("seller"),
            OutcomeRow.winner_id.label("winner"),
            Auction.category,
            OutcomeRow.reason.label("outcome"),
            Auction.currency,
            is_sold.label("is_sold"),
            OutcomeRow.hammer_price_minor.label("hammer"),
            case((is_sold, Auction.starting_price_minor)).label("sold_start"),
            AuctionState.bid_count.label("bids"),
            AuctionState.extension_count.label("extensions"),
            BidRow.auction_id.is_not(None).label("has_bids"),
            func.extract("epoch", OutcomeRow.closed_at - BidRow.placed_at).label("quiet_seconds"),
        )
        .join(Auction, Auction.id == OutcomeRow.auction_id)
        .join(AuctionState, AuctionState.auction_id == OutcomeRow.auction_id)
        .outerjoin(BidRow, last)
    )


def _bids() -> Any:
    return select(
        BidRow.placed_at.label("happened_at"),
        BidRow.placed_at.label("recorded_at"),
        BidRow.bidder_id.label("bidder"),
        BidRow.owner_id.label("seller"),
        BidRow.auction_id.label("auction"),
        Auction.category,
    ).join(Auction, Auction.id == BidRow.auction_id)


_SELLER = Dimension("seller", "Seller", names=_usernames, own=_oneself)
_CATEGORY = Dimension("category", "Category")

CREATED = Facts("auction.created", _created, (_SELLER, _CATEGORY))
OUTCOMES = Facts(
    "auction.outcomes",
    _outcomes,
    (
        _SELLER,
        Dimension("winner", "Winner", names=_usernames, own=_oneself),
        _CATEGORY,
        Dimension("outcome", "Outcome"),
    ),
)
BIDS = Facts(
    "auction.bids",
    _bids,
    (
        Dimension("bidder", "Bidder", names=_usernames, own=_oneself),
        _SELLER,
        Dimension("auction", "Auction", names=_titles),
        _CATEGORY,
    ),
)

AUCTIONS = Metric(
    "auction.auctions",
    "Auctions",
    Unit.COUNT,
    CREATED,
    "auctions = auctions that were created",
)
ENDED = Metric(
    "auction.ended",
    "Auctions ended",
    Unit.COUNT,
    OUTCOMES,
    "auctions ended = auctions whose outcome is fixed, by the moment of their end",
)
SOLD = Metric(
    "auction.sold",
    "Auctions sold",
    Unit.COUNT,
    OUTCOMES,
    "auctions sold = ended auctions with a winner",
    where="is_sold",
)
TURNOVER = Metric(
    "auction.turnover",
    "Turnover of auctions",
    Unit.MONEY,
    OUTCOMES,
    "turnover = sum of hammer prices",
    value="hammer",
    where="is_sold",
)
SOLD_START = Metric(
    "auction.sold_start",
    "Starting prices of what was sold",
    Unit.MONEY,
    OUTCOMES,
    "starting prices = sum of starting prices of the auctions sold",
    value="sold_start",
    where="is_sold",
)
ENDED_BIDS = Metric(
    "auction.ended_bids",
    "Bids of ended auctions",
    Unit.COUNT,
    OUTCOMES,
    "bids of ended auctions = all bids of the auctions that ended, automatic ones included",
    value="bids",
)
EXTENSIONS = Metric(
    "auction.extensions",
    "Extensions",
    Unit.COUNT,
    OUTCOMES,
    "extensions = how often late bids moved the end of the auctions that ended",
    value="extensions",
)
BID_ON = Metric(
    "auction.bid_on",
    "Ended auctions with bids",
    Unit.COUNT,
    OUTCOMES,
    "ended auctions with bids = ended auctions that had at least one bid",
    where="has_bids",
)
QUIET_SECONDS = Metric(
    "auction.quiet_seconds",
    "Seconds between last bids and ends",
    Unit.SECONDS,
    OUTCOMES,
    "seconds = sum of the times from the last bid to the end",
    value="quiet_seconds",
    where="has_bids",
)
BIDS_PLACED = Metric(
    "auction.bids",
    "Bids",
    Unit.COUNT,
    BIDS,
    "bids = lines of the public logs, automatic ones included",
)
BIDDERS = Metric(
    "auction.bidders",
    "Bidders",
    Unit.COUNT,
    BIDS,
    "bidders = different people with a bid",
    value="bidder",
    aggregate=Aggregate.DISTINCT,
)
METRICS: tuple[Metric | Ratio, ...] = (
    AUCTIONS,
    ENDED,
    SOLD,
    Ratio(
        "auction.sell_through",
        "Sell-through rate",
        Unit.PERCENT,
        SOLD,
        ENDED,
        "sell-through = auctions sold / auctions ended",
    ),
    BIDS_PLACED,
    BIDDERS,
    ENDED_BIDS,
    Ratio(
        "auction.bids_per_auction",
        "Bids per auction",
        Unit.NUMBER,
        ENDED_BIDS,
        ENDED,
        "bids per auction = bids of ended auctions / auctions ended",
    ),
    TURNOVER,
    SOLD_START,
    Ratio(
        "auction.hammer_to_start",
        "Hammer price to starting price",
        Unit.PERCENT,
        TURNOVER,
        SOLD_START,
        "hammer to start = sum of hammer prices / sum of starting prices of the auctions sold",
    ),
    EXTENSIONS,
    BID_ON,
    QUIET_SECONDS,
    Ratio(
        "auction.last_bid_before_end",
        "Time of the last bid before the end",
        Unit.SECONDS,
        QUIET_SECONDS,
        BID_ON,
        "last bid before the end = seconds from the last bid to the end, on average over ended"
        " auctions with bids",
    ),
)
