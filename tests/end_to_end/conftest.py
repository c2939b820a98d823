"""Journeys speak HTTP and read mails; only a crowd is let in by the back door."""

import email
import email.policy
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import requests

from torg import db
from torg.testing_processes import Deployment, eventually
from torg_auth.domain.access import USER
from torg_auth.services import access
from torg_auth.services.accounts import NewAccount, add_user
from torg_auth.services.callers import present_caller
from torg_auth.services.sessions import open_session

PASSWORD = "correct horse battery"


@dataclass
class Caller:
    """A REST client: an address and, once signed in, a token."""

    address: str
    token: str = ""
    username: str = ""

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = dict(options.pop("headers", {}))
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        url = f"{self.address}/api/v1/{path}"
        return requests.request(method, url, headers=headers, timeout=30, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> requests.Response:
        return self.request("POST", path, json=body, **options)

    def at(self, address: str) -> "Caller":
        """The same person at another server."""
        return Caller(address, self.token, self.username)


@dataclass
class Mails:
    """What the file adapter has caught in a deployment's folder."""

    folder: Path

    def all(self) -> list[EmailMessage]:
        messages = []
        for file in sorted(self.folder.rglob("*.eml")):
            message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            messages.append(message)
        return messages

    def to(self, address: str) -> list[EmailMessage]:
        return [each for each in self.all() if address in str(each["To"])]

    def text_to(self, address: str) -> str:
        """The latest mail to an address, waiting for it."""
        eventually(lambda: self.to(address), seconds=30)
        part = self.to(address)[-1].get_body(("plain",))
        assert part is not None
        return str(part.get_content())


@dataclass
class Market:
    """A running deployment with accounts and auctions."""

    deployment: Deployment
    address: str
    mails: Mails

    def caller(self) -> Caller:
        return Caller(self.address)

    def person(self, username: str) -> Caller:
        """Register by HTTP, confirm by the code of the mail, sign in."""
        caller = self.caller()
        address = f"{username}@people.example"
        body = {"username": username, "email": address, "password": PASSWORD}
        answer = caller.post("auth/register", body)
        assert answer.status_code == 201, answer.text
        code = re.search(r"\b(\d{6})\b", self.mails.text_to(address))
        assert code is not None
        answer = caller.post("auth/verify-email", {"email": address, "code": code[1]})
        assert answer.ok, answer.text
        return self.sign_in(username)

    def sign_in(self, username: str) -> Caller:
        answer = self.caller().post("auth/login", {"username": username, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return Caller(self.address, answer.json()["token"], username)


RELAXED = {
    "TORG_LOCALE_DEFAULT": "en",
    "TORG_WEB_THREADS": "8",
}


@pytest.fixture
def market_with(deploy: Callable[..., Deployment]) -> Callable[..., Market]:
    """Web server and worker of a deployment with accounts and auctions and further settings."""

    def start(**environ: str) -> Market:
        deployment = deploy(["auth", "auction"], **RELAXED, **environ)
        if "TORG_DATABASE_URL" in environ:
            upgraded = deployment.start("db", "upgrade")
            assert upgraded.process.wait(60) == 0, upgraded.output()
        address, _ = deployment.web()
        deployment.worker()
        return Market(deployment, address, Mails(deployment.directory / "mail"))

    return start


@pytest.fixture
def market(market_with: Callable[..., Market]) -> Market:
    """A deployment with accounts and auctions."""
    return market_with()


@pytest.fixture
def crowd() -> Callable[[Market, int], list[Caller]]:
    """Many confirmed, signed-in people at once: by HTTP it would take minutes of hashing."""

    def gather(market: Market, count: int) -> list[Caller]:
        people = []
        with db.unit_of_work(app=market.deployment.app):
            for number in range(count):
                username = f"crowd{number}"
                new = NewAccount(username, f"{username}@people.example", "")
                added = add_user(new, "signs in by token only", verified=True)
                access.add_roles(added.id, [USER])
                token = open_session(added.id, present_caller()).token
                people.append(Caller(market.address, token, username))
        return people

    return gather


def moment(seconds: float) -> str:
    """A time so many seconds from now, as the API takes it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


@pytest.fixture
def new_auction() -> Callable[..., dict[str, Any]]:
    """Puts an auction up and returns it."""

    def create(seller: Caller, seconds: float = 3600, **more: Any) -> dict[str, Any]:
        body = {
            "title": "Brass telescope",
            "description": "Found in an attic, works.",
            "starting_price": money("10.00"),
            "bid_increment": money("1.00"),
            "ends_at": moment(seconds),
            **more,
        }
        answer = seller.post("auctions", body)
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        return created

    return create


@pytest.fixture
def wait_until() -> Callable[[str], None]:
    """Waits for a moment of this machine's clock, with a little to spare."""

    def wait(when: str) -> None:
        target = datetime.fromisoformat(when.replace("Z", "+00:00"))
        time.sleep(max(0.0, (target - datetime.now(UTC)).total_seconds() + 0.05))

    return wait
