"""Everything stored of an auction, secret maxima included, for the replay that proves it.

Read by the command line and by tests alone; no route, event or log gets any of it.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, select

from torg.db import session, unit_of_work
from torg_auction.domain import Bid, Outcome, Reason, SoftClose, State, Terms
from torg_auction.models import Auction, AuctionState, BidRow, MaximumRow, OutcomeRow
from torg_auction.queries.auctions import joined
from torg_auction.replay import Maximum, Stored


def auction_ids(after_id: int = 0, limit: int = 500) -> list[int]:
    """Ids of auctions above `after_id`, in order."""
    query = select(Auction.id).where(Auction.id > after_id).order_by(Auction.id).limit(limit)
    return list(session.execute(query).scalars())


def all_stored(only: int | None = None) -> Iterator[tuple[int, Stored]]:
    """Every auction (or only one) with all that is stored of it, by id.

    Each is read in a transaction of its own, so that no lock is held for long.
    """
    after = (only or 1) - 1
    while True:
        with unit_of_work("read"):
            ids = auction_ids(after, 1 if only is not None else 500)
        for auction_id in ids:
            if only in (None, auction_id):
                with unit_of_work():
                    found = stored(auction_id)
                yield auction_id, found
        if not ids or only is not None:
            return
        after = ids[-1]


def stored(auction_id: int) -> Stored:
    """One auction; its parts are read under the lock of its state, so that they fit together."""
    session.execute(
        select(AuctionState.auction_id)
        .where(AuctionState.auction_id == auction_id)
        .with_for_update(read=True)
    )
    row = session.execute(
        joined(*Auction.__table__.columns, *_STATE, *_OUTCOME)
        .outerjoin(OutcomeRow, OutcomeRow.auction_id == Auction.id)
        .where(Auction.id == auction_id)
    ).one()
    bids = tuple(_bid(each) for each in _rows(BidRow, BidRow.seq, auction_id))
    maxima = tuple(_maximum(each) for each in _rows(MaximumRow, MaximumRow.id, auction_id))
    return Stored(_terms(row), _state(row, maxima), bids, maxima, _outcome(row))


_STATE = (
    AuctionState.ends_at,
    AuctionState.current_price_minor,
    AuctionState.leader_id,
    AuctionState.bid_count,
    AuctionState.extension_count,
)
_OUTCOME = (OutcomeRow.reason, OutcomeRow.winner_id, OutcomeRow.hammer_price_minor)


def _rows(model: Any, order: Any, auction_id: int) -> list[Row[Any]]:
    query = select(*model.__table__.columns).where(model.auction_id == auction_id).order_by(order)
    return list(session.execute(query))


def _terms(row: Any) -> Terms:
    soft = None
    if row.soft_window_seconds is not None:
        soft = SoftClose(
            row.soft_window_seconds,
            row.soft_extension_seconds,
            row.soft_max_extensions,
            row.soft_hard_ends_at,
        )
    return Terms(
        owner_id=row.owner_id,
        starting_price=row.starting_price_minor,
        bid_increment=row.bid_increment_minor,
        starts_at=row.starts_at,
        scheduled_ends_at=row.scheduled_ends_at,
        reserve_price=row.reserve_price_minor,
        buy_now_price=row.buy_now_price_minor,
        soft_close=soft,
    )


def _state(row: Any, maxima: tuple[Maximum, ...]) -> State:
    limit = None
    if row.leader_id is not None:
        own = [each.amount for each in maxima if each.bidder_id == row.leader_id]
        limit = max(row.current_price_minor, *own, 0)
    return State(
        price=row.current_price_minor,
        ends_at=row.ends_at,
        leader_id=row.leader_id,
        leader_limit=limit,
        bid_count=row.bid_count,
        extension_count=row.extension_count,
    )


def _outcome(row: Any) -> Outcome | None:
    if row.reason is None:
        return None
    return Outcome(Reason(row.reason), row.winner_id, row.hammer_price_minor)


def _bid(row: Any) -> Bid:
    return Bid(
        seq=row.seq,
        bidder_id=row.bidder_id,
        amount=row.amount_minor,
        is_leading=row.is_leading,
        is_automatic=row.is_automatic,
        placed_at=row.placed_at,
        ends_at_after=row.ends_at_after,
    )


def _maximum(row: Any) -> Maximum:
    return Maximum(row.bidder_id, row.amount_minor, row.after_seq, row.bid_seq, row.created_at)
