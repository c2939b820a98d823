"""Whether time tells who has an account: one request for a known and an unknown one, in turn."""

import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any

from bench.market import Market
from torg import db
from torg_auth.services.accounts import NewAccount, add_user
from torg_auth.services.passwords import hasher

ROUNDS = 60
_WRONG = "a wrong but long enough sentence"
_numbers = itertools.count(1)

Ask = Callable[[str], tuple[str, dict[str, Any]]]


def report(market: Market) -> None:
    """Print medians of both, their ratio, and how often the known one took longer."""
    print("\nDoes time tell who has an account? (known / unknown, ms)\n")
    print(f"{'':32}{'known':>9}{'unknown':>9}{'ratio':>7}{'known is slower':>17}")
    # A person for each round: the limits of one account would end the comparison.
    with db.unit_of_work(app=market.app):
        kept = hasher().hash("somebody's own sentence")
        people = [_person(number, kept) for number in range(ROUNDS)]
    for name, ask in _REQUESTS.items():
        known, unknown = _in_turn(market.app, ask, people)
        first, second = statistics.median(known), statistics.median(unknown)
        slower = sum(k > u for k, u in zip(known, unknown, strict=True)) / ROUNDS
        print(f"{name:<32}{first:>9.1f}{second:>9.1f}{first / second:>7.2f}{slower:>17.0%}")
    print(
        "\n1.00 and 50% tell nothing. What the work is, is counted in tests/auth/test_enumeration."
    )


def _person(number: int, password_hash: str) -> str:
    address = f"account{number}@people.example"
    add_user(NewAccount(f"account{number}", address, ""), password_hash, verified=True)
    return address


def _sign_in(address: str) -> tuple[str, dict[str, Any]]:
    return "login", {"email": address, "password": _WRONG}


def _forgot(address: str) -> tuple[str, dict[str, Any]]:
    return "password/forgot", {"email": address}


def _resend(address: str) -> tuple[str, dict[str, Any]]:
    return "verify-email/resend", {"email": address}


def _register(address: str) -> tuple[str, dict[str, Any]]:
    username = f"newcomer{next(_numbers)}"
    return "register", {"username": username, "email": address, "password": _WRONG}


_REQUESTS: dict[str, Ask] = {
    "sign in with a wrong password": _sign_in,
    "forgotten password": _forgot,
    "send the code again": _resend,
    "register": _register,
}


def _in_turn(app: Any, ask: Ask, people: list[str]) -> tuple[list[float], list[float]]:
    client = app.test_client()
    seen: dict[bool, list[float]] = {True: [], False: []}
    for number in range(ROUNDS):
        # Which of the two goes first changes too: the second finds warmer caches.
        for is_known in (True, False) if number % 2 else (False, True):
            address = people[number] if is_known else f"nobody{next(_numbers)}@people.example"
            path, body = ask(address)
            # Everybody comes from elsewhere, so that no limit ends the comparison.
            where = {"REMOTE_ADDR": f"10.{number % 200}.{int(is_known)}.{next(_numbers) % 250}"}
            started = time.perf_counter()
            client.post(f"/api/v1/auth/{path}", json=body, environ_overrides=where)
            seen[is_known].append((time.perf_counter() - started) * 1000)
    return seen[True], seen[False]
