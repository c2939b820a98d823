"""Bad input never costs more than a 4xx, and no value stored breaks what others read."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from torg import contracts, db, strict_json
from torg.money import Money
from torg.testing import AppMaker
from torg_auth.domain.access import ADMIN, USER
from torg_auth.services import access
from torg_auth.services.accounts import NewAccount, add_user
from torg_auth.services.callers import present_caller
from torg_auth.services.sessions import open_session
from torg_ledger import AccountKind, Entry, Ledger
from torg_wallet.services import proving

PLACE = re.compile(r"\{\w+\}")
METHODS = ("post", "put", "patch", "delete")
PLUGINS = ["auth", "auction", "wallet", "autotrade", "shop", "classic", "stats"]

# A stream has no end, and leaving would end the caller's own session half-way.
LEFT_OUT = ("/stream", "/auth/me", "/auth/logout", "/auth/sessions", "/sessions/{session_id}")


@pytest.fixture(scope="module")
def market(torg_environment: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An application whose own test client is asked, in this process."""
    maker = AppMaker(torg_environment, tmp_path_factory.mktemp("market"))
    yield maker(PLUGINS, rate_limits={"*": "off"})
    maker.close()


@pytest.fixture(scope="module")
def root(market: Any) -> int:
    """A confirmed person with every permission there is, and with money."""
    with db.unit_of_work(app=market):
        added = add_user(NewAccount("root", "root@people.example", ""), "none", verified=True)
        access.add_roles(added.id, [USER, ADMIN])
        fill_account(added.id)
    return int(added.id)


@pytest.fixture
def signed_in(market: Any, root: int) -> Iterator[dict[str, str]]:
    """The headers of `root`, who must still be let in when the test is over."""
    with db.unit_of_work(app=market):
        token = open_session(root, present_caller()).token
    headers = {"Authorization": f"Bearer {token}"}
    yield headers
    still = market.test_client().get("/api/v1/auth/me", headers=headers)
    assert still.status_code == 200, "what was asked last were refusals of a stranger"


def fill_account(owner: int) -> None:
    ledger: Ledger = contracts.require("ledger")
    bank = ledger.open_account("test:bank", "EUR", kind=AccountKind.ASSET)
    own = ledger.open_account("main", "EUR", owner_id=owner)
    entries = [Entry(bank, Money(-10_000, "EUR")), Entry(own, Money(10_000, "EUR"))]
    ledger.post(entries, source="test", purpose="gift", key="gift")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in (*METHODS, "get"):
                yield method, path, operation


def example_of(operation: dict[str, Any]) -> dict[str, Any] | None:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if "example" in content:
        return dict(content["example"])
    for example in content.get("examples", {}).values():
        return dict(example["value"])
    return None


def reads_query(document: dict[str, Any], operation: dict[str, Any]) -> bool:
    shared = document["components"].get("parameters", {})
    named = operation.get("parameters", ())
    found = [shared[each["$ref"].split("/")[-1]] if "$ref" in each else each for each in named]
    return any(each["in"] == "query" for each in found)


def check_problem(answer: Any, case: str) -> None:
    assert answer.status_code < 500, f"{case}: {answer.status_code} {answer.get_data()[:500]!r}"
    if answer.status_code >= 400:
        assert answer.content_type == "application/problem+json", case
        assert json.loads(answer.get_data())["code"], case


def read_every_list(market: Any, headers: dict[str, str]) -> None:
    document = market.test_client().get("/openapi.json").json
    for method, path, _ in operations(document):
        if method == "get" and "{" not in path and "callback" not in path:
            answer = market.test_client().get(path, headers=headers, buffered=True)
            assert answer.status_code in {200, 204, 400, 422}, (path, answer.get_data()[:300])
            if answer.is_json:
                strict_json.loads(answer.get_data())


def assert_books_are_sound(market: Any) -> None:
    with db.unit_of_work("read", market):
        assert proving.prove()["findings"] == []


def test_the_documents_of_plugins_and_host_hold_every_route(market: Any) -> None:
    client = market.test_client()
    parts = [client.get(f"/openapi/{name}.json").json["paths"] for name in [*PLUGINS, "host"]]
    assert {path for part in parts for path in part} == set(
        client.get("/openapi.json").json["paths"]
    )


@pytest.mark.parametrize("plugin", PLUGINS)
def test_every_field_of_every_route_refuses_the_corpus(
    market: Any, signed_in: dict[str, str], bad_inputs: Any, plugin: str
) -> None:
    client = market.test_client()
    asked = 0
    for method, path, operation in operations(client.get(f"/openapi/{plugin}.json").json):
        example = example_of(operation)
        if example is None or path.endswith(LEFT_OUT):
            continue
        raw = [(str(body[:40]), body) for body in bad_inputs.BODIES]
        for case, body in (*bad_inputs.bodies(example), *raw):
            answer = client.open(
                PLACE.sub("1", path), method=method.upper(), data=body, headers=signed_in,
                content_type="application/json", buffered=True,
            )  # fmt: skip
            check_problem(answer, f"{method} {path} {case}")
            asked += 1
    assert asked > 100
    read_every_list(market, signed_in)
    assert_books_are_sound(market)


def test_queries_and_path_ids_refuse_the_corpus(
    market: Any, signed_in: dict[str, str], bad_inputs: Any
) -> None:
    client = market.test_client()
    document = client.get("/openapi.json").json
    for method, path, operation in operations(document):
        if path.endswith("/stream" if method == "get" else LEFT_OUT):
            continue
        if method == "get" and ("{" not in path or reads_query(document, operation)):
            url = PLACE.sub("1", path)
            for query in bad_inputs.QUERIES:
                answer = client.get(f"{url}?{query}", headers=signed_in, buffered=True)
                check_problem(answer, f"{url}?{query}")
        for value in bad_inputs.PATH_IDS if "{" in path else ():
            url = PLACE.sub(lambda _match, value=value: value, path)  # type: ignore[misc]
            answer = client.open(url, method=method.upper(), headers=signed_in, buffered=True)
            check_problem(answer, f"{method} {url}")
    read_every_list(market, signed_in)
    assert_books_are_sound(market)


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data", ""])
def test_a_body_of_another_type_is_415_and_never_read_as_empty(market: Any, kind: str) -> None:
    answer = market.test_client().post("/api/v1/auth/login", data=b"{}", content_type=kind)

    assert answer.status_code in {400, 415}
    assert answer.content_type == "application/problem+json"


def test_generated_requests_never_get_a_500_nor_leave_the_schema(
    market: Any, signed_in: dict[str, str]
) -> None:
    """Schemathesis over the whole document: a short seeded run here, long in `make fuzz`."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", read_to_the_end(market))
    seen = Counter[int]()
    for found in schema.get_all_operations():
        operation = found.ok()
        if not operation.path.endswith(LEFT_OUT):
            ask_generated(operation, signed_in, seen)

    assert seen.total() > 100
    read_every_list(market, signed_in)


def read_to_the_end(app: Any) -> Any:
    """The application as a server asks it: every answer is read and closed."""

    def asked(environ: Any, start_response: Any) -> list[bytes]:
        answer = app(environ, start_response)
        try:
            return [b"".join(answer)]
        finally:
            getattr(answer, "close", lambda: None)()

    return asked


CHECKS = [
    schemathesis.checks.not_a_server_error,
    schemathesis.checks.status_code_conformance,
    schemathesis.checks.content_type_conformance,
    schemathesis.checks.response_schema_conformance,
]


def ask_generated(operation: Any, headers: dict[str, str], seen: Counter[int]) -> None:
    @settings(
        max_examples=int(os.environ.get("TORG_FUZZ_EXAMPLES", "8")),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        answer = case.call(headers=headers)
        seen[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    ask()
