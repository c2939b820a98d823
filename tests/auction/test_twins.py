"""The database function and the pure rule are twins: the same bids make the same auction (AU4)."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torg_auction.domain import (
    SoftClose,
    State,
    Submission,
    Terms,
    decide,
    opening_state,
    reserve_is_met,
)

OWNER = 1


@pytest.fixture(scope="module")
def connection(database):
    connection = database.connect()
    yield connection
    connection.close()


@st.composite
def lots(draw: st.DrawFn) -> dict[str, int | None]:
    """Columns of an auction; its end is far away, its soft-close window is around now or not."""
    starting = draw(st.integers(0, 20))
    reserve = draw(st.none() | st.integers(starting, 50))
    columns: dict[str, int | None] = {
        "starting_price_minor": starting,
        "bid_increment_minor": draw(st.integers(1, 12)),
        "reserve_price_minor": reserve,
        "buy_now_price_minor": draw(st.none() | st.integers(max(starting, reserve or 0, 1), 80)),
        "starts_in": draw(st.sampled_from([-60, -60, -60, -60, 60])),
        "ends_in": draw(st.sampled_from([600, 600, 600, 600, 0])),
    }
    if draw(st.booleans()):
        columns |= {
            "soft_window_seconds": draw(st.sampled_from([100, 599, 601, 5000])),
            "soft_extension_seconds": draw(st.integers(1, 60)),
            "soft_max_extensions": draw(st.integers(1, 3)),
        }
    return columns


ASKED = st.lists(
    st.tuples(
        st.sampled_from([OWNER, 2, 3, 3, 4, 4, 5]),
        st.sampled_from(["amount", "amount", "maximum", "maximum", "maximum", "buy"]),
        st.integers(0, 60),
        st.none() | st.none() | st.integers(0, 60),
    ),
    min_size=1,
    max_size=12,
)
HARD_ENDS = st.none() | st.integers(600, 700)


@settings(max_examples=150, deadline=None)
@given(lots(), HARD_ENDS, ASKED)
def test_the_database_function_decides_as_the_rule_does(
    database, connection, bidding, columns, hard_end, asked
):
    starts, ends = columns["starts_in"], columns["ends_in"]
    if ends <= starts:
        return
    lot = database.auction(**columns)
    terms = read_terms(database, lot)
    if hard_end is not None and terms.soft_close is not None:
        hard_ends_at = terms.scheduled_ends_at + timedelta(seconds=hard_end - 600)
        lot = database.auction(**columns, soft_hard_ends_at=hard_ends_at + timedelta(seconds=5))
        terms = read_terms(database, lot)
    state = opening_state(terms)
    with connection.cursor() as cursor:
        for bidder, kind, amount, expected in asked:
            if kind == "buy":
                cursor.execute("SELECT * FROM auction_buy_now(%s, %s, 'r')", (lot, bidder))
                answer = cursor.fetchone()
                submission = Submission(bidder, answer.server_time, buy_now=True)
            else:
                answer = bidding(cursor, lot, bidder, expected=expected, **{kind: amount})
                submission = Submission(
                    bidder, answer.server_time, **{kind: amount}, expected_price=expected
                )
            before, decision = state, decide(terms, state, submission)
            state = decision.state
            assert answer.code == (decision.refusal or "accepted")
            if decision.refusal is None:
                assert_same_answer(terms, answer, before, decision)
            elif kind != "buy":
                assert answer.minimum_bid_minor == decision.minimum_bid
    assert_same_rows(database, lot, state)


def assert_same_answer(terms, answer, before, decision):
    state = decision.state
    assert answer.current_price_minor == state.price
    assert answer.minimum_bid_minor == decision.minimum_bid
    assert answer.leader_id == state.leader_id
    assert answer.bid_count == state.bid_count
    assert answer.ends_at == state.ends_at
    assert answer.extended == (state.ends_at > before.ends_at)
    assert answer.reserve_met == reserve_is_met(terms, state)
    if decision.bids:
        own = decision.bids[0]
        assert (answer.seq, answer.amount_minor) == (own.seq, own.amount)
        assert answer.is_leading == own.is_leading
    else:
        assert (answer.seq, answer.amount_minor, answer.is_leading) == (None, None, True)


def assert_same_rows(database, lot, state: State):
    row = database.state(lot)
    assert row.current_price_minor == state.price
    assert row.leader_id == state.leader_id
    assert row.bid_count == state.bid_count == len(database.bids(lot))
    assert row.ends_at == state.ends_at
    assert row.extension_count == state.extension_count


def read_terms(database, lot) -> Terms:
    row = database.one("SELECT * FROM auction_auction WHERE id = %s", lot)
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
