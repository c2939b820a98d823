"""The bidding rule by example: one sentence of the rule, one test."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from torg_auction.domain import (
    Decision,
    Reason,
    Refusal,
    SoftClose,
    State,
    Status,
    Submission,
    Terms,
    decide,
    opening_state,
    outcome_of,
    reserve_is_met,
    status_at,
    term_problems,
)

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
OWNER, ANN, BEN, CAT = 1, 2, 3, 4
TERMS = Terms(
    owner_id=OWNER,
    starting_price=1000,
    bid_increment=100,
    starts_at=NOON - timedelta(minutes=5),
    scheduled_ends_at=NOON + timedelta(hours=1),
)
LONGEST = timedelta(days=60)


class Lot:
    """An auction that is bid on step by step."""

    def __init__(self, terms: Terms = TERMS, at: datetime = NOON) -> None:
        self.terms = terms
        self.at = at
        self.state = opening_state(terms)

    def bid(self, bidder: int, amount: int, **more: object) -> Decision:
        return self._submit(Submission(bidder, self.at, amount=amount, **more))

    def maximum(self, bidder: int, maximum: int) -> Decision:
        return self._submit(Submission(bidder, self.at, maximum=maximum))

    def buy(self, bidder: int) -> Decision:
        return self._submit(Submission(bidder, self.at, buy_now=True))

    def _submit(self, submission: Submission) -> Decision:
        decision = decide(self.terms, self.state, submission)
        self.state = decision.state
        return decision


class TestPlainBids:
    def test_first_bid_may_be_the_starting_price(self):
        assert Lot().bid(ANN, 1000).state.price == 1000

    def test_first_bid_below_the_starting_price_is_refused_with_the_minimum(self):
        refused = Lot().bid(ANN, 999)
        assert (refused.refusal, refused.minimum_bid) == (Refusal.BID_TOO_LOW, 1000)

    def test_next_bid_needs_the_increment(self):
        lot = Lot()
        lot.bid(ANN, 1500)
        refused = lot.bid(BEN, 1599)
        assert (refused.refusal, refused.minimum_bid) == (Refusal.BID_TOO_LOW, 1600)
        assert lot.bid(BEN, 1600).refusal is None

    def test_a_plain_bid_sets_the_price_to_its_amount(self):
        lot = Lot()
        lot.bid(ANN, 1000)
        assert lot.bid(BEN, 9000).state.price == 9000

    def test_a_leader_may_raise_himself(self):
        lot = Lot()
        lot.bid(ANN, 1000)
        assert lot.bid(ANN, 2000).state == replace(
            lot.state, price=2000, leader_id=ANN, leader_limit=2000, bid_count=2
        )

    def test_a_refusal_changes_nothing(self):
        lot = Lot()
        lot.bid(ANN, 1000)
        before = lot.state
        assert lot.bid(BEN, 1001).state == before
        assert lot.bid(BEN, 1001).bids == ()


class TestWhoAndWhen:
    def test_the_owner_never_bids(self):
        assert Lot().bid(OWNER, 5000).refusal is Refusal.OWN_AUCTION
        assert Lot().maximum(OWNER, 5000).refusal is Refusal.OWN_AUCTION

    def test_the_first_moment_is_in_time(self):
        assert Lot(at=TERMS.starts_at).bid(ANN, 1000).refusal is None

    def test_before_the_start_is_too_early(self):
        early = TERMS.starts_at - timedelta(microseconds=1)
        assert Lot(at=early).bid(ANN, 1000).refusal is Refusal.AUCTION_NOT_STARTED

    def test_the_last_moment_is_in_time(self):
        late = TERMS.scheduled_ends_at - timedelta(microseconds=1)
        assert Lot(at=late).bid(ANN, 1000).refusal is None

    def test_the_end_itself_is_too_late(self):
        assert Lot(at=TERMS.scheduled_ends_at).bid(ANN, 1000).refusal is Refusal.AUCTION_CLOSED

    def test_a_moved_price_refuses_who_expected_another(self):
        lot = Lot()
        lot.bid(ANN, 1000)
        assert lot.bid(BEN, 2000, expected_price=999).refusal is Refusal.PRICE_MOVED
        assert lot.bid(BEN, 2000, expected_price=1000).refusal is None

    def test_before_the_first_bid_the_expected_price_is_the_starting_price(self):
        assert Lot().bid(ANN, 2000, expected_price=1000).refusal is None


class TestMaxima:
    def test_a_first_maximum_leads_at_the_starting_price(self):
        assert Lot().maximum(ANN, 9000).state.price == 1000

    def test_a_maximum_over_a_plain_bid_rises_by_the_increment(self):
        lot = Lot()
        lot.bid(ANN, 2000)
        assert lot.maximum(BEN, 9000).state.price == 2100

    def test_over_a_rivals_maximum_the_price_is_one_increment_above_it(self):
        lot = Lot()
        lot.maximum(ANN, 5000)
        assert lot.maximum(BEN, 9000).state.price == 5100

    def test_the_price_never_passes_the_own_maximum(self):
        lot = Lot()
        lot.maximum(ANN, 5000)
        assert lot.maximum(BEN, 5050).state.price == 5050

    def test_a_lower_maximum_is_logged_and_answered_by_the_leader(self):
        lot = Lot()
        lot.maximum(ANN, 5000)
        challenge, answer = lot.maximum(BEN, 3000).bids
        assert (challenge.bidder_id, challenge.amount, challenge.is_leading) == (BEN, 3000, False)
        assert (answer.bidder_id, answer.amount, answer.is_automatic) == (ANN, 3100, True)
        assert lot.state.leader_id == ANN

    def test_the_answer_stops_at_the_leaders_maximum(self):
        lot = Lot()
        lot.maximum(ANN, 5000)
        assert lot.maximum(BEN, 4950).state.price == 5000

    def test_of_equal_maxima_the_earlier_wins_at_that_amount(self):
        lot = Lot()
        lot.maximum(ANN, 5000)
        assert lot.maximum(BEN, 5000).state.leader_id == ANN
        assert lot.state.price == 5000

    def test_a_plain_bid_over_the_secret_maximum_leads_at_its_amount(self):
        lot = Lot()
        lot.maximum(ANN, 5000)
        assert lot.bid(BEN, 8000).state.price == 8000

    def test_raising_ones_own_maximum_raises_no_price_and_logs_nothing(self):
        lot = Lot()
        lot.maximum(ANN, 5000)
        raised = lot.maximum(ANN, 9000)
        assert (raised.bids, raised.state.price, raised.state.leader_limit) == ((), 1000, 9000)

    def test_a_maximum_is_never_lowered(self):
        lot = Lot()
        lot.maximum(ANN, 5000)
        assert lot.maximum(ANN, 5000).refusal is Refusal.MAXIMUM_NOT_RAISED
        assert lot.maximum(ANN, 4000).refusal is Refusal.MAXIMUM_NOT_RAISED

    def test_a_leaders_plain_raise_keeps_his_maximum(self):
        lot = Lot()
        lot.maximum(ANN, 5000)
        lot.bid(ANN, 2000)
        assert (lot.state.price, lot.state.leader_limit) == (2000, 5000)


class TestReserve:
    terms = replace(TERMS, reserve_price=4000)

    def test_a_maximum_that_reaches_the_reserve_lifts_the_price_to_it(self):
        assert Lot(self.terms).maximum(ANN, 4500).state.price == 4000

    def test_a_maximum_below_the_reserve_does_not(self):
        assert Lot(self.terms).maximum(ANN, 3999).state.price == 1000

    def test_raising_ones_own_maximum_to_the_reserve_lifts_the_price_once(self):
        lot = Lot(self.terms)
        lot.maximum(ANN, 2000)
        assert lot.maximum(ANN, 6000).state.price == 4000
        assert lot.maximum(ANN, 7000).bids == ()

    def test_is_met_is_public_and_follows_from_the_price(self):
        lot = Lot(self.terms)
        assert not reserve_is_met(self.terms, lot.state)
        lot.bid(ANN, 4000)
        assert reserve_is_met(self.terms, lot.state)

    def test_an_auction_without_a_reserve_has_met_it(self):
        assert reserve_is_met(TERMS, opening_state(TERMS))


class TestSoftClose:
    soft = SoftClose(window_seconds=60, extension_seconds=120, max_extensions=2)
    end = TERMS.scheduled_ends_at

    def lot(self, seconds_before_end: float, **changes: object) -> Lot:
        terms = replace(TERMS, soft_close=replace(self.soft, **changes))
        return Lot(terms, at=self.end - timedelta(seconds=seconds_before_end))

    def test_by_default_the_end_is_fixed(self):
        late = Lot(at=self.end - timedelta(seconds=1))
        assert late.bid(ANN, 1000).state.ends_at == self.end

    def test_a_bid_before_the_window_moves_nothing(self):
        assert self.lot(60.001).bid(ANN, 1000).state.ends_at == self.end

    def test_a_bid_in_the_window_adds_the_extension(self):
        moved = self.lot(60).bid(ANN, 1000)
        assert moved.state.ends_at == self.end + timedelta(seconds=120)
        assert moved.bids[0].ends_at_after == moved.state.ends_at

    def test_the_cap_stops_it(self):
        lot = self.lot(30, max_extensions=1)
        lot.bid(ANN, 1000)
        lot.at = lot.state.ends_at - timedelta(seconds=1)
        assert lot.bid(BEN, 2000).state.ends_at == self.end + timedelta(seconds=120)

    def test_the_hard_end_stops_it(self):
        lot = self.lot(30, hard_ends_at=self.end + timedelta(seconds=50))
        assert lot.bid(ANN, 1000).state.ends_at == self.end + timedelta(seconds=50)
        assert lot.state.extension_count == 1

    def test_a_hard_end_at_the_end_moves_nothing_and_counts_nothing(self):
        lot = self.lot(30, hard_ends_at=self.end)
        lot.bid(ANN, 1000)
        assert (lot.state.ends_at, lot.state.extension_count) == (self.end, 0)

    def test_raising_ones_own_maximum_moves_nothing(self):
        lot = self.lot(90)
        lot.maximum(ANN, 2000)
        lot.at = self.end - timedelta(seconds=1)
        assert lot.maximum(ANN, 3000).state.ends_at == self.end


class TestBuyNow:
    terms = replace(TERMS, buy_now_price=7000)

    def test_ends_the_auction_at_once(self):
        lot = Lot(self.terms)
        bought = lot.buy(ANN)
        assert [bid.amount for bid in bought.bids] == [7000]
        assert lot.bid(BEN, 9000).refusal is Refusal.AUCTION_CLOSED
        outcome = outcome_of(self.terms, bought.state)
        assert (outcome.reason, outcome.winner_id, outcome.hammer_price) == (
            Reason.BOUGHT_NOW,
            ANN,
            7000,
        )

    def test_has_exactly_one_taker(self):
        lot = Lot(self.terms)
        lot.buy(ANN)
        assert lot.buy(BEN).refusal is Refusal.AUCTION_CLOSED

    def test_moves_no_end(self):
        soft = SoftClose(window_seconds=86400, extension_seconds=60, max_extensions=1)
        lot = Lot(replace(self.terms, soft_close=soft))
        assert lot.buy(ANN).state.ends_at == TERMS.scheduled_ends_at

    def test_is_gone_after_the_first_bid(self):
        lot = Lot(self.terms)
        lot.bid(ANN, 1000)
        assert lot.buy(BEN).refusal is Refusal.BUY_NOW_UNAVAILABLE

    def test_is_not_there_unless_offered(self):
        assert Lot().buy(ANN).refusal is Refusal.BUY_NOW_UNAVAILABLE

    def test_is_not_for_the_owner(self):
        assert Lot(self.terms).buy(OWNER).refusal is Refusal.OWN_AUCTION


class TestOutcome:
    def test_without_bids_nobody_wins(self):
        assert outcome_of(TERMS, opening_state(TERMS)).reason is Reason.NO_BIDS

    def test_the_leader_wins_at_the_price(self):
        lot = Lot()
        lot.maximum(ANN, 5000)
        lot.bid(BEN, 3000)
        outcome = outcome_of(TERMS, lot.state)
        assert (outcome.reason, outcome.winner_id, outcome.hammer_price) == (
            Reason.SOLD,
            ANN,
            3100,
        )

    def test_below_the_reserve_nobody_wins(self):
        lot = Lot(replace(TERMS, reserve_price=4000))
        lot.bid(ANN, 3999)
        outcome = outcome_of(lot.terms, lot.state)
        assert (outcome.reason, outcome.winner_id) == (Reason.RESERVE_NOT_MET, None)


class TestStatus:
    def test_follows_from_the_times_alone(self):
        start, end = TERMS.starts_at, TERMS.scheduled_ends_at
        tick = timedelta(microseconds=1)
        assert status_at(start, end, start - tick) is Status.UPCOMING
        assert status_at(start, end, start) is Status.ACTIVE
        assert status_at(start, end, end - tick) is Status.ACTIVE
        assert status_at(start, end, end) is Status.FINISHED

    def test_of_a_closed_auction_is_finished(self):
        start, end = TERMS.starts_at, TERMS.scheduled_ends_at
        assert status_at(start, end, NOON, is_closed=True) is Status.FINISHED


class TestTerms:
    @pytest.mark.parametrize(
        ("changes", "field", "code"),
        [
            ({"starting_price": -1}, "starting_price", "negative"),
            ({"bid_increment": 0}, "bid_increment", "not_positive"),
            ({"bid_increment": -5}, "bid_increment", "not_positive"),
            ({"scheduled_ends_at": NOON}, "ends_at", "in_the_past"),
            ({"starts_at": NOON + timedelta(hours=2)}, "ends_at", "before_start"),
            ({"starts_at": NOON - timedelta(minutes=6)}, "starts_at", "in_the_past"),
            ({"scheduled_ends_at": NOON + timedelta(days=61)}, "ends_at", "too_long"),
            ({"reserve_price": 999}, "reserve_price", "below_start"),
            ({"buy_now_price": 999}, "buy_now_price", "below_start"),
            ({"starting_price": 0, "buy_now_price": 0}, "buy_now_price", "below_start"),
            ({"reserve_price": 5000, "buy_now_price": 4999}, "buy_now_price", "below_reserve"),
            ({"soft_close": SoftClose(0, 1, 1)}, "soft_close/window_seconds", "not_positive"),
            ({"soft_close": SoftClose(1, 0, 1)}, "soft_close/extension_seconds", "not_positive"),
            ({"soft_close": SoftClose(1, 1, 0)}, "soft_close/max_extensions", "not_positive"),
            ({"soft_close": SoftClose(1, 1, 1, NOON)}, "soft_close/hard_ends_at", "before_end"),
        ],
    )
    def test_wrong_terms_are_named(self, changes: dict[str, object], field: str, code: str):
        problems = list(term_problems(replace(TERMS, **changes), NOON, LONGEST))
        assert (field, code) in [problem[:2] for problem in problems]

    def test_a_start_too_far_ahead_is_named(self):
        far = NOON + timedelta(days=61)
        terms = replace(TERMS, starts_at=far, scheduled_ends_at=far + timedelta(days=1))
        assert [p[:2] for p in term_problems(terms, NOON, LONGEST)] == [("starts_at", "too_far")]

    def test_right_terms_have_no_problem(self):
        assert list(term_problems(TERMS, NOON, LONGEST)) == []

    def test_an_auction_may_start_at_zero(self):
        free = replace(TERMS, starting_price=0)
        assert list(term_problems(free, NOON, LONGEST)) == []
        assert Lot(free).bid(ANN, 0).refusal is None


def test_state_is_a_value():
    with pytest.raises(AttributeError):
        State(1, NOON).price = 2  # type: ignore[misc]
