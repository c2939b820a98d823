"""The plugin as the host sees it: contracts alone, blocked without them, documented, translated."""

import ast
import shlex
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

import torg_classic
from torg import i18n, openapi, operations
from torg.demo import Demo
from torg.plugins import State, registry
from torg_classic import plugin

HERE = Path(torg_classic.__file__).parent
PASSWORD = "a fine long sentence"
ADDRESSES = {
    "/api/register/": {"post"},
    "/api/login/": {"post"},
    "/api/products/": {"get"},
    "/api/products/export/": {"get"},
    "/products": {"post"},
    "/product": {"get"},
    "/categories": {"get"},
    "/cart": {"get", "post", "put", "delete"},
    "/order": {"post"},
}


def test_without_the_shop_it_is_blocked_and_says_what_is_missing(make_stall):
    stall = make_stall("auth", "classic")
    found = registry(stall.app).plugins["classic"]
    assert found.state is State.BLOCKED
    assert "catalogue" in found.reason
    for address in ("/api/products/", "/cart", "/order/"):
        answer = stall.client.open(address, method="POST", json={})
        assert (answer.status_code, answer.json["plugin"]) == (503, "classic")
    assert stall.client.get("/api/v1/auth/verification-levels").status_code in {200, 404}


def test_without_accounts_it_is_blocked_and_says_what_is_missing(make_stall):
    stall = make_stall("shop", "classic")
    found = registry(stall.app).plugins["classic"]
    assert found.state is State.BLOCKED
    assert "accounts" in found.reason
    assert stall.client.get("/api/v1/shop/products").status_code == 200


def test_switched_off_its_addresses_are_unknown_and_the_shop_goes_on(make_stall):
    stall = make_stall("auth", "shop")
    for address, methods in ADDRESSES.items():
        for method in methods:
            answer = stall.client.open(address, method=method.upper(), json={})
            assert (answer.status_code, answer.json["code"]) == (404, "not_found"), address
    assert stall.client.get("/api/v1/shop/products").status_code == 200


def test_it_touches_nobody_s_tables_nor_its_own():
    imported = set()
    for file in HERE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {each.name for each in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported |= {f"{node.module}.{each.name}" for each in node.names}
    forbidden = ("sqlalchemy", "torg.db", "torg_shop", "torg_auth", "psycopg2", "alembic")
    assert [each for each in imported if each.startswith(forbidden)] == []
    assert not (HERE / "migrations").exists()


def test_the_documents_have_every_address_as_it_is_written(stall):
    document = openapi.document(stall.app, "classic")
    methods = {"get", "post", "put", "delete", "patch"}
    paths = {path: methods & set(item) for path, item in document["paths"].items()}
    assert paths == ADDRESSES
    assert openapi.check(stall.app, "classic") == []
    OpenAPIV31SpecValidator(openapi.document(stall.app)).validate()


def test_every_address_answers_with_and_without_a_last_slash(stall):
    rules = {rule.rule for rule in stall.app.url_map.iter_rules() if "classic" in rule.endpoint}
    assert rules == set(ADDRESSES)
    for address, methods in ADDRESSES.items():
        for method in methods:
            answers = [
                stall.client.open(each, method=method.upper(), json={})
                for each in (address.rstrip("/"), address.rstrip("/") + "/")
            ]
            statuses = {answer.status_code for answer in answers}
            assert len(statuses) == 1, (address, method)
            assert not statuses & {301, 307, 308, 404, 405}


def test_an_unknown_method_or_address_is_a_problem_document(stall):
    for method, address, status in (
        ("GET", "/products", 405),
        ("DELETE", "/api/products", 405),
        ("GET", "/api/products/7", 404),
        ("GET", "/cart/lines", 404),
    ):
        answer = stall.client.open(address, method=method)
        assert (answer.status_code, answer.content_type) == (status, "application/problem+json")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"username": "a b"}, "/username"),
        ({"username": ""}, "/username"),
        ({"email": "nobody"}, "/email"),
        ({"password": "short"}, "/password"),
        ({"password": None}, "/password"),
        ({"is_admin": True}, "/is_admin"),
        ({"email": 7}, "/email"),
    ],
)
def test_a_wrong_registration_is_422_and_points_at_the_place(stall, change, pointer):
    body = {"username": "clara", "email": "clara@people.example", "password": PASSWORD, **change}
    answer = stall.client.post("/api/register/", json=body)
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    assert [each["pointer"] for each in answer.json["errors"]] == [pointer]


def test_a_taken_name_is_409_and_a_taken_address_is_no_secret_told(stall):
    body = {"username": "dora", "email": "dora@people.example", "password": PASSWORD}
    assert stall.client.post("/api/register/", json=body).status_code == 201
    again = stall.client.post("/api/register/", json={**body, "email": "other@people.example"})
    assert (again.status_code, again.json["code"]) == (409, "username_taken")
    same = stall.client.post("/api/register/", json={**body, "username": "dora2"})
    assert (same.status_code, same.json) == (201, {"message": "User registered successfully."})


def test_a_wrong_password_and_an_unknown_name_are_refused_alike(stall):
    stall.client.post(
        "/api/register/",
        json={"username": "emil", "email": "emil@people.example", "password": PASSWORD},
    )
    answers = [
        stall.client.post("/api/login/", json={"username": name, "password": "wrong and long"})
        for name in ("emil", "nobody")
    ]
    assert [each.status_code for each in answers] == [401, 401]
    assert len({each.json["code"] for each in answers}) == 1


def test_tries_here_count_together_with_those_of_accounts(stall):
    limits = {
        name: {(each.name, each.rate) for each in operation.declaration.limits}
        for name, operation in operations.operations(stall.app).items()
    }
    assert limits["classic.log_in"] == limits["auth.log_in"] != set()
    assert limits["classic.register"] == limits["auth.register"] != set()


def test_who_asks_in_russian_is_answered_so(stall):
    with stall.app.test_request_context(headers={"Accept-Language": "ru"}):
        assert i18n.gettext("Classic API") == "Классический API"
    answer = stall.client.post(
        "/products", json={"price_min": "ten"}, headers={"Accept-Language": "ru"}
    )
    assert answer.json["errors"][0]["message"] == "Нужно число."


@pytest.mark.parametrize(
    "body",
    [
        {"price_min": -1}, {"price_min": "10"}, {"price_max": 1e300}, {"price_max": True},
        {"category": 0}, {"category": "x"}, {"sort": "nothing"}, {"sort": 7}, {"colour": "red"},
    ],
)  # fmt: skip
def test_a_wrong_question_is_422_and_points_at_the_place(stall, body):
    answer = stall.client.post("/products", json=body)
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json["errors"]] == [f"/{next(iter(body))}"]


def test_what_the_demo_shows_can_be_pasted(stall):
    demo = Demo("classic", Random(1), datetime.now(UTC), "http://127.0.0.1:8000")
    plugin.torg_demo_data(demo)
    assert demo.tries
    for each in demo.tries:
        words = shlex.split(each.command.replace("{base_url}", ""))
        (address,) = [word for word in words if word.startswith("/")]
        body = words[words.index("-d") + 1] if "-d" in words else None
        answer = stall.client.open(
            address,
            method="GET" if body is None else "POST",
            data=body,
            content_type=None if body is None else "application/json",
        )
        assert answer.status_code == 200, (each.command, answer.get_data())
