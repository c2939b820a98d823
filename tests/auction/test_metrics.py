"""What statistics count of auctions equals their logs, outcomes and a slow count."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from fact_rows import FactRows

from torg import db
from torg_auction import metrics
from torg_auction.services import closing

FACTS = (metrics.CREATED, metrics.OUTCOMES, metrics.BIDS)
METRICS = {each.name.removeprefix("auction."): each for each in metrics.METRICS}


def euro(amount):
    return {"amount": amount, "currency": "EUR"}


def in_seconds(seconds):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@pytest.fixture(scope="module")
def held(make_site):
    """Auctions that ended with a winner, without one, below the reserve, and some that run."""
    site = make_site()
    seller, ann, ben = (site.person() for _ in range(3))
    extended = site.create(
        seller,
        category="clocks",
        ends_at=in_seconds(1.5),
        soft_close={"window_seconds": 60, "extension_seconds": 1, "max_extensions": 2},
    )["id"]
    sold = site.create(seller, ends_at=in_seconds(1.5), starting_price=euro("3.00"))["id"]
    site.create(ann, ends_at=in_seconds(1.5))
    reserved = site.create(seller, ends_at=in_seconds(1.5), reserve_price=euro("500.00"))["id"]
    bought = site.create(ben, buy_now_price=euro("40.00"))["id"]
    running = site.create(seller)["id"]
    for lot, person, amount in (
        (extended, ann, "10.00"),
        (extended, ben, "12.00"),
        (sold, ann, "3.00"),
        (sold, ben, "77.77"),
        (reserved, ann, "11.00"),
        (running, ben, "10.00"),
    ):
        assert site.bid(lot, person, amount).status_code == 201
    assert site.bid(sold, ann, maximum="90.00").status_code == 201
    assert site.call("POST", f"/{bought}/buy-now", ann).status_code in (200, 201)
    time.sleep(4)
    close(site)
    return site


def close(site):
    """What the sweeper does."""
    for row in site.database.all("SELECT auction_id FROM auction_state WHERE closed_at IS NULL"):
        db.in_transaction(lambda found=row.auction_id: closing.close(found), site.app)


@pytest.fixture(scope="module")
def rows(held):
    return FactRows(held.app)


def test_auctions_and_how_they_ended_equal_a_slow_count(held, rows):
    outcomes = held.database.all("SELECT * FROM auction_outcome")
    sold = [each for each in outcomes if each.winner_id is not None]
    assert rows.total(metrics.AUCTIONS) == 6
    assert rows.total(metrics.ENDED) == len(outcomes) == 5
    assert rows.total(metrics.SOLD) == len(sold) == 3
    assert rows.total(METRICS["sell_through"]) == Decimal(3) / 5
    by_reason = rows.total(metrics.ENDED, "outcome")
    assert by_reason == {"sold": 2, "no_bids": 1, "reserve_not_met": 1, "bought_now": 1}


def test_turnover_is_the_sum_of_hammer_prices_and_its_ratio_that_of_starts(held, rows):
    hammer = start = 0
    for each in held.database.all("SELECT * FROM auction_outcome"):
        if each.winner_id is None:
            continue
        lot = held.database.one("SELECT * FROM auction_auction WHERE id = %s", each.auction_id)
        hammer += each.hammer_price_minor
        start += lot.starting_price_minor
    assert rows.total(metrics.TURNOVER) == hammer
    assert rows.total(METRICS["hammer_to_start"]) == Decimal(hammer) / start


def test_bids_and_bidders_are_the_lines_of_the_logs(held, rows):
    lines = held.database.all("SELECT * FROM auction_bid")
    assert rows.total(metrics.BIDS_PLACED) == len(lines)
    assert rows.total(metrics.BIDDERS) == len({each.bidder_id for each in lines}) == 2
    ended = {row.auction_id for row in held.database.all("SELECT * FROM auction_outcome")}
    of_ended = [each for each in lines if each.auction_id in ended]
    assert rows.total(metrics.ENDED_BIDS) == len(of_ended)
    assert rows.total(METRICS["bids_per_auction"]) == Decimal(len(of_ended)) / len(ended)


def test_extensions_and_the_last_bid_before_the_end_are_those_of_the_logs(held, rows):
    seconds, with_bids = Decimal(0), 0
    for each in held.database.all("SELECT * FROM auction_outcome"):
        log = held.database.bids(each.auction_id)
        if log:
            with_bids += 1
            seconds += Decimal(str((each.closed_at - log[-1].placed_at).total_seconds()))
    states = held.database.all("SELECT * FROM auction_state WHERE closed_at IS NOT NULL")
    assert rows.total(metrics.EXTENSIONS) == sum(each.extension_count for each in states) > 0
    assert rows.total(metrics.BID_ON) == with_bids
    assert rows.total(metrics.QUIET_SECONDS) == seconds


def test_no_fact_tells_a_secret_maximum(held):
    secret = 9000
    for facts in FACTS:
        for row in FactRows(held.app).of(facts):
            assert secret not in row.values(), facts.name


def test_no_fact_ever_changes_when_bids_come_and_auctions_end(make_site):
    site = make_site()
    rows = FactRows(site.app)
    seller, ann, ben = (site.person() for _ in range(3))
    lot = site.create(seller, ends_at=in_seconds(1))["id"]
    assert site.bid(lot, ann, "10.00").status_code == 201
    before = rows.taken(*FACTS)
    assert site.bid(lot, ben, "20.00").status_code == 201
    time.sleep(1)
    close(site)
    assert before < rows.taken(*FACTS)
    assert rows.total(metrics.TURNOVER) == 2000
