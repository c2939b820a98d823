"""Auctions as the API shows them, each closed by being looked at once its end has come.

Owns what follows from columns: status, least next bid, standing, names. A secret maximum never gets
here, because no query reads it; of the reserve only whether it is met leaves, but for the owner.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select

from torg import contracts, db
from torg.errors import NotFoundError
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
    log = lists.BidListing.page(lists.bids_of(auction_id), {"limit": INLINE_BIDS})
    names = _names([row], [each.bidder_id for each in log["items"]])
    return {
        **summary(row, names),
        "description": row.description,
        "pictures": row.pictures,
        "soft_close": _soft_close(row),
        "extension_count": row.extension_count,
        "bids": [_bid(each, names) for each in log["items"]],
        "bids_next_cursor": log["next_cursor"],
    }


def page(
    statement: "Select[Any]",
    arguments: Mapping[str, Any],
    shown: "Callable[[Row[Any], Mapping[int, str]], dict[str, Any]] | None" = None,
) -> dict[str, Any]:
    """A page of auctions: one statement for the rows, one for all the names.

    Args:
        statement: out of `queries.lists`.
        arguments: what `AuctionListing.arguments()` has loaded.
        shown: makes an item of a row; `summary` by default.
    """
    found = lists.AuctionListing.page(statement, arguments)
    overdue = [row.id for row in found["items"] if is_overdue(row)]
    if overdue:
        _close(overdue)
        found = lists.AuctionListing.page(statement, arguments)
    rows = found["items"]
    names = _names(rows)
    make = shown or summary
    return {
        **found,
        "items": [make(row, names) for row in rows],
        "server_time": rows[0].server_time if rows else db.database_now(),
    }


def log(auction_id: int, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A page of the log of an auction.

    Raises:
        NotFoundError: there is no such auction.
    """
    found = lists.BidListing.page(lists.bids_of(auction_id), arguments)
    rows = found["items"]
    if not rows and not auctions.exists(auction_id):
        raise NotFoundError
    names = _names([], [row.bidder_id for row in rows])
    return {**found, "items": [_bid(row, names) for row in rows]}


def bid(auction_id: int, seq: int) -> dict[str, Any]:
    """One bid of the log.

    Raises:
        NotFoundError: there is none of that number.
    """
    row = lists.find_bid(auction_id, seq)
    if row is None:
        raise NotFoundError
    return _bid(row, _names([], [row.bidder_id]))


def with_standing(identity_id: int) -> Callable[[Row[Any], Mapping[int, str]], dict[str, Any]]:
    """Makes items for somebody who bid: his highest bid, and whether he leads, won or lost."""

    def shown(row: Row[Any], names: Mapping[int, str]) -> dict[str, Any]:
        facts = summary(row, names)
        if facts["status"] is domain.Status.FINISHED:
            standing = "won" if row.winner_id == identity_id else "lost"
        else:
            standing = "leading" if row.leader_id == identity_id else "outbid"
        return {**facts, "standing": standing}

    return shown


def summary(row: Row[Any], names: Mapping[int, str]) -> dict[str, Any]:
    """What lists and the detail both show of an auction."""
    status = domain.status_at(
        row.starts_at, row.ends_at, row.server_time, is_closed=row.closed_at is not None
    )
    increment = 0 if row.leader_id is None else row.bid_increment_minor
    is_open = status is not domain.Status.FINISHED
    reserve = row.reserve_price_minor
    return {
        **row._mapping,  # noqa: SLF001 - SQLAlchemy's public name for it
        "is_active": True,
        "status": status,
        "owner": names.get(row.owner_id),
        "high_bidder": names.get(row.leader_id),
        "winner": names.get(row.winner_id),
        "minimum_bid_minor": row.current_price_minor + increment if is_open else None,
        "reserve_met": reserve is None
        or (row.leader_id is not None and row.current_price_minor >= reserve),
        "buy_now_available": is_open
        and row.leader_id is None
        and row.buy_now_price_minor is not None,
    }


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
    """Seconds until an auction, on this page of `lists.everything` or not, starts or ends."""
    if not page["items"]:
        return 0.0
    change = page["items"][0]["next_change_at"]
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


def _bid(row: Row[Any], names: Mapping[int, str]) -> dict[str, Any]:
    return {**row._mapping, "username": names.get(row.bidder_id)}  # noqa: SLF001 - as above


def _soft_close(row: Row[Any]) -> dict[str, Any] | None:
    if row.soft_window_seconds is None:
        return None
    return {
        "window_seconds": row.soft_window_seconds,
        "extension_seconds": row.soft_extension_seconds,
        "max_extensions": row.soft_max_extensions,
        "hard_ends_at": row.soft_hard_ends_at,
    }
