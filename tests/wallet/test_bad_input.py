"""Hostile input costs a 4xx, and breaks no list afterwards: every field of every route."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

PLACE = re.compile(r"\{\w+\}")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if path.startswith("/api/v1/wallet") and isinstance(operation, dict):
                yield method, path, operation


def example_of(operation: dict[str, Any]) -> dict[str, Any] | None:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if "example" in content:
        return dict(content["example"])
    for example in content.get("examples", {}).values():
        return dict(example["value"])
    return None


def check(answer: Any, case: str) -> None:
    assert answer.status_code < 500, f"{case}: {answer.status_code} {answer.get_data()[:500]!r}"
    if answer.status_code >= 400:
        assert answer.content_type == "application/problem+json", case
        assert json.loads(answer.get_data())["code"], case


def test_every_field_query_and_path_refuses_the_corpus(make_books, bad_inputs):
    books = make_books(rate_limits={"wallet_get_proof": "100000 per minute"})
    person = books.person("root", role="admin")
    books.person("anna")
    books.account(10_000, person)
    client = books.app.test_client()
    asked = 0
    for method, path, operation in operations(client.get("/openapi.json").json):
        url = PLACE.sub("1", path)
        example = example_of(operation)
        if method == "get":
            for query in bad_inputs.QUERIES:
                check(client.get(f"{url}?{query}", headers=person.headers), f"{url}?{query}")
        for value in bad_inputs.PATH_IDS if "{" in path else ():
            placed = PLACE.sub(lambda _match, value=value: value, path)
            check(client.open(placed, method=method.upper(), headers=person.headers), placed)
        if example is None:
            continue
        raw = [(str(body[:40]), body) for body in bad_inputs.BODIES]
        for case, body in (*bad_inputs.bodies(example), *raw):
            answer = client.open(
                *(url,),
                method=method.upper(),
                data=body,
                headers=person.headers,
                content_type="application/json",
            )
            check(answer, f"{method} {path} {case}")
            asked += 1
    assert asked > 500
    for path in ("/accounts", "/holds", "/deposits", "/payouts", "/bonus", "/bonus/lots"):
        books.get(path, person)
    for path in ("/admin/adjustments", "/admin/codes"):
        books.get(path, person)
    assert books.prove() == []


def test_hostile_webhooks_are_refused(books, bad_inputs):
    for body in bad_inputs.BODIES:
        answer = books.call("POST", "/providers/manual/webhook", data=body)
        check(answer, repr(body[:40]))
        assert 400 <= answer.status_code < 500


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
