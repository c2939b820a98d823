"""Runs that make sums while the market goes on: nothing is lost, nothing is shown half made."""

import threading
import time

import pytest
from sqlalchemy import text

from torg import db
from torg_stats.queries import kept
from torg_stats.services import keeping

YEAR = {"from": "2026-01-01", "to": "2027-01-01"}
_COPY = (
    "INSERT INTO stall_sale SELECT happened_at, {stamp}, buyer, dealer, country, currency,"
    " gross, cost, pieces, is_return FROM stall_sale LIMIT 1"
)


def sold(market, person):
    return market.totals(person, metric="stall.sold", **YEAR)[("stall.sold", None)]


def test_a_row_stamped_with_the_beginning_of_its_transaction_is_not_lost(market, staff):
    market.sell("2026-01-05T10:00")
    written, done = threading.Event(), threading.Event()

    def slowly():
        with db.unit_of_work(app=market.app) as session:
            session.execute(text(_COPY.format(stamp="now()")))
            written.set()
            done.wait(30)

    thread = threading.Thread(target=slowly)
    thread.start()
    written.wait(30)
    market.keep()
    done.set()
    thread.join()
    assert sold(market, staff) == "2"
    market.keep()
    assert sold(market, staff) == "2"


@pytest.fixture
def hindered(make_market):
    """A market whose facts, when a setting says so, wait for a lock while they are read."""
    market = make_market()
    market.sql(
        "CREATE OR REPLACE FUNCTION stall_wait() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$"
        " BEGIN IF current_setting('stall.waits', true) = 'yes' THEN"
        " PERFORM pg_advisory_xact_lock_shared(77); END IF; RETURN true; END $$"
    )
    market.sql("ALTER TABLE stall_sale RENAME TO stall_sale_rows")
    market.sql("CREATE VIEW stall_sale AS SELECT * FROM stall_sale_rows WHERE stall_wait()")
    return market


def test_a_row_that_is_committed_while_its_day_is_made_is_not_lost(hindered):
    market = hindered
    market.sell("2026-01-05T10:00")
    staff = market.person(sees_all=True)
    market.work(lambda: keeping.note_changes("stall.sales"))
    written, done, released = threading.Event(), threading.Event(), threading.Event()

    def sell():
        with db.unit_of_work(app=market.app) as session:
            session.execute(text(_COPY.format(stamp="clock_timestamp()")))
            written.set()
            done.wait(30)

    def hinder():
        with db.unit_of_work(app=market.app) as session:
            session.execute(text("SELECT pg_advisory_xact_lock(77)"))
            written.set()
            released.wait(30)

    def make():
        db.session.execute(text("SET LOCAL stall.waits = 'yes'"))
        keeping.make_pending("stall.sales")

    threads = []
    for act in (sell, hinder, lambda: market.work(make)):
        written.clear()
        threads.append(threading.Thread(target=act))
        threads[-1].start()
        if len(threads) < 3:
            written.wait(30)
    # The day is being counted without the row, which is committed only now.
    _until(market, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    done.set()
    threads[0].join()
    noting = threading.Thread(
        target=lambda: market.work(lambda: keeping.note_changes("stall.sales"))
    )
    noting.start()
    # Without the guard it is done by now, and the row would be forgotten with the pending day.
    noting.join(1)
    released.set()
    for each in (*threads, noting):
        each.join()
    assert sold(market, staff) == "2"


def test_a_question_in_the_middle_of_a_rebuild_is_right(market, staff, monkeypatch):
    market.sell("2026-01-05T10:00")
    market.keep()
    plain = kept.changed_days

    def interrupted(*arguments):
        found = plain(*arguments)
        monkeypatch.setattr(kept, "changed_days", plain)
        thread = threading.Thread(target=lambda: market.work(lambda: keeping.forget("stall.sales")))
        thread.start()
        thread.join()
        return found

    monkeypatch.setattr(kept, "changed_days", interrupted)
    assert sold(market, staff) == "1"


def _until(market, question):
    end = time.monotonic() + 30
    while market.sql(question) == [(0,)]:
        assert time.monotonic() < end, "nobody waits"
        time.sleep(0.02)
