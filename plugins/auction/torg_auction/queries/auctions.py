"""One auction as its page shows it, and the columns that lists share with it.

The clock is the database's, read in the same statement, so that a status and the times beside it
are of one moment.
"""

from typing import Any

from sqlalchemy import Row, Select, bindparam, func, select

from torg.db import session
from torg_auction.models import Auction, AuctionState, OutcomeRow

# What lists and the detail both show. The reserve stays here: only whether it is met is public.
SUMMARY = (
    Auction.id,
    Auction.owner_id,
    Auction.title,
    Auction.category,
    Auction.currency,
    Auction.starting_price_minor,
    Auction.bid_increment_minor,
    Auction.buy_now_price_minor,
    Auction.reserve_price_minor,
    Auction.scheduled_ends_at,
    Auction.created_at,
    AuctionState.starts_at,
    AuctionState.ends_at,
    AuctionState.current_price_minor,
    AuctionState.leader_id,
    AuctionState.bid_count,
    AuctionState.closed_at,
    AuctionState.updated_at,
    OutcomeRow.reason,
    OutcomeRow.winner_id,
    OutcomeRow.hammer_price_minor,
    func.clock_timestamp().label("server_time"),
)
_DETAIL = (
    Auction.description,
    Auction.pictures,
    Auction.soft_window_seconds,
    Auction.soft_extension_seconds,
    Auction.soft_max_extensions,
    Auction.soft_hard_ends_at,
    AuctionState.extension_count,
)


def joined(*columns: Any) -> "Select[*tuple[Any, ...]]":
    """A select over auctions with their state and, if there is one, their outcome."""
    return (
        select(*columns)
        .select_from(Auction)
        .join(AuctionState, AuctionState.auction_id == Auction.id)
        .outerjoin(OutcomeRow, OutcomeRow.auction_id == Auction.id)
    )


_ONE = joined(*SUMMARY, *_DETAIL).where(Auction.id == bindparam("auction_id"))
_EXISTS = select(Auction.id).where(Auction.id == bindparam("auction_id"))


def find(auction_id: int) -> Row[Any] | None:
    """One auction with its state, outcome and the time of the reading."""
    return session.execute(_ONE, {"auction_id": auction_id}).one_or_none()


def exists(auction_id: int) -> bool:
    """Whether there is such an auction."""
    return session.execute(_EXISTS, {"auction_id": auction_id}).first() is not None
