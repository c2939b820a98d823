"""The lists of auctions and bids: what they may be filtered, searched and sorted by.

`active` and `finished` follow from the times by query, so they are right with no worker running.
The clock is the statement's: a stable function, so that an index can serve the comparison.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    func,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from torg import contracts
from torg.db import session
from torg.filters import Filter, above, amount_at_least, amount_at_most, below, equals
from torg.listing import Listing
from torg.schemas import Enum, Text, Timestamp
from torg_auction.models import Auction, AuctionState, BidRow, Watch
from torg_auction.queries.auctions import SUMMARY, joined

STATUSES = ("all", "active", "finished", "upcoming")


def _has_status(status: str) -> ColumnElement[bool]:
    now = func.statement_timestamp()
    is_open = and_(AuctionState.closed_at.is_(None), AuctionState.ends_at > now)
    if status == "active":
        return and_(is_open, AuctionState.starts_at <= now)
    if status == "upcoming":
        return and_(is_open, AuctionState.starts_at > now)
    if status == "finished":
        return or_(AuctionState.closed_at.is_not(None), AuctionState.ends_at <= now)
    return AuctionState.auction_id.is_not(None)


def _is_owned_by(username: str) -> ColumnElement[bool]:
    # Ids begin at 1: somebody nobody knows owns nothing.
    owner_id = contracts.require("users").find(username)
    return Auction.owner_id == (owner_id or 0)


class AuctionListing(Listing):
    """Auctions; those that end first come first unless asked otherwise."""

    # The state's columns stand in one narrow table, whose indexes serve the usual orders.
    key = AuctionState.auction_id
    sorts = {  # noqa: RUF012 - declared so by the host
        "ends_at": AuctionState.ends_at,
        "price": AuctionState.current_price_minor,
        "bids": AuctionState.bid_count,
        "created_at": Auction.created_at,
    }
    default_sort = "-id"
    filters = {  # noqa: RUF012 - declared so by the host
        "status": Filter(
            Enum(STATUSES, description="By the times and the database's clock."), _has_status
        ),
        "category": equals(Text(maximum=100, example="clocks"), Auction.category),
        "currency": equals(Text(maximum=3, pattern="[A-Z]{3}", example="EUR"), Auction.currency),
        "price_min": amount_at_least(AuctionState.current_price_minor, Auction.currency),
        "price_max": amount_at_most(AuctionState.current_price_minor, Auction.currency),
        "owner": Filter(Text(maximum=150, example="anna"), _is_owned_by),
        "ends_after": above(Timestamp(), AuctionState.ends_at),
        "ends_before": below(Timestamp(), AuctionState.ends_at),
    }
    search = Auction.search


class BidListing(Listing):
    """The log of one auction, newest first."""

    key = BidRow.seq
    default_sort = "-id"


def find_bid(auction_id: int, seq: int) -> Row[Any] | None:
    """One line of the log, in the columns of `BIDS`; None when there is none."""
    # A number past the column's type is no bid, and would be an error of the database.
    if seq > _LAST_SEQ:
        return None
    found: Row[Any] | None = session.execute(
        _BID, {"auction_id": auction_id, "seq": seq}
    ).one_or_none()
    return found


_other = aliased(AuctionState)
_now = func.statement_timestamp()
# Two looks at the head of an index, done once for a whole list.
_NEXT_CHANGE = func.least(
    select(func.min(_other.ends_at))
    .where(_other.closed_at.is_(None), _other.ends_at > _now)
    .scalar_subquery(),
    select(func.min(_other.starts_at)).where(_other.starts_at > _now).scalar_subquery(),
)
_LAST_SEQ = 2**31 - 1
_BY_PERSON = bindparam("identity_id", type_=BigInteger)

ALL: Select[*tuple[Any, ...]] = joined(*SUMMARY)
# With the moment (`next_change_at`) that ends the truth of a kept list: also an auction that is not
# on it may enter it then.
ALL_UNTIL = ALL.add_columns(_NEXT_CHANGE.label("next_change_at"))
# These three ask for the parameter `identity_id`: who created, watches, or has bid.
OWNED = ALL.where(Auction.owner_id == _BY_PERSON)
WATCHED = ALL.join(Watch, Watch.auction_id == Auction.id).where(Watch.identity_id == _BY_PERSON)
BID_ON = ALL.add_columns(
    select(func.max(BidRow.amount_minor))
    .where(BidRow.auction_id == Auction.id, BidRow.bidder_id == _BY_PERSON)
    .scalar_subquery()
    .label("own_amount_minor")
).where(Auction.id.in_(select(BidRow.auction_id).where(BidRow.bidder_id == _BY_PERSON)))
# The log of the auction `auction_id`.
BIDS: Select[*tuple[Any, ...]] = (
    select(
        BidRow.seq,
        BidRow.bidder_id,
        BidRow.amount_minor,
        BidRow.is_leading,
        BidRow.is_automatic,
        BidRow.placed_at,
        Auction.currency,
    )
    .join(Auction, Auction.id == BidRow.auction_id)
    .where(BidRow.auction_id == bindparam("auction_id", type_=BigInteger))
)
_BID = BIDS.where(BidRow.seq == bindparam("seq", type_=Integer))
