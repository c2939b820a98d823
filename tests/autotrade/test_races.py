"""Runs that overlap: each offer is charged once, each purchase made once; without the guard not."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait

from torg_autotrade.queries import selling
from torg_autotrade.services import runs

OFFERS, RUNS = 50, 4


def crowded(market):
    """Fifty offers on a market with enough cars for all runs together."""
    model = market.car()
    market.supplier({model: 10_000})
    dealer = market.dealer(target_stock=OFFERS * RUNS)
    market.run("supply")
    buyers = [market.person(10_000_000) for _ in range(5)]
    for number in range(OFFERS):
        market.offer(buyers[number % 5], model, 20_000)
    return model, dealer


def at_once(market, kind="sales", number=RUNS):
    """So many runs in parallel, each on connections of its own."""
    start = threading.Barrier(number)

    def run(_):
        start.wait()
        with market.app.app_context():
            return runs.run(kind, now=market.now, is_told=False)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


def test_fifty_offers_and_four_parallel_runs_charge_each_once(market):
    model, dealer = crowded(market)
    reports = at_once(market)
    assert sum(report.dealt for report in reports) == OFFERS
    assert len(market.sales()) == OFFERS
    assert market.stock(dealer, model).quantity == OFFERS * RUNS - OFFERS
    paid = market.sql("SELECT count(*) AS n FROM wallet_transfer WHERE purpose = 'car_sale'")
    assert paid[0].n == OFFERS
    assert market.prove() == []


def test_without_the_guard_parallel_runs_sell_an_offer_twice(market, monkeypatch):
    crowded(market)
    market.work_sql("ALTER TABLE autotrade_sale DROP CONSTRAINT uq_autotrade_sale_offer_id")
    market.work_sql(
        "ALTER TABLE autotrade_sale DROP CONSTRAINT uq_autotrade_sale_transfer_reference"
    )
    everybody_has_read, read = threading.Barrier(RUNS, timeout=30), selling.offers

    def unlocked(**asked):
        found = read(**{**asked, "lock": False})
        if found:
            everybody_has_read.wait()
        return found

    monkeypatch.setattr(selling, "offers", unlocked)
    monkeypatch.setattr(selling, "lock_markets", lambda *_: None)
    at_once(market)
    assert len(market.sales()) > OFFERS


def met(market, monkeypatch, patience):
    """What a cancellation finds while a run is stopped between locking and deciding.

    Returns whether it was still waiting after so many seconds, its answer, and the offer.
    """
    model = market.car()
    market.supplier({model: 10_000})
    market.dealer(target_stock=1)
    market.run("supply")
    anna = market.person(1_000_000)
    offer = market.offer(anna, model, 20_000)
    is_reached, may_go_on = threading.Event(), threading.Event()
    read = selling.lines

    def stopped(*about):
        found = read(*about)
        is_reached.set()
        assert may_go_on.wait(60)
        return found

    monkeypatch.setattr(selling, "lines", stopped)

    def cancel():
        with market.app.app_context():
            return market.call("DELETE", f"/offers/{offer}", anna)

    with ThreadPoolExecutor(2) as pool:
        run = pool.submit(market.run, "sales")
        assert is_reached.wait(30)
        cancelled = pool.submit(cancel)
        has_waited = not wait([cancelled], timeout=patience).done
        may_go_on.set()
        run.result()
        return has_waited, cancelled.result(), market.found(offer)


def test_who_cancels_an_offer_that_a_run_has_taken_up_waits_and_learns_that_it_is_filled(
    market, monkeypatch
):
    has_waited, answer, offer = met(market, monkeypatch, patience=0.4)
    assert (has_waited, answer.status_code, answer.json["state"]) == (True, 409, "filled")
    assert (offer.status, len(market.sales())) == ("filled", 1)
    assert market.prove() == []


def test_without_the_lock_of_the_offer_the_cancellation_would_not_wait(market, monkeypatch):
    read = selling.offers
    monkeypatch.setattr(selling, "offers", lambda **asked: read(**{**asked, "lock": False}))
    has_waited, answer, _ = met(market, monkeypatch, patience=30)
    assert (has_waited, answer.status_code) == (False, 204)


def test_parallel_supply_runs_buy_once_in_a_slot(market):
    models = [market.car() for _ in range(3)]
    market.supplier(dict.fromkeys(models, 10_000))
    dealers = [market.dealer(target_stock=2) for _ in range(6)]
    at_once(market, "supply")
    deals = market.sql("SELECT * FROM autotrade_supply_deal")
    assert len(deals) == len(models) * len(dealers)
    assert all(market.stock(d, m).quantity == 2 for d in dealers for m in models)
    assert market.prove() == []


def test_a_run_again_in_the_same_slot_buys_nothing(market):
    model = market.car()
    market.supplier({model: 10_000})
    dealer = market.dealer(target_stock=2)
    market.run("supply")
    market.work_sql("UPDATE autotrade_dealer SET target_stock = 9, supplied_slot = -1")
    assert market.run("supply").dealt == 0
    assert market.stock(dealer, model).quantity == 2
    market.later(minutes=10)
    market.run("supply")
    assert market.stock(dealer, model).quantity == 9


def test_a_run_with_a_key_goes_on_where_it_stopped_and_is_done_once(make_market):
    market = make_market(offers_at_once=10)
    crowded(market)
    first = market.run("sales", key="tick")
    market.work_sql("UPDATE autotrade_run SET cursor = 0, finished_at = NULL WHERE key = 'tick'")
    again = market.run("sales", key="tick")
    assert (first.dealt, again.dealt) == (OFFERS, OFFERS)
    assert market.run("sales", key="tick").seen == again.seen
    assert len(market.sales()) == OFFERS
