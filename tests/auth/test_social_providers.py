"""Rule 1: providers that are unknown, broken or away."""

from typing import Any

import pytest
from social_bench import (
    CLIENT,
    Browser,
    Issuer,
    app,
    browser,
    issuer,
    none_signed_in,
    process,
    refused,
)


def test_an_unknown_provider_is_not_found(browser: Browser) -> None:
    for name in ("google", "nobody", "OIDC", "%2e%2e"):
        answer = browser.client.get(f"/api/v1/auth/login/{name}")
        refused(answer, 404, "provider_not_found")
    answer = browser.client.get("/api/v1/auth/login/google/callback?state=x")
    refused(answer, 404, "provider_not_found")


@pytest.mark.parametrize("page", ["/token", "/keys", "/.well-known/openid-configuration"])
def test_a_provider_that_is_broken_is_unavailable(
    page: str, browser: Browser, issuer: Issuer, sql: Any
) -> None:
    issuer.mischief(broken=page)
    answer = browser.client.get("/api/v1/auth/login/oidc")
    if answer.status_code == 302:
        back = issuer.sign_in(str(answer.headers["Location"]), "anna")
        answer = browser.come_back(back)
    refused(answer, 503, "provider_unavailable")
    assert answer.headers["Retry-After"] == "60"
    none_signed_in(sql)


def test_a_provider_that_nobody_answers_for_is_unavailable(make_app: Any) -> None:
    section = {"oidc_issuer": "http://127.0.0.1:1"}
    section |= {f"oidc_{key}": value for key, value in CLIENT.items()}
    app = make_app(["auth"], sections={"auth": section})
    answer = app.test_client().get("/api/v1/auth/login/oidc")
    refused(answer, 503, "provider_unavailable")


def test_a_provider_that_calls_itself_otherwise_is_not_believed(
    browser: Browser, issuer: Issuer
) -> None:
    issuer.mischief(described_issuer="https://evil.example")
    answer = browser.client.get("/api/v1/auth/login/oidc")
    refused(answer, 503, "provider_unavailable")


@pytest.mark.parametrize("issuer_address", ["http://accounts.example", "ftp://x", "https://a b"])
def test_a_provider_without_tls_is_refused_at_the_start(issuer_address: str) -> None:
    from pydantic import ValidationError

    from torg_auth.settings import AuthSettings

    with pytest.raises(ValidationError):
        AuthSettings(oidc_issuer=issuer_address)
    assert AuthSettings(oidc_issuer="https://accounts.example").oidc_issuer


def test_no_secret_of_a_provider_is_shown_by_the_settings() -> None:
    from torg_auth.settings import AuthSettings

    assert "hidden" not in repr(AuthSettings(oidc_client_secret="hidden"))
