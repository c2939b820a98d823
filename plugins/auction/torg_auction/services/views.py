"""Auctions as the API shows them, each closed by being looked at once its end has come.

Owns what follows from columns: status, least next bid, standing, names. A secret maximum never gets
here, because no query reads it; of the reserve only whether it is met leaves, but for the owner.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select

from torg import contracts, db
from torg.errors import NotFoundError
from torg.prepared import widened
from torg_auction import domain
from torg_auction.queries import auctions, lists
from torg_auction.services import closing

INLINE_BIDS = 100


def detail(auction_id: int) -> dict[str, Any]:
    """One auction with its newest bids.

    Raises:
        NotFoundError: there is none.
    """
    row = auctions.find(auction_id)
    if row is None:
        raise NotFoundError
    if is_overdue(row):
        _close([auction_id])
        row = auctions.find(auction_id)
        assert row is not None
    log = lists.BidListing.page(lists.BIDS, {"limit": INLINE_BIDS}, {"auction_id": auction_id})
    names = _names([row], [each.bidder_id for each in log["items"]])
    (facts,) = _summaries([row], names)
    return {
        **facts._mapping,  # noqa: SLF001 - SQLAlchemy's public name for it
        "is_active": True,
        "buy_now_available": facts.status is not domain.Status.FINISHED
        and row.leader_id is None
        and row.buy_now_price_minor is not None,
        "soft_close": _soft_close(row),
        "bids": _bids(log["items"], names),
        "bids_next_cursor": log["next_cursor"],
    }


def page(
    statement: "Select[Any]",
    arguments: Mapping[str, Any],
    parameters: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A page of auctions: one statement for the rows, one for all the names.

    Args:
        statement: out of `queries.lists`.
        arguments: what `AuctionListing.arguments()` has loaded.
        parameters: what the statement asks for.
    """
    found = lists.AuctionListing.page(statement, arguments, parameters)
    overdue = [row.id for row in found["items"] if is_overdue(row)]
    if overdue:
        _close(overdue)
        found = lists.AuctionListing.page(statement, arguments, parameters)
    rows = found["items"]
    return {
        **found,
        "items": _summaries(rows, _names(rows)),
        "server_time": rows[0].server_time if rows else db.database_now(),
    }


def bid_on_by(identity_id: int, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A page of the auctions somebody bid on, and whether he leads, won or lost."""

    def standing(row: Row[Any]) -> tuple[str]:
        if row.status is domain.Status.FINISHED:
            return ("won" if row.winner_id == identity_id else "lost",)
        return ("leading" if row.leader_id == identity_id else "outbid",)

    found = page(lists.BID_ON, arguments, {"identity_id": identity_id})
    return {**found, "items": widened(found["items"], ("standing",), standing)}


def log(auction_id: int, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A page of the log of an auction.

    Raises:
        NotFoundError: there is no such auction.
    """
    found = lists.BidListing.page(lists.BIDS, arguments, {"auction_id": auction_id})
    rows = found["items"]
    if not rows and not auctions.exists(auction_id):
        raise NotFoundError
    return {**found, "items": _bids(rows, _names([], [row.bidder_id for row in rows]))}


def bid(auction_id: int, seq: int) -> Row[Any]:
    """One bid of the log.

    Raises:
        NotFoundError: there is none of that number.
    """
    row = lists.find_bid(auction_id, seq)
    if row is None:
        raise NotFoundError
    return _bids([row], _names([], [row.bidder_id]))[0]


_SUMMED_UP = ("status", "owner", "high_bidder", "winner", "minimum_bid_minor", "reserve_met")


def _summaries(rows: Sequence[Row[Any]], names: Mapping[int, str]) -> list[Row[Any]]:
    """The rows with what lists and the detail both show beside their columns."""

    finished, name_of = domain.Status.FINISHED, names.get

    def facts(row: Row[Any]) -> tuple[Any, ...]:
        leader, price, reserve = row.leader_id, row.current_price_minor, row.reserve_price_minor
        is_closed = row.closed_at is not None
        status = domain.status_at(row.starts_at, row.ends_at, row.server_time, is_closed=is_closed)
        minimum = price if leader is None else price + row.bid_increment_minor
        return (
            status,
            name_of(row.owner_id),
            name_of(leader),
            name_of(row.winner_id),
            None if status is finished else minimum,
            reserve is None or (leader is not None and price >= reserve),
        )

    return widened(rows, _SUMMED_UP, facts)


def is_overdue(row: Row[Any]) -> bool:
    """Whether the end has come and nobody has noticed."""
    return row.closed_at is None and row.server_time >= row.ends_at


def seconds_until_change(facts: Mapping[str, Any]) -> float | None:
    """Seconds until the status of an auction changes by itself; None when it never will."""
    if facts["status"] is domain.Status.FINISHED:
        return None
    change = facts["ends_at" if facts["status"] is domain.Status.ACTIVE else "starts_at"]
    seconds: float = (change - facts["server_time"]).total_seconds()
    return seconds


def seconds_list_is_true(page: Mapping[str, Any]) -> float:
    """Seconds until an auction, on this page of `lists.ALL_UNTIL` or not, starts or ends."""
    if not page["items"]:
        return 0.0
    change = page["items"][0].next_change_at
    if change is None:
        return float("inf")
    seconds: float = (change - page["server_time"]).total_seconds()
    return seconds


def _close(auction_ids: Sequence[int]) -> None:
    # A read has no transaction of its own, so the closing gets one.
    with db.unit_of_work("statement"):
        for auction_id in auction_ids:
            closing.close(auction_id)


def _names(rows: Sequence[Row[Any]], more: Sequence[int] = ()) -> Mapping[int, str]:
    wanted = {row.owner_id for row in rows} | {row.leader_id for row in rows} | set(more)
    wanted |= {row.winner_id for row in rows}
    wanted.discard(None)
    names: Mapping[int, str] = contracts.require("users").names(wanted) if wanted else {}
    return names


def _bids(rows: Sequence[Row[Any]], names: Mapping[int, str]) -> list[Row[Any]]:
    return widened(rows, ("username",), lambda row: (names.get(row.bidder_id),))


def _soft_close(row: Row[Any]) -> dict[str, Any] | None:
    if row.soft_window_seconds is None:
        return None
    return {
        "window_seconds": row.soft_window_seconds,
        "extension_seconds": row.soft_extension_seconds,
        "max_extensions": row.soft_max_extensions,
        "hard_ends_at": row.soft_hard_ends_at,
    }
