"""Signing in by a provider, for tests: a real provider process and somebody with a browser."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests

PROGRAM = Path(__file__).parent / "oidc_provider.py"
CLIENT = {"client_id": "torg-client", "client_secret": "the secret of the client"}
PASSWORD = "a fine long sentence"


class Issuer:
    """The running provider."""

    def __init__(self, address: str) -> None:
        self.address = address

    def mischief(self, **what: Any) -> None:
        """Have it break a rule from now on."""
        requests.post(f"{self.address}/mischief", json=what, timeout=10).raise_for_status()

    def sign_in(self, page: str, person: str) -> str:
        """Open its page as a browser would, choose a name, and give where it sends one back."""
        opened = requests.get(page, timeout=10)
        assert opened.status_code == 200
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', opened.text))
        form = {**fields, "person": person}
        address = page.partition("?")[0]
        sent = requests.post(address, data=form, allow_redirects=False, timeout=10)
        assert sent.status_code == 302
        return sent.headers["Location"]


@pytest.fixture(scope="module")
def process() -> Iterator[str]:
    """One process for all tests of this file; it ends with its standard input."""
    command = [sys.executable, str(PROGRAM)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        try:
            yield running.stdout.readline().decode().strip()
        finally:
            running.communicate(timeout=30)


@pytest.fixture
def issuer(process: str) -> Issuer:
    """The provider without any mischief."""
    provider = Issuer(process)
    provider.mischief()
    return provider


@pytest.fixture
def app(make_app: Any, issuer: Issuer) -> Any:
    """An application that knows the provider, and as GitHub too."""
    section = {
        "oidc_issuer": issuer.address,
        "github_url": issuer.address,
        "github_api_url": issuer.address,
    }
    for name in ("oidc", "github"):
        section |= {f"{name}_{key}": value for key, value in CLIENT.items()}
    return make_app(["auth"], sections={"auth": section})


class Browser:
    """A browser with its own cookies that walks the redirects."""

    def __init__(self, app: Any, issuer: Issuer, agent: str = "test browser") -> None:
        self.client = app.test_client()
        self.client.environ_base["HTTP_USER_AGENT"] = agent
        self.issuer = issuer

    def begin(self, provider: str = "oidc") -> str:
        """Where we send the browser."""
        answer = self.client.get(f"/api/v1/auth/login/{provider}")
        assert answer.status_code == 302, answer.get_json()
        return str(answer.headers["Location"])

    def come_back(self, address: str, **changes: str) -> Any:
        """Follow the provider's redirect to us, perhaps with other parameters."""
        parts = urlsplit(address)
        query = {**dict(parse_qsl(parts.query)), **changes}
        kept = urlencode({name: value for name, value in query.items() if value})
        return self.client.get(f"{parts.path}?{kept}")

    def sign_in(self, person: str, provider: str = "oidc") -> Any:
        """The whole walk."""
        return self.come_back(self.issuer.sign_in(self.begin(provider), person))


@pytest.fixture
def browser(app: Any, issuer: Issuer) -> Browser:
    """A browser."""
    return Browser(app, issuer)


def refused(answer: Any, status: int, code: str) -> None:
    assert answer.status_code == status, answer.get_json()
    assert answer.get_json()["code"] == code


def none_signed_in(sql: Any) -> None:
    assert sql("SELECT count(*) FROM auth_session") == [(0,)]
    assert sql("SELECT count(*) FROM auth_external_identity") == [(0,)]


# The way that works.
