"""The bidding rule against a naive model that knows no formula: it counts prices up one by one."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from torg_auction.domain import (
    Bid,
    Decision,
    Reason,
    Refusal,
    SoftClose,
    State,
    Submission,
    Terms,
    decide,
    opening_state,
    outcome_of,
)
from torg_auction.replay import Maximum, Stored, findings

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
OWNER = 1
PEOPLE = st.sampled_from([2, 3, 4, 5])
# Small numbers, so that ties and single units of difference come up all the time.
AMOUNTS = st.integers(0, 60)


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    starting = draw(st.integers(0, 20))
    reserve = draw(st.none() | st.integers(starting, 50))
    return Terms(
        owner_id=OWNER,
        starting_price=starting,
        bid_increment=draw(st.integers(1, 12)),
        starts_at=NOON,
        scheduled_ends_at=NOON + timedelta(seconds=100),
        reserve_price=reserve,
        buy_now_price=draw(st.none() | st.integers(max(starting, reserve or 0, 1), 80)),
        soft_close=draw(st.none() | soft_closes()),
    )


@st.composite
def soft_closes(draw: st.DrawFn) -> SoftClose:
    hard = draw(st.none() | st.integers(100, 160))
    return SoftClose(
        window_seconds=draw(st.integers(1, 40)),
        extension_seconds=draw(st.integers(1, 30)),
        max_extensions=draw(st.integers(1, 3)),
        hard_ends_at=None if hard is None else NOON + timedelta(seconds=hard),
    )


@st.composite
def submissions(draw: st.DrawFn) -> list[Submission]:
    """Bids in the order of time, most of them in time."""
    at = NOON - timedelta(seconds=draw(st.sampled_from([0, 0, 0, 0, 1])))
    made = []
    for _ in range(draw(st.integers(1, 14))):
        at += timedelta(seconds=draw(st.sampled_from([0, 0, 1, 5, 20, 60])))
        kind = draw(st.sampled_from(["amount", "amount", "maximum", "maximum", "maximum", "buy"]))
        bidder = draw(PEOPLE | st.just(OWNER))
        if kind == "buy":
            made.append(Submission(bidder, at, buy_now=True))
        else:
            expected = draw(st.none() | st.none() | AMOUNTS)
            made.append(Submission(bidder, at, **{kind: draw(AMOUNTS)}, expected_price=expected))
    return made


@dataclass
class NaiveAuction:
    """Keeps every limit ever accepted and finds prices by trying each one in turn."""

    terms: Terms
    limits: list[tuple[int, int]] = field(default_factory=list)  # (bidder, limit), in order
    price: int | None = None

    def winner(self) -> int | None:
        best = None
        for entry in self.limits:
            if best is None or entry[1] > best[1]:
                best = entry
        return best and best[0]

    def limit_of(self, bidder: int | None) -> int | None:
        own = [limit for who, limit in self.limits if who == bidder]
        return max(own, default=None)

    def accept(self, submission: Submission) -> None:
        before = self.winner()
        offer = submission.maximum if submission.amount is None else submission.amount
        assert offer is not None
        rival = None if before in (None, submission.bidder_id) else self.limit_of(before)
        self.limits.append((submission.bidder_id, offer))
        now = self.winner()
        if now != submission.bidder_id:
            assert rival is not None
            self.price = self._least(rival, lambda price: price >= offer + self._step())
        elif submission.amount is not None:
            self.price = submission.amount
        elif before != submission.bidder_id:
            least = self.terms.starting_price if rival is None else rival + self._step()
            self.price = self._lifted(offer, self._least(offer, lambda price: price >= least))
        else:
            self.price = self._lifted(offer, self.price or 0)

    def _step(self) -> int:
        return self.terms.bid_increment

    def _least(self, limit: int, enough: object) -> int:
        """The first price that is enough, or the limit when none below it is."""
        for price in range(limit + 1):
            if enough(price):  # type: ignore[operator]
                return price
        return limit

    def _lifted(self, maximum: int, price: int) -> int:
        reserve = self.terms.reserve_price
        while reserve is not None and maximum >= reserve and price < reserve:
            price += 1
        return price


def run(terms: Terms, asked: list[Submission]) -> tuple[State, list[Bid], list[Decision]]:
    state, bids, decisions = opening_state(terms), [], []
    for submission in asked:
        decision = decide(terms, state, submission)
        decisions.append(decision)
        state = decision.state
        bids += decision.bids
    return state, bids, decisions


@settings(max_examples=200, deadline=None)
@given(terms(), submissions())
def test_price_and_leader_are_those_of_the_naive_model(terms: Terms, asked: list[Submission]):
    naive = NaiveAuction(terms)
    state = opening_state(terms)
    for submission in asked:
        decision = decide(terms, state, submission)
        state = decision.state
        if decision.refusal is None and not submission.buy_now:
            naive.accept(submission)
            assert (state.price, state.leader_id) == (naive.price, naive.winner())
            assert state.leader_limit == naive.limit_of(naive.winner())


@settings(max_examples=80, deadline=None)
@given(terms(), submissions())
def test_numbers_have_no_gaps_and_leading_prices_strictly_rise(
    terms: Terms, asked: list[Submission]
):
    state, bids, _ = run(terms, asked)
    assert [bid.seq for bid in bids] == list(range(1, state.bid_count + 1))
    leading = [bid.amount for bid in bids if bid.is_leading]
    assert all(low < high for low, high in pairwise(leading))
    assert all(bid.amount >= terms.starting_price for bid in bids)


@settings(max_examples=80, deadline=None)
@given(terms(), submissions())
def test_bids_are_accepted_in_time_only_and_never_from_the_owner(
    terms: Terms, asked: list[Submission]
):
    state = opening_state(terms)
    for submission in asked:
        decision = decide(terms, state, submission)
        if decision.refusal is None:
            assert terms.starts_at <= submission.at < state.ends_at
            assert submission.bidder_id != terms.owner_id
        state = decision.state


@settings(max_examples=80, deadline=None)
@given(terms(), submissions())
def test_the_end_never_goes_back_and_keeps_its_bounds(terms: Terms, asked: list[Submission]):
    ends = terms.scheduled_ends_at
    state, _, decisions = run(terms, asked)
    for decision in decisions:
        assert decision.state.ends_at >= ends
        ends = decision.state.ends_at
    if terms.soft_close is None:
        assert ends == terms.scheduled_ends_at
    else:
        assert state.extension_count <= terms.soft_close.max_extensions
        assert ends <= (terms.soft_close.hard_ends_at or ends)


@settings(max_examples=80, deadline=None)
@given(terms(), submissions())
def test_a_limit_that_reaches_the_reserve_means_a_price_that_does(
    terms: Terms, asked: list[Submission]
):
    state, _, _ = run(terms, asked)
    if terms.reserve_price is not None and (state.leader_limit or -1) >= terms.reserve_price:
        assert state.price >= terms.reserve_price
    assert state.leader_limit is None or state.leader_limit >= state.price


@settings(max_examples=80, deadline=None)
@given(terms(), submissions())
def test_a_refusal_always_carries_the_amount_that_would_do(terms: Terms, asked: list[Submission]):
    state = opening_state(terms)
    for submission in asked:
        decision = decide(terms, state, submission)
        if decision.refusal is Refusal.BID_TOO_LOW:
            better = replace(
                submission, amount=decision.minimum_bid, maximum=None, expected_price=None
            )
            assert decide(terms, state, better).refusal is None
        state = decision.state


def stored(terms: Terms, asked: list[Submission]) -> Stored:
    """What the database would hold after these submissions."""
    state, bids, maxima = opening_state(terms), [], []
    for submission in asked:
        decision = decide(terms, state, submission)
        if decision.refusal is None and submission.maximum is not None:
            maxima.append(
                Maximum(
                    submission.bidder_id,
                    submission.maximum,
                    state.bid_count,
                    decision.bids[0].seq if decision.bids else None,
                    submission.at,
                )
            )
        state, bids = decision.state, [*bids, *decision.bids]
    return Stored(terms, state, bids, maxima, outcome_of(terms, state))


@settings(max_examples=80, deadline=None)
@given(terms(), submissions())
def test_replaying_the_log_gives_the_stored_state(terms: Terms, asked: list[Submission]):
    assert list(findings(stored(terms, asked))) == []


@settings(max_examples=80, deadline=None)
@given(terms(), submissions())
def test_replay_finds_a_forged_last_bid(terms: Terms, asked: list[Submission]):
    kept = stored(terms, asked)
    if not kept.bids:
        return
    forged = [*kept.bids[:-1], replace(kept.bids[-1], amount=kept.bids[-1].amount + 1)]
    assert list(findings(replace(kept, bids=forged)))


@settings(max_examples=200, deadline=None)
@given(terms(), submissions())
def test_replay_finds_a_forged_state_and_outcome(terms: Terms, asked: list[Submission]):
    kept = stored(terms, asked)
    for change in (
        {"price": kept.state.price + 1},
        {"leader_id": 99},
        {"bid_count": kept.state.bid_count + 1},
        {"ends_at": kept.state.ends_at + timedelta(seconds=1)},
    ):
        assert list(findings(replace(kept, state=replace(kept.state, **change))))
    assert kept.outcome is not None
    wrong = replace(kept.outcome, winner_id=99, reason=Reason.SOLD)
    assert list(findings(replace(kept, outcome=wrong)))
