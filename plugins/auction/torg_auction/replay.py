"""Proof by replay: the log of an auction, judged again from its first bid, gives its stored state.

Owns the comparison, as a pure function over what was stored. Reading it is `queries`' job, the
command `torg auction prove` and a test run it. It sees secret maxima; its findings never name one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from torg_auction.domain import (
    Bid,
    Outcome,
    Reason,
    State,
    Submission,
    Terms,
    decide,
    opening_state,
    outcome_of,
)


@dataclass(frozen=True, slots=True)
class Maximum:
    """A stored secret maximum: given when the log had `after_seq` bids; `bid_seq` is its own bid.

    `bid_seq` is None when a leader raised his maximum and no bid was needed.
    """

    bidder_id: int
    amount: int
    after_seq: int
    bid_seq: int | None
    placed_at: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """Everything that is stored of one auction; bids and maxima in the order they came."""

    terms: Terms
    state: State
    bids: Sequence[Bid]
    maxima: Sequence[Maximum]
    outcome: Outcome | None


def findings(stored: Stored) -> Iterator[str]:
    """Say where the stored auction differs from its replay; nothing when it is proven."""
    state = opening_state(stored.terms)
    replayed: list[Bid] = []
    for submission in _submissions(stored):
        decision = decide(stored.terms, state, submission)
        if decision.refusal is not None:
            yield f"bid {state.bid_count + 1} breaks the rule {decision.refusal}"
            return
        state = decision.state
        replayed += decision.bids
    for stored_bid, right_bid in zip(stored.bids, replayed, strict=False):
        if stored_bid != right_bid:
            yield f"bid {right_bid.seq} is not what the rule makes of it"
    if len(stored.bids) != len(replayed):
        yield f"{len(stored.bids)} bids are stored, the rule makes {len(replayed)}"
    for name in ("price", "leader_id", "bid_count", "ends_at", "extension_count", "leader_limit"):
        if getattr(stored.state, name) != getattr(state, name):
            yield f"{name} of the state does not follow from the bids"
    if stored.outcome is not None and stored.outcome != outcome_of(stored.terms, state):
        yield "the outcome does not follow from the bids"


def _submissions(stored: Stored) -> Iterator[Submission]:
    """What the bidders once asked for, in order, read back from what it left behind."""
    silent = [each for each in stored.maxima if each.bid_seq is None]
    by_bid = {each.bid_seq: each for each in stored.maxima if each.bid_seq is not None}
    bought_now = stored.outcome is not None and stored.outcome.reason is Reason.BOUGHT_NOW
    for bid in stored.bids:
        while silent and silent[0].after_seq < bid.seq:
            yield _of_maximum(silent.pop(0))
        maximum = by_bid.get(bid.seq)
        if bid.is_automatic:
            continue
        if maximum is not None:
            yield _of_maximum(maximum)
        elif bought_now:
            yield Submission(bid.bidder_id, bid.placed_at, buy_now=True)
        else:
            yield Submission(bid.bidder_id, bid.placed_at, amount=bid.amount)
    yield from map(_of_maximum, silent)


def _of_maximum(maximum: Maximum) -> Submission:
    return Submission(maximum.bidder_id, maximum.placed_at, maximum=maximum.amount)
