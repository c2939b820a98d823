"""Who took part in an auction, and who is to be told of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, func, select

from torg.db import session
from torg_auction.models import Auction, AuctionState, BidRow, Preference, Watch

_UP_TO = (
    select(BidRow.seq, BidRow.bidder_id, BidRow.amount_minor, BidRow.is_leading)
    .add_columns(BidRow.is_automatic, BidRow.placed_at, BidRow.ends_at_after)
    .where(BidRow.auction_id == bindparam("auction_id"), BidRow.seq <= bindparam("seq"))
    .order_by(BidRow.seq.desc())
)
_BIDDERS = (
    select(BidRow.bidder_id)
    .where(BidRow.auction_id == bindparam("auction_id"), BidRow.seq <= bindparam("seq"))
    .distinct()
    .order_by(BidRow.bidder_id)
)
_LAST = 2**31 - 1


def placed(auction_id: int, seq: int) -> Row[Any] | None:
    """The bid of that number."""
    parameters = {"auction_id": auction_id, "seq": seq}
    found = session.execute(_UP_TO.limit(1), parameters).one_or_none()
    return found if found is not None and found.seq == seq else None


def leader_before(auction_id: int, seq: int) -> int | None:
    """Who led before the bid of that number."""
    found: int | None = session.execute(
        _UP_TO.with_only_columns(BidRow.bidder_id).where(BidRow.is_leading).limit(1),
        {"auction_id": auction_id, "seq": seq - 1},
    ).scalar()
    return found


def bidders(auction_id: int, up_to_seq: int | None = None) -> list[int]:
    """Who has bid, up to and with the bid of that number; by id."""
    parameters = {"auction_id": auction_id, "seq": up_to_seq or _LAST}
    return list(session.execute(_BIDDERS, parameters).scalars())


def silenced(identity_ids: Sequence[int]) -> set[int]:
    """Who of these does not want announcements."""
    found = session.execute(
        select(Preference.identity_id).where(
            Preference.identity_id.in_(identity_ids), Preference.announcements.is_(False)
        )
    )
    return set(found.scalars())


def watchers_to_tell(until: datetime, limit: int) -> list[Row[Any]]:
    """Who watches an open auction that ends before `until` and was not told so yet.

    Locks the rows of the watchers, leaving those alone that another job is telling.
    """
    found: Any = session.execute(
        select(
            Watch.identity_id,
            Watch.auction_id.label("id"),
            Auction.title,
            Auction.currency,
            AuctionState.current_price_minor,
            AuctionState.bid_count,
            AuctionState.ends_at,
        )
        .join(AuctionState, AuctionState.auction_id == Watch.auction_id)
        .join(Auction, Auction.id == Watch.auction_id)
        .where(
            Watch.told_at.is_(None),
            AuctionState.closed_at.is_(None),
            AuctionState.starts_at <= func.clock_timestamp(),
            AuctionState.ends_at > func.clock_timestamp(),
            AuctionState.ends_at <= until,
        )
        .order_by(AuctionState.ends_at, Watch.identity_id)
        .limit(limit)
        .with_for_update(of=Watch, skip_locked=True)
    )
    return list(found)
