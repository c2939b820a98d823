"""A whole market: every metric of every plugin is answered, and equals the books."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from torg import config, demo
from torg.app import create_app
from torg.config import Settings
from torg.db import in_transaction, session
from torg.testing import AppMaker
from torg_stats.domain.periods import Interval, Period
from torg_stats.services import answering, catalogue, keeping, ranking
from torg_stats.services.asking import Question, Viewer

MARKET = ["auth", "wallet", "auction", "shop", "autotrade", "stats"]
ZONE = "America/New_York"
SECTION = {"stats": {"zones": ("UTC", ZONE)}}


@pytest.fixture(scope="module")
def app(torg_environment, tmp_path_factory):
    """Everything that is built in, with the data of the demo."""
    maker = AppMaker(torg_environment, tmp_path_factory.mktemp("whole"))
    app = maker(MARKET, sections=SECTION)
    filled = demo.fill(app, "http://127.0.0.1:8000")
    assert filled.failures == {}
    yield app
    maker.close()


@pytest.fixture(scope="module")
def staff(app):
    """Somebody who may see all."""
    wanted = in_transaction(lambda: {each.permission for each in catalogue.metrics().values()}, app)
    return Viewer(1, frozenset(wanted))


@pytest.fixture(scope="module")
def period(app):
    """A year until tomorrow, in a zone whose days are not those of UTC."""
    (end,) = sql(app, "SELECT (clock_timestamp() AT TIME ZONE :zone)::date + 1", zone=ZONE)[0]
    return Period(end - timedelta(days=366), end, ZONE)


def sql(app, statement, **parameters):
    return in_transaction(lambda: list(session.execute(text(statement), parameters)), app)


def ways(countable):
    """All that is asked of a metric: in all, by each dimension, by those kept together, by day."""
    single = [(each.name,) for each in countable.dimensions]
    names = {each.name for each in countable.dimensions}
    part = catalogue.parts(countable)[0]
    together = [each for each in part.facts.together if set(each) <= names and len(each) <= 2]
    yield (), Interval.DAY
    for by in ((), *single, *together):
        yield by, None


def everything(app, viewer, period):
    """What is answered to all of that, by metric and way."""

    def act():
        found = {}
        for name, countable in catalogue.metrics().items():
            for by, interval in ways(countable):
                asked = Question((countable,), by, period, interval, limit=1000)
                found[name, by, interval] = [
                    (each.key, each.currency, each.total, each.points)
                    for each in answering.answer(asked, viewer).series
                ]
        return found

    return in_transaction(act, app)


def different(found, wanted):
    """The ways in which two answers to everything differ, with both."""
    return {way: (answer, wanted[way]) for way, answer in found.items() if answer != wanted[way]}


def keep_all(app):
    for name in in_transaction(lambda: list(catalogue.sources()), app):
        in_transaction(lambda name=name: keeping.note_changes(name), app)
        while in_transaction(lambda name=name: keeping.make_pending(name), app):
            pass


@pytest.fixture(scope="module")
def counted(app, staff, period):
    """Everything, counted from the facts before any sums are kept; then they are."""
    found = everything(app, staff, period)
    keep_all(app)
    return found


def totals(counted, name):
    return {currency: total for _, currency, total, _ in counted[name, (), None]}


def test_kept_sums_of_every_metric_equal_its_facts(app, staff, period, counted):
    assert len({name for name, _, _ in counted}) > 40
    kept = everything(app, staff, period)
    assert different(kept, counted) == {}


def test_a_proof_of_all_facts_finds_nothing(app, counted):
    names = in_transaction(lambda: list(catalogue.sources()), app)
    assert len(names) > 10
    for name in names:
        assert in_transaction(lambda name=name: keeping.differences(name), app) == []


def test_totals_of_the_wallet_equal_the_ledger(app, counted):
    accounts = sql(
        app,
        "SELECT currency, sum(posted_minor), sum(pending_minor) FROM wallet_account"
        " WHERE owner_id IS NOT NULL GROUP BY currency",
    )
    assert accounts
    assert totals(counted, "wallet.balance") == {row[0]: row[1] for row in accounts}
    assert totals(counted, "wallet.outstanding_holds") == {
        row[0]: row[2] for row in accounts if row[2]
    }
    came_in = sql(
        app,
        "SELECT e.currency, sum(e.amount_minor) FROM wallet_entry e"
        " JOIN wallet_account a ON a.id = e.account_id AND a.owner_id IS NOT NULL"
        " JOIN wallet_transfer t ON t.id = e.transfer_id"
        " WHERE t.source = 'wallet' AND t.purpose = 'deposit' GROUP BY 1",
    )
    assert {k: v for k, v in totals(counted, "wallet.deposits").items() if v} == dict(
        map(tuple, came_in)
    )


def test_totals_of_dealers_equal_what_the_ledger_moved_to_them(counted, app):
    moved = sql(
        app,
        "SELECT r.id::text, e.currency, sum(e.amount_minor) FROM wallet_entry e"
        " JOIN wallet_transfer t ON t.id = e.transfer_id"
        " JOIN autotrade_dealer r ON r.account_id = e.account_id"
        " WHERE t.source = 'autotrade' AND t.purpose = 'car_sale' GROUP BY 1, 2",
    )
    assert moved
    found = counted["autotrade.revenue", ("dealer",), None]
    assert {(key[0], currency): total for key, currency, total, _ in found} == {
        (dealer, currency): minor for dealer, currency, minor in moved
    }


def test_days_add_up_to_the_total_where_things_add_up(counted):
    for (name, by, interval), found in counted.items():
        if interval is None or name not in {"wallet.turnover", "shop.orders", "autotrade.revenue"}:
            continue
        assert found
        for _, _, total, points in found:
            assert sum((value for _, value in points), Decimal(0)) == total, (name, by)


def test_everybody_sees_no_more_than_staff_and_a_dealer_his_own(app, counted, period):
    ((owner, dealers),) = sql(
        app,
        "SELECT owner_id, array_agg(id::text) FROM autotrade_dealer WHERE owner_id IS NOT NULL"
        " GROUP BY owner_id ORDER BY owner_id LIMIT 1",
    )
    every = {
        (key[0], currency): total
        for key, currency, total, _ in counted["autotrade.revenue", ("dealer",), None]
    }

    def act():
        asked = Question((catalogue.metrics()["autotrade.revenue"],), ("dealer",), period)
        answer = answering.answer(asked, Viewer(owner, frozenset()))
        page = ranking.own_page(Viewer(owner, frozenset()), ZONE, date.today())
        return answer.series, page

    series, (_, _, broken) = in_transaction(act, app)
    assert {(each.key[0], each.currency): each.total for each in series} == {
        group: total for group, total in every.items() if group[0] in dealers
    }
    assert broken == []


def test_a_plugin_switched_off_takes_its_metrics_and_nothing_else(app, staff, period, counted):
    settings = config.of(app)
    less = tuple(each for each in MARKET if each != "autotrade")
    host = settings.host.model_copy(update={"plugins": less})
    without = create_app(Settings.build(host, SECTION))
    before = sql(app, "SELECT count(*) FROM stats_day_sum WHERE facts LIKE 'autotrade.%'")
    found = everything(without, staff, period)
    keep_all(without)
    names = {name for name, _, _ in found}
    assert names == {name for name, _, _ in counted if not name.startswith("autotrade.")}
    assert different(found, counted) == {}
    kept = sql(app, "SELECT count(*) FROM stats_day_sum WHERE facts LIKE 'autotrade.%'")
    assert kept == before != [(0,)]
    assert different(everything(app, staff, period), counted) == {}
