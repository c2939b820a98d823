"""Promises of a whole deployment: a story through the front door, refusals, restarts, the end.

How it is put together from the files of the repository stands in `conftest.py`.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import socket
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from torg.testing_processes import eventually

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
Site = Any


def test_a_story_from_registration_to_the_winners_mail(site: Site) -> None:
    seller, buyer = site.sign_in("seller"), site.sign_in("buyer")
    ends_at = datetime.now(UTC) + timedelta(seconds=20)
    auction = {
        "title": "A clock that goes",
        "description": "It was my grandfather's.",
        "starting_price": {"amount": "10.00", "currency": "EUR"},
        "bid_increment": {"amount": "1.00", "currency": "EUR"},
        "ends_at": ends_at.isoformat(),
    }
    made = site.ask("POST", "/api/v1/auctions", auction, **seller)
    assert made.status == 201, made.body
    assert made.headers["Location"].startswith(site.front)
    path = f"/api/v1/auctions/{made.json['id']}"
    with site.stream(f"{path}/stream") as told:
        bid = {"amount": {"amount": "12.00", "currency": "EUR"}}
        placed = site.ask("POST", f"{path}/bids", bid, **buyer)
        assert placed.status == 201, placed.body
        eventually(lambda: any("12.00" in line for line in told), seconds=30)
        eventually(lambda: any("closed" in line for line in told), seconds=60)
    eventually(lambda: site.catcher.to("buyer@example.com", "You have won"), seconds=60)
    eventually(lambda: site.catcher.to("seller@example.com", "Sold"), seconds=60)
    assert site.ask("GET", path).json["status"] == "finished"


def test_every_part_is_ready(site: Site) -> None:
    parts = site.ask("GET", "/health/ready").json["parts"]
    assert {name: part["status"] for name, part in parts.items()} == dict.fromkeys(parts, "ok")


def test_the_callers_request_id_goes_through(site: Site) -> None:
    answer = site.ask("GET", "/health/live", X_Request_Id="story-7.a")
    assert answer.headers.get_all("X-Request-Id") == ["story-7.a"]


def test_what_a_caller_says_about_proxies_is_not_believed(site: Site) -> None:
    lies = {
        "X_Forwarded_For": "127.0.0.1",
        "X_Forwarded_Host": "evil.example",
        "X_Forwarded_Proto": "https",
        "Forwarded": "for=127.0.0.1;host=evil.example;proto=https",
    }
    answer = site.ask("GET", "/nowhere", **lies)
    assert site.is_problem(answer, 404)
    assert b"evil.example" not in answer.body
    assert answer.headers["Strict-Transport-Security"] is None


def test_refusals_of_the_web_server_itself_are_problems(site: Site) -> None:
    long = b"/" + b"a" * 5000
    head = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
    assert site.is_problem(site.raw(b"GET " + long + b" HTTP/1.1\r\n\r\n", site.web), 414)
    assert site.is_problem(site.raw(head + b"X: " + b"a" * 9000 + b"\r\n\r\n", site.web), 431)
    assert site.is_problem(site.raw(head + b"Content-Length: x\r\n\r\n", site.web), 400)
    assert site.is_problem(site.raw(head + b"no header\r\n\r\n", site.web), 400)


def test_a_reload_fails_no_request(site: Site) -> None:
    failures: list[object] = []
    count = 0
    stopped = threading.Event()

    def ask() -> None:
        nonlocal count
        while not stopped.is_set():
            try:
                status = site.ask("GET", "/health/live").status
            except (OSError, http.client.HTTPException) as error:
                failures.append(error)
                continue
            count += 1
            if status != 200:
                failures.append(status)

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    for _ in range(2):
        before = site.workers()
        site.processes["web"].send_signal(signal.SIGHUP)
        eventually(lambda before=before: not before & site.workers(), seconds=90)
    stopped.set()
    for thread in asking:
        thread.join()
    assert failures == []
    assert count > 20


def test_a_killed_web_worker_is_replaced(site: Site) -> None:
    victim = min(site.workers())
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: victim not in site.workers() and len(site.workers()) == 2, seconds=60)
    assert site.ask("GET", "/health/live").status == 200


def test_slow_clients_keep_nobody_waiting(site: Site) -> None:
    target = urlsplit(site.front)
    slow = []
    try:
        for _ in range(100):
            plain = socket.create_connection((str(target.hostname), target.port), 10)
            plain.sendall(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Le")
            slow.append(plain)
        assert site.ask("GET", "/health/live").status == 200
    finally:
        for plain in slow:
            plain.close()


def test_numbers_are_for_this_machine_only(site: Site) -> None:
    assert b"torg_request_seconds" in site.ask("GET", "/metrics", base=site.web).body
    if NGINX:
        assert site.is_problem(site.ask("GET", "/metrics"), 404)


if NGINX:

    @pytest.mark.parametrize(
        ("request_bytes", "status"),
        [
            (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
            (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", 413),
            (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ],
    )
    def test_refusals_of_the_proxy_are_problems(
        site: Site, request_bytes: bytes, status: int
    ) -> None:
        assert site.is_problem(site.raw(request_bytes), status)

    def test_a_harmful_request_id_is_replaced(site: Site) -> None:
        head = b"GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: "
        answer = site.raw(head + b'","x":"' + b"\r\nContent-Length: x\r\n\r\n")
        assert site.is_problem(answer, 400)
        assert re.fullmatch(r"[0-9a-f]{32}", answer.json["request_id"])

    def test_streams_that_are_down_are_said_as_a_problem(site: Site) -> None:
        streams = site.processes["streams"]
        streams.send_signal(signal.SIGTERM)
        assert streams.wait(60) == 0
        answer = site.ask("GET", "/api/v1/auctions/1/stream")
        assert site.is_problem(answer, 502)
        assert answer.headers["Retry-After"] == "5"
        assert site.ask("GET", "/health/live").status == 200


def test_everything_ends_in_order_when_asked(site: Site) -> None:
    codes = {}
    for name in ("worker", "scheduler", "web"):
        process = site.processes[name]
        process.send_signal(signal.SIGTERM)
        codes[name] = process.wait(60)
    assert codes == {"worker": 0, "scheduler": 0, "web": 0}
