"""Promises of `/dev/requests`: a loop of queries is seen, no value is, and nobody else sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torg import request_traces

PATH = "/api/v1/auctions/"


def traced(make_app: Callable[..., Any], **host: Any) -> Any:
    return make_app(["auth", "auction"], **{"debug": True, "trace_requests": True, **host})


def test_a_request_is_shown_with_each_statement_and_how_often_it_was_sent(
    make_app: Callable[..., Any],
) -> None:
    client = traced(make_app).test_client()
    asked = client.get(f"{PATH}?category=secret-word&owner=nobody", headers={"X-Request-Id": "one"})
    assert asked.status_code == 200

    (item,) = client.get("/dev/requests.json").json["items"]
    assert (item["request_id"], item["method"], item["path"]) == ("one", "GET", PATH)
    assert item["status"] == 200
    assert 0 < item["database_ms"] <= item["total_ms"]
    texts = [each["sql"] for each in item["statements"]]
    assert any("auction_auction" in each for each in texts)
    assert sum(each["times"] for each in item["statements"]) >= len(texts) > 0

    page = client.get("/dev/requests/one")
    assert page.mimetype == "text/html"
    assert "auction_auction" in page.text
    assert "/dev/requests/one" in client.get("/dev/requests").text
    # Values are nobody's business.
    assert "secret-word" not in page.text + client.get("/dev/requests.json").text


def test_equal_statements_are_counted_together() -> None:
    statements = [("SELECT 1", 1.0), ("SELECT 2", 5.0), ("SELECT 1", 2.0)]
    trace = request_traces.Trace("id", "GET", "/", 200, 9.0, 8.0, statements)
    assert request_traces.summed(trace) == [
        request_traces.Summed("SELECT 1", 2, 3.0),
        request_traces.Summed("SELECT 2", 1, 5.0),
    ]


def test_only_the_last_ones_are_kept(make_app: Callable[..., Any], monkeypatch: Any) -> None:
    monkeypatch.setattr(request_traces, "MOST", 3)
    client = traced(make_app).test_client()
    for number in range(5):
        client.get(PATH, headers={"X-Request-Id": f"request-{number}"})
    shown = [each["request_id"] for each in client.get("/dev/requests.json").json["items"]]
    assert shown == ["request-4", "request-3", "request-2"]


def test_nothing_is_recorded_unless_it_is_asked_for(make_app: Callable[..., Any]) -> None:
    client = traced(make_app, trace_requests=False).test_client()
    client.get(PATH)
    assert client.get("/dev/requests.json").json["items"] == []
    assert "TORG_TRACE_REQUESTS" in client.get("/dev/requests").text


def test_the_pages_are_nowhere_but_in_demos_and_development(make_app: Callable[..., Any]) -> None:
    app = traced(make_app, debug=False, secret_key="k" * 20 + "0123456789ab")
    for path in ("/dev/requests", "/dev/requests.json", "/dev/requests/one", "/dev/style.css"):
        assert app.test_client().get(path).status_code == 404


def test_an_unknown_request_is_a_404(make_app: Callable[..., Any]) -> None:
    answer = traced(make_app).test_client().get("/dev/requests/none")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_requests_go_on_without_redis(make_app: Callable[..., Any]) -> None:
    client = traced(make_app, redis_url="redis://127.0.0.1:1/0").test_client()
    assert client.get(PATH).status_code == 200
    assert client.get("/dev/requests").status_code == 200
