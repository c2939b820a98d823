"""What the database itself refuses, whatever the application does (AU1 to AU7)."""

from contextlib import nullcontext
from datetime import timedelta

import psycopg2
import psycopg2.errors as refusals
import pytest

OWNER, ANN, BEN, CAT = 1, 2, 3, 4


@pytest.fixture
def lot(database) -> int:
    return database.auction()


@pytest.mark.parametrize(
    "change",
    [
        "title = 'another'",
        "description = 'another'",
        "starting_price_minor = 1",
        "bid_increment_minor = 1",
        "scheduled_ends_at = scheduled_ends_at + interval '1 day'",
        "starts_at = starts_at - interval '1 day'",
        "reserve_price_minor = 5000",
        "owner_id = 2",
        "currency = 'USD'",
        "pictures = '[\"x\"]'",
    ],
)
def test_what_was_given_at_creation_never_changes(database, lot, change):
    with pytest.raises(refusals.RestrictViolation):
        database.all(f"UPDATE auction_auction SET {change}")


@pytest.mark.parametrize(
    "table",
    ["auction_auction", "auction_state", "auction_bid", "auction_maximum", "auction_outcome"],
)
def test_nothing_that_was_recorded_is_deleted(database, table):
    lot = database.auction(ends_in=-1)
    database.past_bids(lot, [(ANN, 1000)], database.state(lot).starts_at)
    database.all("INSERT INTO auction_maximum VALUES (DEFAULT, %s, %s, 5000, 1)", lot, ANN)
    database.all("SELECT auction_close(%s, 'r')", lot)
    with pytest.raises((refusals.RestrictViolation, refusals.ForeignKeyViolation)):
        database.all(f"DELETE FROM {table}")


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("auction_bid", "amount_minor = 1"),
        ("auction_bid", "bidder_id = 4"),
        ("auction_bid", "placed_at = now()"),
        ("auction_maximum", "amount_minor = 1"),
        ("auction_outcome", "winner_id = 4"),
    ],
)
def test_bids_maxima_and_outcomes_never_change(database, table, change):
    lot = database.auction(ends_in=-1)
    database.past_bids(lot, [(ANN, 1000)], database.state(lot).starts_at)
    database.all("INSERT INTO auction_maximum VALUES (DEFAULT, %s, %s, 5000, 1)", lot, ANN)
    database.all("SELECT auction_close(%s, 'r')", lot)
    with pytest.raises(refusals.RestrictViolation):
        database.all(f"UPDATE {table} SET {change}")


def test_numbers_of_bids_have_no_gaps(database, lot):
    with pytest.raises(refusals.CheckViolation):
        insert_bid(database, lot, seq=2, amount=1000)
    insert_bid(database, lot, seq=1, amount=1000)
    with pytest.raises(refusals.UniqueViolation):
        insert_bid(database, lot, seq=1, amount=2000)


@pytest.mark.parametrize("amount", [999, 1000, 1500])
def test_leading_prices_strictly_rise(database, lot, amount):
    insert_bid(database, lot, seq=1, amount=1500)
    with pytest.raises((refusals.CheckViolation, refusals.UniqueViolation)):
        insert_bid(database, lot, seq=2, amount=amount, bidder=BEN)


@pytest.mark.parametrize(
    "change",
    [
        "current_price_minor = 99999",
        "leader_id = 7",
        "bid_count = bid_count + 1",
        "bid_count = 0",
        "ends_at = ends_at + interval '1 hour'",
        "ends_at = ends_at - interval '1 hour'",
        "starts_at = starts_at + interval '1 second'",
        "extension_count = 5",
        "closed_at = ends_at",
        "current_price_minor = 2000, leader_id = 3, bid_count = 2",
    ],
)
def test_price_leader_count_and_end_move_only_with_a_bid(database, lot, change):
    database.bid(lot, ANN, 1000)
    with pytest.raises(refusals.CheckViolation):
        database.all(f"UPDATE auction_state SET {change}")


def test_a_bid_alone_moves_the_state_by_itself(database, lot):
    insert_bid(database, lot, seq=1, amount=1234)
    state = database.state(lot)
    assert (state.current_price_minor, state.leader_id, state.bid_count) == (1234, ANN, 1)


def test_the_owner_is_never_the_bidder(database, lot):
    with pytest.raises(refusals.CheckViolation, match="owner_never_bids"):
        insert_bid(database, lot, seq=1, amount=1000, bidder=OWNER)


def test_the_owner_written_in_a_bid_is_the_true_one(database, lot):
    with pytest.raises(refusals.ForeignKeyViolation):
        insert_bid(database, lot, seq=1, amount=1000, bidder=OWNER, owner=ANN)


@pytest.mark.parametrize("seconds", [-0.001, 7200.0, 7201.0])
def test_a_bid_outside_its_time_is_refused(database, lot, seconds):
    state = database.state(lot)
    at = state.starts_at + timedelta(seconds=seconds)
    at = max(at, state.ends_at) if seconds > 0 else at
    with pytest.raises(refusals.CheckViolation):
        database.past_bids(lot, [(ANN, 1000)], at)


def test_the_end_moves_only_within_the_soft_close(database):
    lot = database.auction(soft_window_seconds=60, soft_extension_seconds=60, soft_max_extensions=1)
    state = database.state(lot)
    for seq, allowed in ((1, True), (2, False)):
        moved = state.ends_at + timedelta(seconds=60 * seq)
        with nullcontext() if allowed else pytest.raises(refusals.CheckViolation):
            insert_bid(database, lot, seq=seq, amount=1000 * seq, ends_at=moved)


def test_the_end_of_an_auction_without_soft_close_is_fixed(database, lot):
    moved = database.state(lot).ends_at + timedelta(seconds=1)
    with pytest.raises(refusals.CheckViolation):
        insert_bid(database, lot, seq=1, amount=1000, ends_at=moved)


def test_no_bid_enters_a_closed_auction(database):
    lot = database.auction(buy_now_price_minor=5000)
    database.one("SELECT * FROM auction_buy_now(%s, %s, 'r')", lot, ANN)
    with pytest.raises(refusals.CheckViolation):
        insert_bid(database, lot, seq=2, amount=9000, bidder=BEN)


@pytest.mark.parametrize(
    ("reason", "winner", "price"),
    [
        ("no_bids", None, None),
        ("reserve_not_met", None, None),
        ("sold", BEN, 1500),
        ("sold", ANN, 1000),
        ("bought_now", ANN, 1500),
        ("sold", None, None),
        ("no_bids", ANN, 1500),
    ],
)
def test_an_outcome_that_does_not_fit_the_bids_is_refused(database, reason, winner, price):
    lot = database.auction(ends_in=-1)
    state = database.state(lot)
    database.past_bids(lot, [(BEN, 1000), (ANN, 1500)], state.starts_at)
    with pytest.raises(refusals.CheckViolation):
        database.all(
            "INSERT INTO auction_outcome VALUES (%s, %s, %s, %s, %s)",
            *(lot, reason, winner, price, state.ends_at),
        )
    assert database.one("SELECT auction_close(%s, 'r') AS closed", lot).closed


def test_an_outcome_before_the_end_is_refused(database, lot):
    with pytest.raises(refusals.CheckViolation):
        database.all(
            "INSERT INTO auction_outcome VALUES (%s, 'no_bids', NULL, NULL, %s)",
            *(lot, database.state(lot).ends_at),
        )


def test_there_is_one_outcome(database):
    lot = database.auction(ends_in=-1)
    database.all("SELECT auction_close(%s, 'r')", lot)
    with pytest.raises((refusals.UniqueViolation, refusals.CheckViolation)):
        database.all(
            "INSERT INTO auction_outcome VALUES (%s, 'no_bids', NULL, NULL, %s)",
            *(lot, database.state(lot).ends_at),
        )


@pytest.mark.parametrize(
    "columns",
    [
        {"starting_price_minor": -1},
        {"bid_increment_minor": 0},
        {"bid_increment_minor": -100},
        {"reserve_price_minor": 999},
        {"buy_now_price_minor": 999},
        {"reserve_price_minor": 5000, "buy_now_price_minor": 4000},
        {"starts_in": 7200},
        {"soft_window_seconds": 5},
        {"soft_window_seconds": 5, "soft_extension_seconds": 0, "soft_max_extensions": 1},
        {"title": ""},
        {"title": "x" * 201},
        {"currency": "eur"},
    ],
)
def test_terms_that_make_no_sense_are_refused(database, columns):
    with pytest.raises(refusals.CheckViolation):
        database.auction(**columns)


def test_a_person_who_bid_stays(database, lot):
    database.bid(lot, ANN, 1000)
    with pytest.raises(psycopg2.IntegrityError):
        database.all("DELETE FROM torg_identity WHERE id = %s", ANN)


def insert_bid(database, lot, *, seq, amount, bidder=ANN, owner=OWNER, ends_at=None):
    database.all(
        "INSERT INTO auction_bid VALUES (%s, %s, %s, %s, %s, true, false, %s, clock_timestamp())",
        *(lot, seq, owner, bidder, amount, ends_at or database.state(lot).ends_at),
    )
