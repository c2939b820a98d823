"""The rules of an auction as pure values: pricing, soft close, the outcome.

Owns: what a bid does to an auction, stated once. All amounts are integers of minor units of the
auction's one currency, all times are aware UTC. Leaves to others: the clock, the lock and the
storage (the database function `auction_place_bid` carries the same rule out under the row lock,
and a property test holds the two equal), people's names, mails.

The pricing rule. Each bidder stands for a *limit*: a plain bid stands for its amount, a maximum
stands for the secret most its bidder would pay. The greatest limit leads, of equal limits the
earlier one. A plain bid sets the price to its amount. A maximum sets it to the least needed: the
starting price when it is the first, one increment over the rival's limit otherwise, never over
itself, and never below the reserve once it reaches the reserve.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

# A start "now" by the clock of a client that runs a little behind is no start in the past.
START_TOLERANCE = timedelta(minutes=5)


class Status(StrEnum):
    """Where an auction stands; follows from times and the outcome, never stored."""

    UPCOMING = "upcoming"
    ACTIVE = "active"
    FINISHED = "finished"


# Python looks a member up by a call; lists ask for the status of every row.
_UPCOMING, _ACTIVE, _FINISHED = Status


class Refusal(StrEnum):
    """Why a bid is not accepted; the values are the API's error codes."""

    OWN_AUCTION = "own_auction"
    AUCTION_CLOSED = "auction_closed"
    AUCTION_NOT_STARTED = "auction_not_started"
    PRICE_MOVED = "price_moved"
    BID_TOO_LOW = "bid_too_low"
    MAXIMUM_NOT_RAISED = "maximum_not_raised"
    BUY_NOW_UNAVAILABLE = "buy_now_unavailable"


class Reason(StrEnum):
    """How an auction ended."""

    SOLD = "sold"
    RESERVE_NOT_MET = "reserve_not_met"
    NO_BIDS = "no_bids"
    BOUGHT_NOW = "bought_now"


@dataclass(frozen=True, slots=True)
class SoftClose:
    """A late bid moves the end: each bid in the last `window_seconds` adds `extension_seconds`.

    At most `max_extensions` times, and never past `hard_ends_at`.
    """

    window_seconds: int
    extension_seconds: int
    max_extensions: int
    hard_ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What is given at creation and can never change."""

    owner_id: int
    starting_price: int
    bid_increment: int
    starts_at: datetime
    scheduled_ends_at: datetime
    reserve_price: int | None = None
    buy_now_price: int | None = None
    soft_close: SoftClose | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What bids move. `leader_limit` is secret; before the first bid `price` is the starting one.

    Invariants: `leader_limit >= price` when there is a leader; a leader's limit that reaches the
    reserve implies a price that reaches it; `ends_at` never goes back.
    """

    price: int
    ends_at: datetime
    leader_id: int | None = None
    leader_limit: int | None = None
    bid_count: int = 0
    extension_count: int = 0
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """What a bidder asks for at one moment: an `amount`, a secret `maximum`, or to buy now."""

    bidder_id: int
    at: datetime
    amount: int | None = None
    maximum: int | None = None
    buy_now: bool = False
    expected_price: int | None = None


@dataclass(frozen=True, slots=True)
class Bid:
    """A row of the public log; `is_automatic` marks the answer of a leader's standing maximum."""

    seq: int
    bidder_id: int
    amount: int
    is_leading: bool
    is_automatic: bool
    placed_at: datetime
    ends_at_after: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """A refusal with the least acceptable amount, or the new state and what enters the log."""

    state: State
    minimum_bid: int
    refusal: Refusal | None = None
    bids: tuple[Bid, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an auction; a winner and a hammer price only when it sold."""

    reason: Reason
    winner_id: int | None
    hammer_price: int | None


@dataclass(frozen=True, slots=True)
class _Move:
    """A bid before it has a number and a time."""

    bidder_id: int
    amount: int
    is_leading: bool = True
    is_automatic: bool = False


def opening_state(terms: Terms) -> State:
    """The state of an auction without bids."""
    return State(price=terms.starting_price, ends_at=terms.scheduled_ends_at)


def minimum_bid(terms: Terms, state: State) -> int:
    """The least amount or maximum that is accepted now."""
    if state.leader_id is None:
        return terms.starting_price
    return state.price + terms.bid_increment


def status_at(
    starts_at: datetime, ends_at: datetime, at: datetime, *, is_closed: bool = False
) -> Status:
    """The status at a moment; right with no worker running, because it is never stored."""
    if is_closed or at >= ends_at:
        return _FINISHED
    return _ACTIVE if at >= starts_at else _UPCOMING


def reserve_is_met(terms: Terms, state: State) -> bool:
    """Whether the price reaches the hidden reserve; an auction without one has always met it."""
    if terms.reserve_price is None:
        return True
    return state.leader_id is not None and state.price >= terms.reserve_price


def decide(terms: Terms, state: State, submission: Submission) -> Decision:
    """Judge one submission against the state; the one statement of the bidding rule."""
    minimum = minimum_bid(terms, state)
    refusal = _refusal(terms, state, submission, minimum)
    if refusal is not None:
        return Decision(state, minimum, refusal)
    moves, leader_id, leader_limit = _moves(terms, state, submission)
    ends_at = state.ends_at
    if moves and not submission.buy_now:
        ends_at = _end_after(terms, state, submission.at)
    bids = tuple(
        Bid(
            state.bid_count + number,
            move.bidder_id,
            move.amount,
            move.is_leading,
            move.is_automatic,
            submission.at,
            ends_at,
        )
        for number, move in enumerate(moves, start=1)
    )
    moved = replace(
        state,
        price=moves[-1].amount if moves else state.price,
        ends_at=ends_at,
        leader_id=leader_id,
        leader_limit=leader_limit,
        bid_count=state.bid_count + len(bids),
        extension_count=state.extension_count + (ends_at > state.ends_at),
        reason=Reason.BOUGHT_NOW if submission.buy_now else None,
    )
    return Decision(moved, minimum_bid(terms, moved), None, bids)


def outcome_of(terms: Terms, state: State) -> Outcome:
    """The outcome that the state has at its end; the same whenever it is asked."""
    if state.leader_id is None:
        return Outcome(Reason.NO_BIDS, None, None)
    if state.reason is not Reason.BOUGHT_NOW and not reserve_is_met(terms, state):
        return Outcome(Reason.RESERVE_NOT_MET, None, None)
    return Outcome(state.reason or Reason.SOLD, state.leader_id, state.price)


def term_problems(
    terms: Terms, now: datetime, longest: timedelta
) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the terms of a new auction, as (field, code, English message)."""
    if terms.starting_price < 0:
        yield "starting_price", "negative", "The starting price must not be below zero."
    if terms.bid_increment <= 0:
        yield "bid_increment", "not_positive", "The bid increment must be above zero."
    if terms.scheduled_ends_at <= now:
        yield "ends_at", "in_the_past", "The end must lie in the future."
    if terms.scheduled_ends_at <= terms.starts_at:
        yield "ends_at", "before_start", "The end must come after the start."
    elif terms.scheduled_ends_at - terms.starts_at > longest:
        yield "ends_at", "too_long", "The auction would last longer than this site allows."
    if terms.starts_at < now - START_TOLERANCE:
        yield "starts_at", "in_the_past", "The start must not lie in the past."
    if terms.starts_at - now > longest:
        yield "starts_at", "too_far", "The start lies further ahead than this site allows."
    if terms.reserve_price is not None and terms.reserve_price < terms.starting_price:
        yield "reserve_price", "below_start", "The reserve must not be below the starting price."
    yield from _buy_now_problems(terms)
    yield from _soft_close_problems(terms)


def _buy_now_problems(terms: Terms) -> Iterator[tuple[str, str, str]]:
    price = terms.buy_now_price
    if price is None:
        return
    if price < terms.starting_price or price <= 0:
        yield (
            "buy_now_price",
            "below_start",
            "The buy-now price must be above zero and not below the starting price.",
        )
    elif terms.reserve_price is not None and price < terms.reserve_price:
        yield "buy_now_price", "below_reserve", "The buy-now price must not be below the reserve."


def _soft_close_problems(terms: Terms) -> Iterator[tuple[str, str, str]]:
    soft = terms.soft_close
    if soft is None:
        return
    for name in ("window_seconds", "extension_seconds", "max_extensions"):
        if getattr(soft, name) <= 0:
            yield f"soft_close/{name}", "not_positive", "This number must be above zero."
    if soft.hard_ends_at is not None and soft.hard_ends_at < terms.scheduled_ends_at:
        yield (
            "soft_close/hard_ends_at",
            "before_end",
            "The hard end must not come before the scheduled end.",
        )


def _refusal(terms: Terms, state: State, submission: Submission, minimum: int) -> Refusal | None:
    is_closed = state.reason is not None
    status = status_at(terms.starts_at, state.ends_at, submission.at, is_closed=is_closed)
    if submission.bidder_id == terms.owner_id:
        return Refusal.OWN_AUCTION
    if status is Status.FINISHED:
        return Refusal.AUCTION_CLOSED
    if status is Status.UPCOMING:
        return Refusal.AUCTION_NOT_STARTED
    if submission.buy_now:
        # The offer is gone with the first bid: who bids has come for an auction.
        gone = terms.buy_now_price is None or state.leader_id is not None
        return Refusal.BUY_NOW_UNAVAILABLE if gone else None
    if submission.expected_price is not None and submission.expected_price != state.price:
        return Refusal.PRICE_MOVED
    offered = submission.maximum if submission.amount is None else submission.amount
    if offered is None or offered < minimum:
        return Refusal.BID_TOO_LOW
    if (
        submission.maximum is not None
        and submission.bidder_id == state.leader_id
        and submission.maximum <= (state.leader_limit or 0)
    ):
        return Refusal.MAXIMUM_NOT_RAISED
    return None


def _moves(
    terms: Terms, state: State, submission: Submission
) -> tuple[tuple[_Move, ...], int, int]:
    """The bids an accepted submission makes, the leader after it and the leader's limit."""
    bidder = submission.bidder_id
    if submission.buy_now:
        price = terms.buy_now_price or 0
        return (_Move(bidder, price),), bidder, price
    if submission.amount is not None:
        limit, price = submission.amount, submission.amount
    else:
        limit = submission.maximum or 0
        price = _least_needed(terms, state, bidder, limit)
    if state.leader_id is None or state.leader_limit is None:
        return (_Move(bidder, price),), bidder, limit
    if bidder == state.leader_id:
        # His own maximum raises no price, unless it reaches the reserve for the first time.
        moves = (_Move(bidder, price),) if price > state.price else ()
        return moves, bidder, max(limit, state.leader_limit)
    if limit > state.leader_limit:
        return (_Move(bidder, price),), bidder, limit
    defence = min(state.leader_limit, limit + terms.bid_increment)
    return (
        (
            _Move(bidder, limit, is_leading=False),
            _Move(state.leader_id, defence, is_automatic=True),
        ),
        state.leader_id,
        state.leader_limit,
    )


def _least_needed(terms: Terms, state: State, bidder_id: int, maximum: int) -> int:
    """The price at which a maximum leads."""
    if state.leader_id is None or state.leader_limit is None:
        price = terms.starting_price
    elif bidder_id == state.leader_id:
        price = state.price
    else:
        price = min(maximum, state.leader_limit + terms.bid_increment)
    if terms.reserve_price is not None and maximum >= terms.reserve_price:
        price = max(price, terms.reserve_price)
    return price


def _end_after(terms: Terms, state: State, at: datetime) -> datetime:
    """The end after a bid at a moment: moved by the soft close or as it was."""
    soft = terms.soft_close
    if soft is None or state.extension_count >= soft.max_extensions:
        return state.ends_at
    if at < state.ends_at - timedelta(seconds=soft.window_seconds):
        return state.ends_at
    moved = state.ends_at + timedelta(seconds=soft.extension_seconds)
    if soft.hard_ends_at is not None:
        moved = min(moved, soft.hard_ends_at)
    return max(moved, state.ends_at)
