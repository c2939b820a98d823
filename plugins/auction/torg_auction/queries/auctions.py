"""One auction as its page shows it, and the columns that lists share with it.

The clock is the database's, read in the same statement, so that a status and the times beside it
are of one moment.
"""

from typing import Any

from sqlalchemy import Select, bindparam, case, func, select

from torg.db import session
from torg.prepared import Prepared
from torg_auction.models import Auction, AuctionState, OutcomeRow


def _of_outcome(column: Any) -> Any:
    """A column of the outcome, looked for only where there is one: cheaper than a join."""
    found = select(column).where(OutcomeRow.auction_id == Auction.id).scalar_subquery()
    return case((AuctionState.closed_at.is_not(None), found)).label(column.key)


# What lists and the detail both show. The reserve stays here: only whether it is met is public.
SUMMARY = (
    Auction.id,
    Auction.owner_id,
    Auction.title,
    Auction.category,
    Auction.currency,
    Auction.starting_price_minor,
    Auction.bid_increment_minor,
    Auction.reserve_price_minor,
    AuctionState.starts_at,
    AuctionState.ends_at,
    AuctionState.current_price_minor,
    AuctionState.leader_id,
    AuctionState.bid_count,
    AuctionState.closed_at,
    _of_outcome(OutcomeRow.reason),
    _of_outcome(OutcomeRow.winner_id),
    func.clock_timestamp().label("server_time"),
)
_DETAIL = (
    Auction.description,
    Auction.pictures,
    Auction.buy_now_price_minor,
    Auction.soft_window_seconds,
    Auction.soft_extension_seconds,
    Auction.soft_max_extensions,
    Auction.soft_hard_ends_at,
    Auction.scheduled_ends_at,
    Auction.created_at,
    AuctionState.extension_count,
    AuctionState.updated_at,
    _of_outcome(OutcomeRow.hammer_price_minor),
)


def joined(*columns: Any) -> "Select[*tuple[Any, ...]]":
    """A select over auctions with their state."""
    return (
        select(*columns)
        .select_from(Auction)
        .join(AuctionState, AuctionState.auction_id == Auction.id)
    )


_ONE = Prepared(joined(*SUMMARY, *_DETAIL).where(Auction.id == bindparam("auction_id")))
_EXISTS = select(Auction.id).where(Auction.id == bindparam("auction_id"))


def find(auction_id: int) -> Any | None:
    """One auction with its state, outcome and the time of the reading."""
    found = _ONE.rows({"auction_id": auction_id})
    return found[0] if found else None


def exists(auction_id: int) -> bool:
    """Whether there is such an auction."""
    return session.execute(_EXISTS, {"auction_id": auction_id}).first() is not None
