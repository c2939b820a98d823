"""Fixtures of the tests of accounts: an application with `auth` alone, and a caller of its API."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from werkzeug.test import TestResponse

from torg import db, jobs, mail
from torg_auth.services.passwords import Hasher

PASSWORD = "a fine long sentence"
BASE = "/api/v1/auth"


@dataclass
class Api:
    """Calls the routes of accounts; `at` chooses the network address, `device` keeps cookies."""

    app: Flask
    clients: dict[str, Any] = field(default_factory=dict)

    def call(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        token: str | None = None,
        at: str = "192.0.2.1",
        device: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> TestResponse:
        """One request, by a new device unless one is named."""
        client = self.app.test_client()
        if device is not None:
            client = self.clients.setdefault(device, client)
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        return client.open(
            BASE + path,
            method=method,
            json=json,
            headers=sent,
            environ_overrides={"REMOTE_ADDR": at},
        )

    def get(self, path: str, **options: Any) -> TestResponse:
        """GET."""
        return self.call("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        """POST."""
        return self.call("POST", path, json, **options)

    def patch(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        """PATCH."""
        return self.call("PATCH", path, json, **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        """DELETE."""
        return self.call("DELETE", path, **options)

    def register(self, name: str, **changes: Any) -> TestResponse:
        """Register somebody."""
        body = {
            "username": name,
            "email": f"{name}@example.com",
            "password": PASSWORD,
            **changes,
        }
        return self.post("/register", body)

    def log_in(self, name: str, password: str = PASSWORD, **options: Any) -> TestResponse:
        """Sign in by username or address."""
        key = "email" if "@" in name else "username"
        return self.post("/login", {key: name, "password": password}, **options)

    def refresh(self, refresh_token: str) -> TestResponse:
        """Exchange a refresh token."""
        return self.post("/token/refresh", {"refresh_token": refresh_token})

    def token(self, name: str) -> str:
        """A new access token of somebody."""
        answer = self.log_in(name)
        assert answer.status_code == 200, answer.get_json()
        return str(answer.get_json()["token"])


@pytest.fixture
def app(make_app: Callable[..., Any]) -> Any:
    """An application with `auth` alone."""
    return make_app(["auth"])


@pytest.fixture
def api(app: Flask) -> Api:
    """A caller of the routes."""
    return Api(app)


@pytest.fixture
def mails(app: Flask) -> Callable[[str], list[Any]]:
    """Runs what is due, and gives the mails of an address, newest first."""

    def read(address: str) -> list[Any]:
        jobs.run_due(app)
        return mail.Mailbox(app).to(address)

    return read


@pytest.fixture
def code_for(mails: Callable[[str], list[Any]]) -> Callable[[str], str]:
    """The newest code in the mails to an address."""

    def read(address: str) -> str:
        for mail_ in mails(address):
            found = re.search(r"^ +(\d{6})\s*$", mail_.text, re.MULTILINE)
            if found is not None:
                return found.group(1)
        raise LookupError(f"no code came to {address}")

    return read


@pytest.fixture
def confirmed(api: Api, code_for: Callable[[str], str]) -> Callable[[str], str]:
    """Registers somebody, confirms the address, and gives an access token."""

    def make(username: str) -> str:
        assert api.register(username).status_code == 201
        address = f"{username}@example.com"
        body = {"email": address, "code": code_for(address)}
        assert api.post("/verify-email", body).status_code == 200
        return api.token(username)

    return make


@pytest.fixture
def anna(confirmed: Callable[[str], str]) -> str:
    """A token of somebody with a confirmed address."""
    return confirmed("anna")


@pytest.fixture
def ask(api: Api) -> Callable[..., TestResponse]:
    """Asks for a change of an account and gives the answer."""

    def asking(token: str, kind: str, value: str, password: str = PASSWORD) -> TestResponse:
        body = {"kind": kind, "value": value, "current_password": password}
        return api.post("/me/changes", body, token=token)

    return asking


@pytest.fixture
def change(
    api: Api, ask: Callable[..., TestResponse], code_for: Callable[[str], str]
) -> Callable[..., TestResponse]:
    """Asks for a change and confirms it by the code that came to an address."""

    def changing(token: str, kind: str, value: str, at: str) -> TestResponse:
        asked = ask(token, kind, value)
        assert asked.status_code == 202, asked.get_json()
        path = f"/me/changes/{asked.get_json()['id']}/confirm"
        return api.post(path, {"code": code_for(at)}, token=token)

    return changing


@pytest.fixture
def sql(app: Flask) -> Callable[..., list[Any]]:
    """Runs one statement in a transaction of its own and gives its rows."""

    def run(statement: str, **values: Any) -> list[Any]:
        with db.unit_of_work(app=app):
            result = db.session.execute(text(statement), values)
            return list(result) if result.returns_rows else []

    return run


@pytest.fixture
def make_admin(app: Flask, sql: Callable[..., list[Any]]) -> Callable[[str], None]:
    """Gives somebody further roles, straight in the database."""

    def make(username: str, *roles: str) -> None:
        from torg_auth.queries import people
        from torg_auth.services import access

        with db.unit_of_work(app=app):
            user_id = people.find(username)
            assert user_id is not None
            access.add_roles(user_id, roles or ["admin"])

    return make


@pytest.fixture
def count_hashing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes each argon2 computation; they are done all the same."""
    noted: list[str] = []
    hash_, verify = Hasher.hash, Hasher.verify

    def counted_hash(self: Hasher, password: str) -> str:
        noted.append("hash")
        return hash_(self, password)

    def counted_verify(self: Hasher, kept: str | None, password: str) -> bool:
        noted.append("verify")
        return verify(self, kept, password)

    monkeypatch.setattr(Hasher, "hash", counted_hash)
    monkeypatch.setattr(Hasher, "verify", counted_verify)
    return noted
