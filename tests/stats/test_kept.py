"""Kept sums: only touched days are made again, and they equal a recount whatever happens."""

import threading

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from torg import db, jobs, outbox
from torg_stats.commands import group
from torg_stats.services import catalogue, keeping

YEAR = {"from": "2026-01-01", "to": "2027-01-01"}
METRICS = ("stall.sold", "stall.gross", "stall.buyers", "stall.stock", "stall.average")


def kept_rows(market):
    """Everything that is kept, in order."""
    return [
        tuple(map(str, row))
        for table in ("stats_day_sum", "stats_day_member")
        for row in market.sql(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4, 5, 6, 7, 8")
    ]


def differences(market):
    return market.work(lambda: keeping.differences("stall.sales"))


def test_only_touched_days_are_made_again(market):
    market.sell("2026-01-05T10:00")
    market.sell("2026-02-05T10:00")
    market.keep()
    market.sql("UPDATE stats_day_sum SET number = -1 WHERE day = '2026-01-05'")
    market.sell("2026-02-05T11:00")
    market.keep()
    counts = dict(
        market.sql(
            "SELECT day::text, number FROM stats_day_sum WHERE zone = 'UTC' AND grouping = ''"
            " AND measure = 'sum::' AND facts = 'stall.sales'"
        )
    )
    assert counts == {"2026-01-05": -1, "2026-02-05": 2}


def test_a_question_sees_what_was_recorded_after_the_last_run(market, staff):
    market.sell("2026-01-05T10:00")
    market.keep()
    market.sell("2026-01-05T11:00")
    assert market.totals(staff, metric="stall.sold", **YEAR) == {("stall.sold", None): "2"}


def test_a_row_that_was_not_committed_when_the_sums_were_made_is_not_lost(market, staff):
    market.sell("2026-01-05T10:00")
    written, done = threading.Event(), threading.Event()

    def slowly():
        with db.unit_of_work(app=market.app) as session:
            session.execute(
                db.db.text(
                    "INSERT INTO stall_sale SELECT happened_at, clock_timestamp(), buyer, dealer,"
                    " country, currency, gross, cost, pieces, is_return FROM stall_sale LIMIT 1"
                )
            )
            written.set()
            done.wait(30)

    thread = threading.Thread(target=slowly)
    thread.start()
    written.wait(30)
    market.sql("SELECT pg_sleep(0.05)")
    market.keep()
    done.set()
    thread.join()
    assert market.totals(staff, metric="stall.sold", **YEAR) == {("stall.sold", None): "2"}
    market.keep()
    assert market.totals(staff, metric="stall.sold", **YEAR) == {("stall.sold", None): "2"}
    assert differences(market) == []


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    steps=st.lists(
        st.one_of(
            st.none(),
            st.tuples(
                st.integers(0, 400),
                st.integers(-5000, 5000),
                st.integers(1, 3),
                st.sampled_from([None, 7, 8]),
                st.sampled_from(["EUR", "USD"]),
            ),
        ),
        max_size=12,
    )
)
def test_any_history_gives_the_same_sums_as_a_recount_and_as_a_rebuild(market, steps):
    market.sql("TRUNCATE stall_sale, stats_source CASCADE")
    for step in steps:
        if step is None:
            market.keep()
            continue
        hours, gross, buyer, dealer, currency = step
        day, hour = divmod(hours, 24)
        market.sell(
            f"2026-03-{day % 28 + 1:02}T{hour:02}:00",
            gross,
            buyer=buyer,
            dealer=dealer,
            currency=currency,
        )
    market.keep()
    assert differences(market) == []
    before = kept_rows(market)
    market.work(lambda: keeping.forget("stall.sales"))
    market.keep()
    assert kept_rows(market) == before


def test_a_proof_finds_a_wrong_sum(market):
    market.sell("2026-01-05T10:00")
    market.keep()
    assert differences(market) == []
    market.sql("UPDATE stats_day_sum SET number = number + 1 WHERE measure = 'sum:gross:'")
    assert differences(market) != []


def test_two_runs_at_once_leave_right_sums(market, staff):
    for day in range(1, 29):
        market.sell(f"2026-01-{day:02}T10:00")

    def run():
        market.work(lambda: keeping.note_changes("stall.sales"))
        while market.work(lambda: keeping.make_pending("stall.sales", 3)):
            pass

    threads = [threading.Thread(target=run) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert differences(market) == []
    assert market.sql("SELECT count(*) FROM stats_pending_day") == [(0,)]


def test_a_run_that_is_cut_after_any_step_leaves_right_answers(market, staff):
    for day in range(1, 9):
        market.sell(f"2026-01-{day:02}T10:00")
    expected = {("stall.sold", None): "8"}
    assert market.totals(staff, metric="stall.sold", **YEAR) == expected
    market.work(lambda: keeping.note_changes("stall.sales"))
    assert market.totals(staff, metric="stall.sold", **YEAR) == expected
    while market.work(lambda: keeping.make_pending("stall.sales", 3)):
        assert market.totals(staff, metric="stall.sold", **YEAR) == expected


def test_other_zones_or_metrics_make_the_sums_anew(market, make_market, staff):
    market.sell("2026-01-05T10:00")
    market.keep()
    market.sql("UPDATE stats_source SET shape = 'of yesterday'")
    assert market.totals(staff, metric="stall.sold", **YEAR) == {("stall.sold", None): "1"}
    market.keep()
    assert differences(market) == []


def test_jobs_keep_the_sums_and_a_poisoned_metric_stops_itself_alone(market, staff):
    market.sell("2026-01-05T10:00")
    market.work(lambda: outbox.enqueue("stats.keep"))
    with market.app.app_context():
        jobs.run_due(market.app)
        jobs.run_due(market.app)
    assert market.sql("SELECT count(*) > 0 FROM stats_day_sum") == [(True,)]
    assert differences(market) == []


def test_sources_are_what_the_active_metrics_come_from(market):
    with db.unit_of_work("read", market.app):
        assert set(catalogue.sources()) == {"stall.sales", "stall.secrets"}


@pytest.mark.parametrize("command", ["rollup", "rebuild", "prove", "list"])
def test_the_commands_do_what_they_say(market, command):
    market.sell("2026-01-05T10:00")
    with market.app.app_context():
        answer = CliRunner().invoke(group, [command])
    assert answer.exit_code == 0, answer.output
    assert "stall.sales" in answer.output


def test_the_proof_exits_with_one_and_a_rebuild_mends_it(market):
    market.sell("2026-01-05T10:00")
    market.keep()
    market.sql("UPDATE stats_day_sum SET number = number + 1")
    with market.app.app_context():
        assert CliRunner().invoke(group, ["prove"]).exit_code == 1
        assert CliRunner().invoke(group, ["rebuild", "--facts", "stall.sales"]).exit_code == 0
        assert CliRunner().invoke(group, ["rebuild", "--facts", "nothing"]).exit_code == 2
        assert CliRunner().invoke(group, ["prove"]).exit_code in {0, 1}
    assert differences(market) == []
