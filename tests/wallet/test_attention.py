"""What people hear about their money, and what the house does about odd events of providers."""

import json

import pytest

from torg import events, jobs, mail
from torg.db import database_now, unit_of_work
from torg.health import Degraded
from torg_wallet import checks
from torg_wallet.domain.signatures import sign
from torg_wallet.providers.sandbox import secret

EURO = {"amount": "25.00", "currency": "EUR"}


@pytest.fixture(scope="module")
def books(make_books):
    return make_books(sections={"wallet": {"sandbox": True}})


@pytest.fixture
def anna(books):
    return books.person("anna")


@pytest.fixture
def clerk(books):
    return books.person("clerk", role="manager")


def begin(books, person, kind="deposits", provider="manual"):
    body = {"amount": EURO, "provider": provider}
    if kind == "payouts":
        body["destination"] = "DE02120300000000202051"
    return books.call("POST", f"/{kind}", person, json=body).json["reference"]


def end(books, clerk, kind, reference, outcome="succeeded", reason=""):
    path = f"/admin/{kind}/{reference}/confirm"
    body = {"outcome": outcome, "reason": reason}
    assert books.call("POST", path, clerk, json=body).status_code == 200


def told(books, person):
    jobs.run_due(books.app)
    return mail.Mailbox(books.app).to(person.email)


def webhook(books, reference, status, event_id):
    said = {"reference": reference, "status": status, "minor": 2500, "currency": "EUR"}
    body = json.dumps(said).encode()
    with books.app.app_context(), unit_of_work("read", books.app):
        headers = sign(secret(), event_id, database_now(), body)
    assert books.call("POST", "/providers/sandbox/webhook", data=body, headers=headers).json


def test_a_deposit_that_came_in_is_told_once(books, anna, clerk):
    reference = begin(books, anna)
    for _ in range(2):
        end(books, clerk, "deposits", reference)
    [letter] = told(books, anna)
    assert letter.subject == "Money has come in: €25.00"
    assert reference in letter.text
    assert "can be used" in letter.text


def test_a_deposit_that_failed_is_told_with_its_reason(books, anna, clerk):
    end(books, clerk, "deposits", begin(books, anna), "failed", "The bank said no.")
    [letter] = told(books, anna)
    assert letter.subject == "Your deposit has failed"
    assert "Why: The bank said no." in letter.text


@pytest.mark.parametrize(
    ("outcome", "subject"),
    [("succeeded", "Paid out: €25.00"), ("failed", "Your payout has come back")],
)
def test_the_end_of_a_payout_is_told_without_its_whole_destination(
    books, anna, clerk, outcome, subject
):
    books.account(3000, anna)
    end(books, clerk, "payouts", begin(books, anna, "payouts"), outcome)
    [letter] = told(books, anna)
    assert letter.subject == subject
    assert "DE02…2051" in letter.text
    assert "DE02120300000000202051" not in letter.text + letter.html


def test_a_correction_is_told_with_its_reason(books, anna, clerk):
    body = {"user": anna.username, "amount": EURO, "reason": "Double payment"}
    assert books.call("POST", "/admin/adjustments", clerk, json=body).status_code == 201
    [letter] = told(books, anna)
    assert letter.subject == "Your account was corrected: €25.00"
    assert "added money" in letter.text
    assert "Double payment" in letter.text


def test_other_plugins_hear_how_payments_end(make_books):
    books = make_books()
    heard = []
    with books.app.app_context():
        events.registry().subscribe(
            "test", events.Subscription("wallet.deposit_ended", heard.append, "in_transaction")
        )
    anna, clerk = books.person("anna"), books.person("clerk", role="manager")
    reference = begin(books, anna)
    for _ in range(2):
        end(books, clerk, "deposits", reference)
    assert heard == [
        {
            "reference": reference,
            "identity_id": anna.id,
            "amount": EURO,
            "provider": "manual",
            "is_done": True,
        }
    ]


def test_an_odd_event_worries_until_somebody_has_looked_at_it(books, anna, clerk):
    reference = begin(books, anna, provider="sandbox")
    for number, status in enumerate(("succeeded", "failed")):
        webhook(books, reference, status, f"{reference}:{number}")
    listed = books.get("/admin/provider-events", clerk, is_waiting="true", reference=reference)
    [odd] = listed["items"]
    assert (odd["outcome"], odd["acknowledged_by"], odd["note"]) == ("contradicts", None, "")
    with unit_of_work("read", books.app), pytest.raises(Degraded):
        checks.providers_make_sense()
    path = f"/admin/provider-events/{odd['id']}/acknowledge"
    body = {"note": "They were wrong, and said so."}
    assert books.call("POST", path, anna, json=body).status_code == 403
    done = books.call("POST", path, clerk, json=body)
    assert (done.status_code, done.json["acknowledged_by"]) == (200, clerk.username)
    with unit_of_work("read", books.app):
        assert checks.providers_make_sense() == "nothing contradicts what is booked"
    other = books.person("other", role="manager")
    again = books.call("POST", path, other, json={"note": "Me too."})
    assert again.json["acknowledged_by"] == clerk.username
    assert again.json["note"] == body["note"]
    both = books.get("/admin/provider-events", clerk, reference=reference)["items"]
    assert [each["outcome"] for each in both] == ["contradicts", "applied"]


def test_only_what_is_odd_is_acknowledged(books, anna, clerk):
    reference = begin(books, anna, provider="sandbox")
    webhook(books, reference, "succeeded", f"{reference}:only")
    [fine] = books.get("/admin/provider-events", clerk, reference=reference)["items"]
    for number in (fine["id"], 10**9):
        path = f"/admin/provider-events/{number}/acknowledge"
        assert books.call("POST", path, clerk, json={"note": "x"}).status_code == 404


def test_the_proof_finds_nothing(books):
    assert books.prove() == []
