"""What a live stream says: events with ids by which a broken one is taken up again.

Owns ids, their order, and the bytes of an event. Pure but for the reading of names; who is told
when is `streams`' job.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torg import contracts
from torg_auction.queries import stream as stream_queries
from torg_auction.schemas import StreamedBid, StreamedClosing, StreamedExtension

_ID = re.compile(r"(0|[1-9][0-9]{0,8})-(bid|extended|closed)")
_KINDS = ("bid", "extended", "closed")
_BID, _EXTENDED, _CLOSED = StreamedBid(), StreamedExtension(), StreamedClosing()

Position = tuple[int, int]
# Before the first bid there is nothing to tell.
START: Position = (0, 1)


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event; `position` is (number of the bid, kind), which orders all of an auction.

    Without `data` it is not sent: it only says that up to this position all was told.
    """

    auction_id: int
    position: Position
    data: bytes

    @property
    def is_last(self) -> bool:
        """Whether nothing can follow it."""
        return is_closing(self.position)

    def encoded(self) -> bytes:
        """The event as it goes over the line."""
        seq, kind = self.position
        name = _KINDS[kind]
        return f"id: {seq}-{name}\nevent: {name}\ndata: ".encode() + self.data + b"\n\n"


def position_of(event_id: str) -> Position | None:
    """Where an id stands, or None when it is none of ours."""
    found = _ID.fullmatch(event_id)
    return (int(found[1]), _KINDS.index(found[2])) if found else None


def after_bid(seq: int) -> Position:
    """The position of somebody who knows the auction up to and with this bid."""
    return (seq, _KINDS.index("extended"))


def resumed(last_event_id: str | None, after: int | None, bid_count: int) -> Position:
    """Where a stream begins: at the last event seen, after a bid, or now.

    A header that is none of our ids means nothing; a number that is not reached yet means now.
    """
    seen = position_of(last_event_id) if last_event_id else None
    if seen is None:
        return after_bid(bid_count if after is None else min(after, bid_count))
    return seen if is_closing(seen) else min(seen, after_bid(bid_count))


def is_closing(position: Position) -> bool:
    """Whether nothing can follow this position."""
    return position[1] == _KINDS.index("closed")


def events_after(positions: Mapping[int, Position], closed: Sequence[int]) -> list[StreamEvent]:
    """What happened after these positions, in the order of each auction.

    At most some hundreds for each; a caller that gets any asks again. `closed` names the auctions
    that have an outcome; their closing comes once all their bids have.
    """
    firsts = {
        auction_id: seq + 1 if kind >= _KINDS.index("extended") else max(seq, 1)
        for auction_id, (seq, kind) in positions.items()
    }
    bids = stream_queries.bids_from(firsts)
    outcomes = stream_queries.outcomes(closed) if closed else []
    ids = {row.bidder_id for row in bids} | {row.winner_id for row in outcomes} - {None}
    names = contracts.require("users").names(ids) if ids else {}
    events = [event for row in bids for event in _of_bid(row, names)]
    reached = {row.auction_id: row.seq for row in bids}
    for row in outcomes:
        known = max(positions[row.auction_id][0], reached.get(row.auction_id, 0))
        if known >= row.seq:
            events.append(_of_outcome(row, names))
    return [event for event in events if event.position > positions[event.auction_id]]


def _of_bid(row: Any, names: Mapping[int, str]) -> list[StreamEvent]:
    facts = {**row._mapping, "username": names.get(row.bidder_id)}  # noqa: SLF001 - public name
    extended = _EXTENDED.dump_bytes(facts) if row.is_extending else b""
    return [
        StreamEvent(row.auction_id, (row.seq, 0), _BID.dump_bytes(facts)),
        StreamEvent(row.auction_id, (row.seq, 1), extended),
    ]


def _of_outcome(row: Any, names: Mapping[int, str]) -> StreamEvent:
    facts = {**row._mapping, "winner": names.get(row.winner_id)}  # noqa: SLF001 - public name
    return StreamEvent(row.auction_id, (row.seq, 2), _CLOSED.dump_bytes(facts))
