"""Deposits and payouts: booked once, whatever the provider tells, how often and in what order."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from torg import jobs
from torg.db import database_now, unit_of_work
from torg_wallet.domain.signatures import sign
from torg_wallet.providers.sandbox import SCENARIOS, secret


def euro(amount):
    return {"amount": amount, "currency": "EUR"}


@pytest.fixture(scope="module")
def books(make_books):
    return make_books(sections={"wallet": {"sandbox": True}})


@pytest.fixture
def anna(books):
    return books.person("anna")


def begin(books, person, amount="25.00", provider="sandbox", kind="deposits", **headers):
    body = {"amount": euro(amount), "provider": provider}
    if kind == "payouts":
        body["destination"] = "DE02120300000000202051"
    return books.call("POST", f"/{kind}", person, json=body, headers=headers)


def settle(books):
    """Run everything that is or will be due, as if time had passed."""
    for _ in range(4):
        jobs.run_due(books.app)
        books.sql("UPDATE torg_outbox SET run_at = clock_timestamp() WHERE state = 'queued'")
    jobs.run_due(books.app)


def told(books, reference, status, minor=2500, event_id=None, currency="EUR", **changes):
    """A webhook as the sandbox sends it, over HTTP."""
    said = {"reference": reference, "status": status, "minor": minor, "currency": currency}
    body = json.dumps(said).encode()
    with books.app.app_context(), unit_of_work("read", books.app):
        sent_at = database_now() + timedelta(seconds=changes.pop("late", 0))
        headers = sign(secret(), event_id or f"{reference}:{status}", sent_at, body)
    headers.update(changes.pop("headers", {}))
    return books.call(
        "POST", "/providers/sandbox/webhook", data=changes.pop("body", body), headers=headers
    )


def main_balance(books, person):
    items = books.get("/accounts", person)["items"]
    return {each["posted"]["currency"]: each for each in items}["EUR"]


def outcomes(books, reference):
    rows = books.sql(
        "SELECT status, outcome FROM wallet_provider_event WHERE reference = %s ORDER BY id",
        reference,
    )
    return [tuple(row) for row in rows]


def test_a_deposit_is_booked_when_the_provider_says_so(books, anna):
    answer = begin(books, anna)
    assert answer.status_code == 201
    assert answer.json["status"] == "created"
    assert main_balance(books, anna)["posted"]["amount"] == "0.00"
    settle(books)
    shown = books.get(f"/deposits/{answer.json['reference']}", anna)
    assert shown["status"] == "succeeded"
    assert shown["transfer"] is not None
    assert main_balance(books, anna)["posted"]["amount"] == "25.00"


@pytest.mark.parametrize("cents", sorted(SCENARIOS))
def test_every_trouble_of_the_sandbox_ends_right(books, anna, cents):
    reference = begin(books, anna, f"1.{cents:02}").json["reference"]
    settle(books)
    shown = books.get(f"/deposits/{reference}", anna)
    expected = {13: "failed", 29: "processing", 31: "failed"}.get(cents, "succeeded")
    assert shown["status"] == expected
    booked = f"1.{cents:02}" if expected == "succeeded" else "0.00"
    assert main_balance(books, anna)["posted"]["amount"] == booked
    if cents == 31:
        assert outcomes(books, reference)[-1] == ("succeeded", "contradicts")


def test_a_silent_provider_is_asked_and_silence_is_no_failure(books, anna):
    reference = begin(books, anna, "1.29").json["reference"]
    settle(books)
    books.sql(
        "UPDATE wallet_deposit SET updated_at = clock_timestamp() - interval '1 hour'"
        " WHERE reference = %s",
        reference,
    )
    from torg_wallet.services import payments

    with unit_of_work(app=books.app):
        assert payments.ask_about_silent() >= 1
    settle(books)
    assert books.get(f"/deposits/{reference}", anna)["status"] == "succeeded"


@pytest.mark.parametrize(
    ("provider", "locale", "word"),
    [
        ("manual", "ru", "Переведите"),
        ("manual", "en", "Transfer"),
        ("sandbox", "ru", "ненастоящие"),
        ("sandbox", None, "Nothing"),
    ],
)
def test_what_to_do_next_is_told_in_ones_own_language(books, provider, locale, word):
    somebody = books.person("somebody", locale=locale)
    reference = begin(books, somebody, provider=provider).json["reference"]
    jobs.run_due(books.app)
    assert word in books.get(f"/deposits/{reference}", somebody)["next_step"]


def test_a_silent_provider_is_asked_however_many_others_say_nothing(make_books):
    books = make_books(sections={"wallet": {"sandbox": True}})
    anna = books.person("anna")
    for _ in range(3):
        begin(books, anna, provider="manual")
    forever, ends = (begin(books, anna, cents).json["reference"] for cents in ("1.17", "1.29"))
    jobs.run_due(books.app)
    books.sql(
        "UPDATE wallet_deposit SET updated_at = clock_timestamp() - interval '1 hour'"
        " + id * interval '1 second'"
    )
    from torg_wallet.services import payments

    for expected in (forever, ends):
        with unit_of_work(app=books.app):
            assert payments.ask_about_silent(limit=1) == 1
        (asked,) = books.sql(
            "SELECT payload ->> 'reference' FROM torg_outbox WHERE job = 'wallet.ask_payment'"
            " ORDER BY id DESC LIMIT 1"
        )
        assert asked == (expected,)


def test_a_thousand_events_three_times_and_shuffled_have_a_thousand_effects(books, anna):
    number = 40
    references = [begin(books, anna).json["reference"] for _ in range(number)]
    calls = [
        (reference, status)
        for reference in references
        for status in ("processing", "succeeded")
        for _ in range(3)
    ]
    random.Random(5).shuffle(calls)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda call: told(books, *call).status_code, calls))
    assert set(answers) == {200}
    assert main_balance(books, anna)["posted"]["amount"] == f"{25 * number}.00"
    assert books.prove() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": {"webhook-signature": "v1,AAAA"}},
        {"headers": {"webhook-id": "another"}},
        {"body": b'{"reference": "forged"}'},
        {"late": -301},
        {"late": 302},
        {"currency": "EURO"},
        {"minor": "25"},
        {"status": "done"},
    ],
)
def test_a_webhook_that_is_not_authentic_is_refused_and_has_no_effect(books, anna, changes):
    reference = begin(books, anna).json["reference"]
    changes = {"status": "succeeded", **changes}
    answer = told(books, reference, **changes)
    assert (answer.status_code, answer.json["code"]) == (400, "webhook_refused")
    assert outcomes(books, reference) == []


def test_a_webhook_without_signature_or_for_an_unknown_provider_is_refused(books):
    assert books.call("POST", "/providers/sandbox/webhook", data=b"{}").status_code == 400
    assert books.call("POST", "/providers/manual/webhook", data=b"{}").status_code == 400
    assert books.call("POST", "/providers/nobody/webhook", data=b"{}").status_code == 422


def test_an_event_of_another_amount_or_of_no_payment_is_kept_and_not_booked(books, anna):
    reference = begin(books, anna).json["reference"]
    assert told(books, reference, "succeeded", minor=2501).status_code == 200
    assert told(books, "DP0", "succeeded").status_code == 200
    assert outcomes(books, reference) == [("succeeded", "wrong_amount")]
    assert outcomes(books, "DP0") == [("succeeded", "unknown_payment")]
    assert main_balance(books, anna)["posted"]["amount"] == "0.00"


def test_a_deposit_is_refused_beyond_what_is_offered(books, anna):
    assert begin(books, anna, "0.00").status_code == 422
    assert begin(books, anna, "-1.00").status_code == 422
    assert begin(books, anna, "1000000.01").json["code"] == "payment_too_large"
    assert begin(books, anna, provider="nobody").json["code"] == "provider_unknown"
    yen = {"amount": {"amount": "5", "currency": "JPY"}, "provider": "sandbox"}
    assert books.call("POST", "/deposits", anna, json=yen).json["code"] == "currency_not_offered"
    assert begin(books, books.person(email_verified=False)).json["code"] == "email_unverified"


def test_a_repeat_with_the_same_key_begins_one_deposit(books, anna):
    first = begin(books, anna, **{"Idempotency-Key": "deposit-1"})
    again = begin(books, anna, **{"Idempotency-Key": "deposit-1"})
    assert again.json == first.json
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(books.get("/deposits", anna)["items"]) == 1


def test_a_payout_is_held_at_once_and_captured_when_it_is_settled(books, anna):
    books.account(3000, anna)
    answer = begin(books, anna, kind="payouts")
    assert (answer.status_code, answer.json["status"]) == (201, "held")
    assert main_balance(books, anna)["available"]["amount"] == "5.00"
    assert begin(books, anna, kind="payouts").json["code"] == "insufficient_funds"
    settle(books)
    assert books.get(f"/payouts/{answer.json['reference']}", anna)["status"] == "settled"
    balance = main_balance(books, anna)
    assert (balance["posted"]["amount"], balance["pending"]["amount"]) == ("5.00", "0.00")


def test_a_payout_that_comes_back_lets_the_money_go(books, anna):
    books.account(3000, anna)
    reference = begin(books, anna, "20.13", kind="payouts").json["reference"]
    settle(books)
    assert books.get(f"/payouts/{reference}", anna)["status"] == "returned"
    assert main_balance(books, anna)["available"]["amount"] == "30.00"


def test_a_manual_deposit_is_confirmed_by_staff_once(books, anna):
    clerk = books.person("clerk", role="manager")
    reference = begin(books, anna, provider="manual").json["reference"]
    settle(books)
    shown = books.get(f"/deposits/{reference}", anna)
    assert shown["status"] == "processing"
    assert reference in shown["next_step"]
    path = f"/admin/deposits/{reference}/confirm"
    assert books.call("POST", path, anna).status_code == 403
    for _ in range(2):
        assert books.call("POST", path, clerk).json["status"] == "succeeded"
    assert main_balance(books, anna)["posted"]["amount"] == "25.00"
    other = books.call("POST", path, clerk, json={"outcome": "failed"})
    assert (other.status_code, other.json["code"]) == (409, "payment_ended")


def test_nobody_confirms_his_own_payment_nor_one_of_a_provider_that_speaks(books, anna):
    clerk = books.person("clerk", role="manager")
    own = begin(books, clerk, provider="manual").json["reference"]
    answer = books.call("POST", f"/admin/deposits/{own}/confirm", clerk)
    assert (answer.status_code, answer.json["code"]) == (403, "own_money")
    theirs = begin(books, anna).json["reference"]
    answer = books.call("POST", f"/admin/deposits/{theirs}/confirm", clerk)
    assert answer.json["code"] == "not_confirmed_by_staff"
    assert books.call("POST", "/admin/deposits/DP0/confirm", clerk).status_code == 404
    assert books.call("POST", f"/admin/payouts/{theirs}/confirm", clerk).status_code == 404


def test_a_manual_payout_is_settled_or_returned_by_staff(books, anna):
    clerk = books.person("clerk", role="manager")
    books.account(5000, anna)
    first, second = (
        begin(books, anna, provider="manual", kind="payouts").json["reference"] for _ in range(2)
    )
    settle(books)
    books.call("POST", f"/admin/payouts/{first}/confirm", clerk)
    books.call("POST", f"/admin/payouts/{second}/confirm", clerk, json={"outcome": "failed"})
    assert books.get(f"/payouts/{second}", anna)["status"] == "returned"
    assert main_balance(books, anna)["posted"]["amount"] == "25.00"


def test_without_the_setting_there_is_no_sandbox(make_books):
    plain = make_books()
    answer = begin(plain, plain.person())
    assert (answer.json["code"], answer.json["known"]) == ("provider_unknown", ["manual"])


def test_the_proof_finds_nothing(books):
    assert books.prove() == []
