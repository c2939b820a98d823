"""Hostile webhooks, and refusals that name the place.

Every field of every route meets the corpus in `tests/end_to_end/test_bad_input.py`.
"""

import pytest


def test_hostile_webhooks_are_refused(books, bad_inputs):
    for body in bad_inputs.BODIES:
        answer = books.call("POST", "/providers/manual/webhook", data=body)
        assert 400 <= answer.status_code < 500, body[:40]
        assert answer.content_type == "application/problem+json", body[:40]
        assert answer.json["code"], body[:40]


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"provider": "nobody"}, "/provider", "provider_unknown"),
        ({"amount": {"amount": "1.00", "currency": "GBP"}}, "/amount/currency",
         "currency_not_offered"),
        ({"amount": {"amount": "9999999.00", "currency": "EUR"}}, "/amount", "payment_too_large"),
    ],
)  # fmt: skip
def test_a_refused_deposit_names_the_place_in_words_for_people(books, changes, pointer, code):
    body = {"amount": {"amount": "1.00", "currency": "EUR"}, "provider": "manual", **changes}
    answer = books.call("POST", "/deposits", books.person(), json=body)
    (found,) = answer.json["errors"]
    assert (answer.status_code, found["pointer"], found["code"]) == (422, pointer, code)
    assert found["message"] == answer.json["detail"]
    assert "[" not in found["message"]


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"user": "nobody"}, "/user", "unknown_person"),
        ({"amount": {"amount": "0.00", "currency": "EUR"}}, "/amount", "amount_zero"),
    ],
)
def test_a_refused_adjustment_names_the_place(books, changes, pointer, code):
    amount = {"amount": "1.00", "currency": "EUR"}
    body = {"user": books.person().username, "amount": amount, "reason": "It was wrong", **changes}
    staff = books.person(permissions=["wallet.adjustment.create"])
    answer = books.call("POST", "/admin/adjustments", staff, json=body)
    (found,) = answer.json["errors"]
    assert (answer.status_code, found["pointer"], found["code"]) == (422, pointer, code)
