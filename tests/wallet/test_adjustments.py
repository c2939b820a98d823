"""Corrections by staff: with a reason, in the books, large ones by two people, never one's own."""

import psycopg2
import pytest


@pytest.fixture
def clerk(books):
    return books.person("clerk", role="manager")


@pytest.fixture
def chief(books):
    return books.person("chief", role="admin")


def adjust(books, by, person, amount, reason="a mistake"):
    body = {
        "user": person.username,
        "amount": {"amount": amount, "currency": "EUR"},
        "reason": reason,
    }
    return books.call("POST", "/admin/adjustments", by, json=body)


def posted(books, person):
    items = books.get("/accounts", person)["items"]
    return items[0]["posted"]["amount"] if items else None


def decide(books, by, number, decision="approve"):
    return books.call("POST", f"/admin/adjustments/{number}/{decision}", by)


def test_a_small_adjustment_is_posted_at_once_with_its_reason(books, clerk):
    anna = books.person("anna")
    answer = adjust(books, clerk, anna, "20.00", "Sorry for the delay")
    assert (answer.status_code, answer.json["status"]) == (201, "posted")
    assert answer.json["created_by"] == clerk.username
    assert posted(books, anna) == "20.00"
    account = books.get("/accounts", anna)["items"][0]["id"]
    (entry,) = books.get(f"/accounts/{account}/entries", anna)["items"]
    assert (entry["purpose"], entry["description"]) == ("adjustment", "Sorry for the delay")


def test_a_large_adjustment_waits_for_a_second_person(books, clerk, chief):
    anna = books.person("anna")
    number = adjust(books, clerk, anna, "100.01").json["id"]
    assert posted(books, anna) is None
    assert decide(books, clerk, number).status_code == 403
    for _ in range(2):
        answer = decide(books, chief, number)
        assert (answer.json["status"], answer.json["decided_by"]) == ("posted", chief.username)
    assert posted(books, anna) == "100.01"
    assert decide(books, chief, number, "decline").json["code"] == "adjustment_decided"


def test_many_small_ones_of_a_day_count_together(books, clerk):
    anna = books.person("anna")
    statuses = [adjust(books, clerk, anna, "40.00").json["status"] for _ in range(3)]
    assert statuses == ["posted", "posted", "waiting"]
    assert adjust(books, clerk, anna, "-20.00").json["status"] == "posted"


def test_the_maker_does_not_approve_even_as_chief(books, chief):
    number = adjust(books, chief, books.person(), "500.00").json["id"]
    answer = decide(books, chief, number)
    assert (answer.status_code, answer.json["code"]) == (403, "second_person_needed")


def test_nobody_adjusts_or_approves_his_own_account(books, clerk, chief):
    assert adjust(books, clerk, clerk, "1.00").json["code"] == "own_money"
    number = adjust(books, clerk, chief, "500.00").json["id"]
    assert decide(books, chief, number).json["code"] == "own_money"


def test_a_declined_adjustment_moves_nothing(books, clerk, chief):
    anna = books.person("anna")
    number = adjust(books, clerk, anna, "500.00").json["id"]
    assert decide(books, chief, number, "decline").json["status"] == "declined"
    assert posted(books, anna) is None
    assert decide(books, chief, number).status_code == 409
    assert decide(books, chief, 999_999).status_code == 404


def test_no_more_is_taken_than_there_is_and_the_reason_is_needed(books, clerk):
    anna = books.person("anna")
    assert adjust(books, clerk, anna, "-1.00").json["code"] == "insufficient_funds"
    assert adjust(books, clerk, anna, "1.00", "  ").status_code == 422
    assert adjust(books, clerk, anna, "0.00").status_code == 422
    nobody = type("Nobody", (), {"username": "nobody"})
    assert adjust(books, clerk, nobody, "1.00").json["code"] == "unknown_person"
    assert adjust(books, anna, anna, "1.00").status_code == 403


def test_past_the_application_a_second_person_is_needed_as_well(books, clerk):
    number = adjust(books, clerk, books.person(), "500.00").json["id"]
    with pytest.raises(psycopg2.errors.CheckViolation):
        books.sql(
            "UPDATE wallet_adjustment SET status = 'posted', transfer_id = 1 WHERE id = %s", number
        )
    with pytest.raises(psycopg2.errors.CheckViolation):
        books.sql(
            "UPDATE wallet_adjustment SET decided_by_id = created_by_id WHERE id = %s", number
        )


def test_adjustments_are_listed_by_status(books, clerk):
    number = adjust(books, clerk, books.person(), "500.00").json["id"]
    items = books.get("/admin/adjustments", clerk, status="waiting")["items"]
    assert items[0]["id"] == number
    assert items[0]["transfer"] is None


def test_the_proof_is_shown_to_who_may_see_it(books, chief, clerk):
    proof = books.get("/admin/proof", chief)
    assert proof["is_sound"] is True
    assert "LE9" in proof["invariants"]
    assert books.call("GET", "/admin/proof", clerk).status_code == 403
