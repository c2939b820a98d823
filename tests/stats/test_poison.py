"""A metric whose facts cannot be read stops itself alone, wherever it is met."""

import pytest
from click.testing import CliRunner
from sqlalchemy import column, literal, select, table

from torg import jobs, mail, outbox
from torg_metrics import Dimension, Facts, Metric, Unit
from torg_stats.commands import group

from .conftest import METRICS

JANUARY = {"from": "2026-01-01", "to": "2026-02-01"}
_GONE = table("stall_gone", *(column(name) for name in ("happened_at", "recorded_at", "buyer")))


def _raises():
    raise RuntimeError("no facts today")


OWN = (Dimension("buyer", "Buyer", own=lambda person_id: select(literal(person_id))),)
GONE = Facts("stall.gone", lambda: select(*_GONE.columns), OWN)
RAISING = Facts("stall.raising", _raises, OWN)
BROKEN = [
    Metric("stall.lost", "Lost", Unit.COUNT, GONE, "a table that is not there"),
    Metric("stall.raised", "Raised", Unit.COUNT, RAISING, "a statement that cannot be made"),
]


@pytest.fixture(scope="module")
def poisoned(make_market):
    market = make_market(metrics=[*BROKEN, *METRICS])
    market.sell("2026-01-05T10:00")
    return market


@pytest.mark.parametrize("name", ["stall.lost", "stall.raised"])
def test_a_question_about_it_says_so_and_others_are_answered(poisoned, name):
    staff = poisoned.person(sees_all=True)
    answer = poisoned.call("query", staff, query_string={"metric": name, **JANUARY})
    assert (answer.status_code, answer.json["code"]) == (503, "metric_broken")
    assert answer.json["metric"] == name
    assert poisoned.totals(staff, metric="stall.sold", **JANUARY) == {("stall.sold", None): "1"}


def test_ones_own_page_names_it_and_shows_the_rest(poisoned):
    anna = poisoned.person()
    poisoned.sql(
        "INSERT INTO stall_sale SELECT clock_timestamp(), clock_timestamp(), :id, 7, 'DE', 'EUR',"
        " 1000, 0, -1, false",
        id=anna.id,
    )
    page = poisoned.call("me", anna).json
    assert page["broken"] == ["stall.lost", "stall.raised"]
    assert {"stall.sold": "1", "stall.gross": "10.00"}.items() <= {
        each["metric"]: each["total"] for each in page["items"]
    }.items()


def test_the_job_makes_all_other_sums_and_leaves_no_dead_letter(poisoned):
    poisoned.sql("TRUNCATE stats_source CASCADE")
    poisoned.work(lambda: outbox.enqueue("stats.keep"))
    with poisoned.app.app_context():
        for _ in range(3):
            jobs.run_due(poisoned.app)
    assert poisoned.sql("SELECT facts FROM stats_source ORDER BY 1") == [
        ("stall.sales",),
        ("stall.secrets",),
    ]
    assert poisoned.sql("SELECT count(*) > 0 FROM stats_day_sum") == [(True,)]
    states = {state for (state,) in poisoned.sql("SELECT DISTINCT state FROM torg_outbox")}
    assert states == {"done"}


@pytest.mark.parametrize("command", ["rollup", "rebuild"])
def test_the_commands_name_it_do_the_rest_and_exit_with_one(poisoned, command):
    with poisoned.app.app_context():
        answer = CliRunner().invoke(group, [command])
    assert answer.exit_code == 1
    lines = dict(line.split(": ", 1) for line in answer.output.splitlines() if ": " in line)
    assert lines["stall.gone"].startswith("BROKEN: ")
    assert lines["stall.raising"] == "BROKEN: RuntimeError: no facts today"
    assert not lines["stall.sales"].startswith("BROKEN")


def test_the_proof_names_it(poisoned):
    poisoned.sql(
        "INSERT INTO stats_source (facts, shape, watermark) VALUES ('stall.gone', '', now())"
    )
    with poisoned.app.app_context():
        answer = CliRunner().invoke(group, ["prove"])
    assert answer.exit_code == 1
    assert "stall.gone: BROKEN: " in answer.output
    assert "stall.sales: ok" in answer.output


def test_a_report_about_it_is_mailed_and_says_so(poisoned):
    staff = poisoned.person(sees_all=True)
    made = poisoned.call(
        "reports", staff, "POST", json={"name": "Lost", "question": {"metric": ["stall.lost"]}}
    )
    assert poisoned.call(f"reports/{made.json['id']}/send", staff, "POST").status_code == 202
    with poisoned.app.app_context():
        for _ in range(4):
            jobs.run_due(poisoned.app)
    (letter,) = mail.Mailbox(poisoned.app).to(staff.email)
    assert "stall.lost cannot be counted now" in letter.text
