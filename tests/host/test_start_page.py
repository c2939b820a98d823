"""Promises of the page at `/`: a person and a program find everything, and no link is dead."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9"}


def test_a_program_gets_the_links_as_json(client: Any) -> None:
    answer = client.get("/")
    assert answer.mimetype == "application/json"
    assert answer.json["links"]["openapi"].endswith("/openapi.json")
    assert {"auth", "auction"} == {each["name"] for each in answer.json["plugins"]}


def test_a_person_gets_a_page_whose_links_all_lead_somewhere(
    make_app: Callable[..., Any],
) -> None:
    client = make_app(["auth"], demo=True).test_client()
    page = client.get("/", headers=HTML)
    assert page.mimetype == "text/html"
    links = re.findall(r'href="(/[^"]*)"', page.text)
    assert {"/docs", "/postman.json", "/dev/mail", "/health/ready", "/start.css"} <= set(links)
    assert [link for link in links if client.get(link).status_code not in (200, 503)] == []


def test_the_page_speaks_russian(client: Any) -> None:
    page = client.get("/", headers={**HTML, "Accept-Language": "ru"})
    assert 'lang="ru"' in page.text
    assert "API documents" not in page.text


def test_pages_that_are_switched_off_are_not_linked(make_app: Callable[..., Any]) -> None:
    client = make_app([], docs_enabled=False, debug=False, secret_key="k" * 20 + "0123456789ab")
    links = client.test_client().get("/").json["links"]
    assert set(links) == {"ready", "live"}


def test_the_page_runs_no_script_and_fetches_nothing_from_elsewhere(client: Any) -> None:
    page = client.get("/", headers=HTML)
    assert "<script" not in page.text
    assert re.findall(r'(?:src|href)="https?:', page.text) == []
    assert "'unsafe-inline'" not in page.headers["Content-Security-Policy"]
