"""Kept reports: one's own, sent when they are due, once, with today's rights."""

import contextlib
import datetime as dt
import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from torg import jobs, mail, outbox, testing_people
from torg_stats import personal
from torg_stats.schemas import KeptQuestion
from torg_stats.services import reports

QUESTION = {"metric": ["stall.gross"], "by": ["dealer"], "days": 7}


@pytest.fixture
def anna(market):
    return market.person(sees_all=True)


def create(market, person, **more):
    body = {"name": "Gross", "question": QUESTION, **more}
    answer = market.call("reports", person, "POST", json=body)
    assert answer.status_code == 201, answer.json
    return answer


def run(market):
    with market.app.app_context():
        for _ in range(4):
            jobs.run_due(market.app)


def mails(market, person):
    return mail.Mailbox(market.app).to(person.email)


def sell_yesterday(market, gross=1234, **facts):
    day = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    market.sell(day.replace(hour=12).isoformat(), gross, **facts)


def test_a_report_is_kept_shown_changed_and_deleted(market, anna):
    made = create(market, anna, schedule="weekly")
    path = f"reports/{made.json['id']}"
    assert made.headers["Location"].endswith(path)
    assert made.json["question"]["interval"] is None
    shown = market.call(path, anna)
    assert shown.json == made.json
    tag = {"If-Match": shown.headers["ETag"]}
    changed = market.call(path, anna, "PATCH", json={"name": "Other"}, headers=tag)
    assert (changed.status_code, changed.json["name"]) == (200, "Other")
    again = market.call(path, anna, "PATCH", json={"name": "Third"}, headers=tag)
    assert again.status_code == 412
    assert [each["name"] for each in market.call("reports", anna).json["items"]] == ["Other"]
    assert market.call(path, anna, "DELETE").status_code == 204
    assert market.call(path, anna).status_code == 404
    assert market.call(path, anna, "DELETE").status_code == 404


def test_a_deleted_report_stays_in_the_database_and_is_neither_listed_nor_sent(market, anna):
    made = create(market, anna, schedule="daily").json
    assert made["is_active"] is True
    market.work(lambda: reports.send_now(made["id"]))
    assert market.call(f"reports/{made['id']}", anna, "DELETE").status_code == 204
    assert market.sql("SELECT is_active FROM stats_report") == [(False,)]
    assert market.call("reports", anna).json["items"] == []
    assert market.call(f"reports/{made['id']}/send", anna, "POST").status_code == 404
    market.sql("UPDATE stats_report SET due_at = clock_timestamp() - interval '1 hour'")
    market.work(lambda: outbox.enqueue("stats.send_due"))
    run(market)
    assert mails(market, anna) == []


def test_of_somebody_else_is_404(market, anna):
    path = f"reports/{create(market, anna).json['id']}"
    other = market.person(sees_all=True)
    assert market.call(path, other).status_code == 404
    assert market.call(path, other, "PATCH", json={"name": "Mine"}).status_code == 404
    assert market.call(path, other, "DELETE").status_code == 404
    assert market.call(f"{path}/answer", other).status_code == 404
    assert market.call(f"{path}/send", other, "POST").status_code == 404
    assert market.call("reports", other).json["items"] == []


def test_a_question_that_cannot_be_answered_is_not_kept(market, anna):
    body = {"name": "Bad", "question": {**QUESTION, "metric": ["stall.nothing"]}}
    assert market.call("reports", anna, "POST", json=body).status_code == 422


def test_a_name_of_blanks_is_none(market, anna):
    answer = market.call("reports", anna, "POST", json={"name": "  ", "question": QUESTION})
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/name")
    assert create(market, anna, name=" Gross ").json["name"] == "Gross"


def test_its_answer_is_about_the_whole_days_before_today(market, anna):
    sell_yesterday(market)
    market.sell(dt.datetime.now(dt.UTC).isoformat(), 9999)
    path = f"reports/{create(market, anna).json['id']}/answer"
    (series,) = market.call(path, anna).json["series"]
    assert series["total"] == "12.34"
    assert market.call(path, anna, query_string={"format": "csv"}).mimetype == "text/csv"


def test_a_due_report_is_mailed_once_and_due_again_later(market, anna):
    sell_yesterday(market)
    report_id = create(market, anna, schedule="daily").json["id"]
    market.sql("UPDATE stats_report SET due_at = clock_timestamp() - interval '1 hour'")
    for _ in range(2):
        market.work(lambda: outbox.enqueue("stats.send_due"))
    run(market)
    (letter,) = mails(market, anna)
    assert "Dealer 7" in letter.text
    assert "12.34 EUR" in letter.text
    due = market.call(f"reports/{report_id}", anna).json["due_at"]
    assert dt.datetime.fromisoformat(due) > dt.datetime.now(dt.UTC)


def test_reports_that_are_due_together_do_not_wait_for_one_tick_each(market, anna):
    market.sql(
        "INSERT INTO stats_report (owner_id, name, question, schedule, due_at)"
        " SELECT :owner, 'R' || n, CAST(:question AS jsonb), 'daily',"
        " clock_timestamp() - interval '1 hour' FROM generate_series(1, 60) AS n",
        owner=anna.id,
        question=json.dumps(KeptQuestion().load(QUESTION)),
    )
    market.work(lambda: outbox.enqueue("stats.send_due"))
    run(market)
    waiting = "SELECT count(*) FROM stats_report WHERE due_at <= clock_timestamp()"
    assert market.sql(waiting) == [(0,)]
    assert len(mails(market, anna)) == 60


def test_the_rights_of_the_moment_count(market):
    person = market.person(sees_all=True, locale="ru")
    sell_yesterday(market)
    report_id = create(market, person).json["id"]
    people: testing_people.People = market.app.extensions["torg.testing"]
    people.take(person, "stats.metric.read")
    assert market.call(f"reports/{report_id}/send", person, "POST").status_code == 202
    run(market)
    (letter,) = mails(market, person)
    assert "12.34" not in letter.text
    assert "За эти дни ничего не произошло" in letter.text


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("gone.metric", "Больше никто не считает gone.metric."),
        ("stall.secret", "stall.secret видно с правом stats.metric.read"),
    ],
)
def test_why_a_report_has_no_numbers_is_said_in_the_readers_language(market, metric, words):
    person = market.person(locale="ru")
    report_id = create(market, person).json["id"]
    market.sql(
        "UPDATE stats_report SET question = question || CAST(:change AS jsonb)",
        change=json.dumps({"metric": [metric], "by": []}),
    )
    assert market.call(f"reports/{report_id}/send", person, "POST").status_code == 202
    run(market)
    (letter,) = mails(market, person)
    assert words in letter.text


def test_a_report_whose_plugin_went_away_says_so(market, anna):
    report_id = create(market, anna).json["id"]
    market.sql('UPDATE stats_report SET question = question || \'{"metric": ["gone.metric"]}\'')
    assert market.call(f"reports/{report_id}/send", anna, "POST").status_code == 202
    run(market)
    (letter,) = mails(market, anna)
    assert "could not be made" in letter.text


def test_one_person_keeps_a_limited_number(market, anna):
    market.sql(
        "INSERT INTO stats_report (owner_id, name, question)"
        " SELECT :owner, 'many', '{}' FROM generate_series(1, 100)",
        owner=anna.id,
    )
    body = {"name": "One more", "question": QUESTION}
    answer = market.call("reports", anna, "POST", json=body)
    assert (answer.status_code, answer.json["code"]) == (409, "reports_full")
    market.sql(
        "UPDATE stats_report SET is_active = false WHERE id = (SELECT min(id) FROM stats_report)"
    )
    assert market.call("reports", anna, "POST", json=body).status_code == 201


def kept_at_once(market, anna, monkeypatch, patience, number=4):
    """The answers to so many requests for the hundredth report, each as late as it can be.

    Each waits for the others between counting and writing, at most so many seconds.
    """
    market.sql(
        "INSERT INTO stats_report (owner_id, name, question)"
        " SELECT :owner, 'many', '{}' FROM generate_series(1, 99)",
        owner=anna.id,
    )
    counted, plan = threading.Barrier(number, timeout=patience), reports.next_due

    def late(*about):
        with contextlib.suppress(threading.BrokenBarrierError):
            counted.wait()
        return plan(*about)

    monkeypatch.setattr(reports, "next_due", late)
    body = {"name": "The last one", "question": QUESTION}

    def ask(_):
        return market.call("reports", anna, "POST", json=body).status_code

    with ThreadPoolExecutor(number) as pool:
        return Counter(pool.map(ask, range(number)))


def test_of_parallel_requests_for_the_last_place_one_gets_it(market, anna, monkeypatch):
    assert kept_at_once(market, anna, monkeypatch, patience=0.5) == {201: 1, 409: 3}


def test_without_the_guard_each_of_them_would(market, anna, monkeypatch):
    monkeypatch.setattr(reports, "_ALONE", text("SELECT :owner_id"))
    assert kept_at_once(market, anna, monkeypatch, patience=30) == {201: 4}


def test_personal_data_is_given_out_and_erased(market, anna):
    create(market, anna)
    found = market.work(lambda: personal.export(anna.id))
    assert [each["name"] for each in found["reports"]] == ["Gross"]
    market.work(lambda: personal.erase(anna.id))
    assert market.call("reports", anna).json["items"] == []
