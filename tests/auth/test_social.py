"""Rule 1: sign-in by another provider, against a real one in a process of its own."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from social_bench import (
    CLIENT,
    PASSWORD,
    Browser,
    Issuer,
    app,
    browser,
    issuer,
    none_signed_in,
    process,
    refused,
)  # fmt: skip


def test_somebody_new_gets_an_account_with_a_confirmed_address(
    browser: Browser, api: Any, mails: Any
) -> None:
    answer = browser.sign_in("anna")
    assert answer.status_code == 200, answer.get_json()
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.get_json()
    assert body["token_type"] == "Bearer"
    me = api.get("/me", token=body["token"]).get_json()
    assert (me["username"], me["email"]) == ("Anna", "anna@example.com")
    assert me["email_verified"] is True
    assert me["verification_level"] == 1
    assert me["locale"] == "ru"
    assert me["roles"] == ["user"]
    assert api.refresh(body["refresh_token"]).status_code == 200
    assert len(mails("anna@example.com")) == 1


def test_the_same_person_comes_back_to_the_same_account(
    browser: Browser, api: Any, sql: Any
) -> None:
    tokens = [browser.sign_in("anna").get_json()["token"] for _ in range(2)]
    assert {api.get("/me", token=token).get_json()["id"] for token in tokens} == {1}
    assert sql("SELECT provider, subject FROM auth_external_identity") == [("oidc", "248289761001")]


def test_the_browser_is_sent_with_pkce_state_and_nonce(browser: Browser) -> None:
    first, second = (parse_qs(urlsplit(browser.begin()).query) for _ in range(2))
    assert first["response_type"] == ["code"]
    assert first["code_challenge_method"] == ["S256"]
    assert first["redirect_uri"] == ["http://127.0.0.1:8000/api/v1/auth/login/oidc/callback"]
    assert "openid" in first["scope"][0].split()
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name][0]) >= 32
        assert first[name] != second[name]
    assert not {"code_verifier", "client_secret"} & set(first)


def test_the_cookie_opens_only_sign_in_and_no_script_reads_it(app: Any) -> None:
    answer = app.test_client().get("/api/v1/auth/login/oidc")
    cookie = answer.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Lax", "Path=/api/v1/auth/login", "Max-Age=600"):
        assert part in cookie


def test_an_address_that_the_id_token_lacks_is_asked_for(
    browser: Browser, issuer: Issuer, api: Any
) -> None:
    issuer.mischief(userinfo_only=True)
    token = browser.sign_in("anna").get_json()["token"]
    assert api.get("/me", token=token).get_json()["email"] == "anna@example.com"


def test_keys_that_the_provider_has_changed_are_fetched_anew(
    browser: Browser, issuer: Issuer
) -> None:
    assert browser.sign_in("anna").status_code == 200
    issuer.mischief(new_key=True)
    assert browser.sign_in("anna").status_code == 200


def test_github_signs_in_too(browser: Browser, api: Any, sql: Any) -> None:
    answer = browser.sign_in("anna", "github")
    assert answer.status_code == 200, answer.get_json()
    me = api.get("/me", token=answer.get_json()["token"]).get_json()
    assert (me["username"], me["email"]) == ("Anna", "anna@example.com")
    assert sql("SELECT provider, subject FROM auth_external_identity") == [
        ("github", "248289761001")
    ]


def test_google_is_an_issuer_that_is_known_already(make_app: Any) -> None:
    from torg_auth.services.providers import provider_of

    section = {f"google_{key}": value for key, value in CLIENT.items()}
    with make_app(["auth"], sections={"auth": section}).app_context():
        found = provider_of("google")
    assert (found.issuer, found.client_id) == ("https://accounts.google.com", "torg-client")


def test_a_name_that_is_taken_or_odd_becomes_another(browser: Browser, api: Any) -> None:
    api.register("anna", email="other@example.com")
    names = []
    for person in ("anna", "odd"):
        token = browser.sign_in(person).get_json()["token"]
        names.append(api.get("/me", token=token).get_json()["username"])
    assert re.fullmatch(r"Anna\d{6}", names[0])
    assert names[1] == "script"


def test_a_page_of_the_deployment_may_take_the_browser_back(make_app: Any, issuer: Issuer) -> None:
    section = {
        "oidc_issuer": issuer.address,
        "social_callback_url": "https://a.example/in/{provider}",
    }
    section |= {f"oidc_{key}": value for key, value in CLIENT.items()}
    app = make_app(["auth"], sections={"auth": section})
    browser = Browser(app, issuer)
    back = issuer.sign_in(browser.begin(), "anna")
    assert back.startswith("https://a.example/in/oidc?")
    query = urlsplit(back).query
    assert browser.client.get(f"/api/v1/auth/login/oidc/callback?{query}").status_code == 200


# Whose account it is.


def test_a_confirmed_account_of_the_same_address_is_linked(
    browser: Browser, confirmed: Any, api: Any, sql: Any
) -> None:
    confirmed("anna")
    token = browser.sign_in("anna").get_json()["token"]
    assert api.get("/me", token=token).get_json()["id"] == 1
    assert api.log_in("anna").status_code == 200
    assert sql("SELECT user_id FROM auth_security_event WHERE kind = 'provider_linked'") == [(1,)]


@pytest.mark.parametrize("provider", ["oidc", "github"])
def test_an_unverified_address_is_linked_to_nothing(
    provider: str, browser: Browser, confirmed: Any, sql: Any
) -> None:
    confirmed("boris")
    before = sql("SELECT count(*) FROM auth_session")
    people = ("boris", "text", "nobody") if provider == "oidc" else ("boris", "text")
    for person in people:
        refused(browser.sign_in(person, provider), 403, "provider_email_unverified")
    assert sql("SELECT count(*) FROM auth_session") == before
    assert sql("SELECT count(*) FROM auth_external_identity") == [(0,)]
    assert sql("SELECT count(*) FROM auth_user") == [(1,)]


def test_whoever_registered_a_foreign_address_beforehand_gets_nothing(
    browser: Browser, api: Any, sql: Any, code_for: Any
) -> None:
    api.register("thief", email="anna@example.com")
    code = code_for("anna@example.com")
    thief = api.token("thief")
    token = browser.sign_in("anna").get_json()["token"]
    owner = api.get("/me", token=token).get_json()
    assert owner["id"] != api.get("/me", token=thief).get_json()["id"]
    assert owner["email_verified"] is True
    body = {"email": "anna@example.com", "code": code}
    assert api.post("/verify-email", body).status_code == 422
    assert api.get("/me", token=thief).get_json()["email_verified"] is False
    rows = sql("SELECT username, email, claimed_email FROM auth_user ORDER BY id")
    assert rows == [("thief", None, "anna@example.com"), ("Anna", "anna@example.com", None)]


def test_a_link_of_the_beforehand_registration_confirms_nothing_either(
    browser: Browser, api: Any, mails: Any
) -> None:
    api.register("thief", email="anna@example.com")
    found = re.search(r"/verify-email\?token=\S+", mails("anna@example.com")[0].text)
    assert found is not None
    browser.sign_in("anna")
    assert api.get(found.group()).status_code == 422


def test_a_closed_account_stays_closed(browser: Browser, api: Any) -> None:
    token = browser.sign_in("anna").get_json()["token"]
    assert api.delete("/me", token=token).status_code == 204
    refused(browser.sign_in("anna"), 401, "social_login_refused")


def test_a_closed_account_is_not_opened_by_linking_either(
    browser: Browser, confirmed: Any, api: Any, sql: Any
) -> None:
    assert api.delete("/me", token=confirmed("anna")).status_code == 204
    refused(browser.sign_in("anna"), 401, "social_login_refused")


def test_no_password_opens_an_account_that_never_had_one(browser: Browser, api: Any) -> None:
    browser.sign_in("anna")
    for guess in ("", " ", "!", "None", PASSWORD):
        assert api.log_in("Anna", guess).status_code in {401, 422}


def test_returns_at_once_make_one_account(app: Any, issuer: Issuer, sql: Any) -> None:
    browsers = [Browser(app, issuer) for _ in range(4)]
    backs = [(each, issuer.sign_in(each.begin(), "anna")) for each in browsers]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda pair: pair[0].come_back(pair[1]).status_code, backs))
    assert answers == [200] * 4
    assert sql("SELECT count(*) FROM auth_user") == [(1,)]
    assert sql("SELECT count(*) FROM auth_external_identity") == [(1,)]


# Forged and broken ways back.


def test_a_wrong_state_is_refused(browser: Browser, issuer: Issuer, sql: Any) -> None:
    back = issuer.sign_in(browser.begin(), "anna")
    refused(browser.come_back(back, state="x" * 32), 422, "social_state_invalid")
    none_signed_in(sql)


def test_another_browser_cannot_finish(
    browser: Browser, app: Any, issuer: Issuer, sql: Any
) -> None:
    back = issuer.sign_in(browser.begin(), "mallory")
    victim = Browser(app, issuer)
    refused(victim.come_back(back), 422, "social_state_invalid")
    victim.begin()
    refused(victim.come_back(back), 422, "social_state_invalid")
    none_signed_in(sql)


def test_a_forged_or_foreign_cookie_is_refused(browser: Browser, issuer: Issuer, sql: Any) -> None:
    from torg_auth.signing import signed

    back = issuer.sign_in(browser.begin(), "anna")
    state = dict(parse_qsl(urlsplit(back).query))["state"]
    with browser.client.application.app_context():
        other_use = signed("known device", ["oidc", state, "n", "v"])
        other_provider = signed("social sign-in", ["github", state, "n", "v"])
        too_short = signed("social sign-in", ["oidc", state])
    for cookie in ("", "x", other_use, other_provider, too_short):
        browser.client.set_cookie(
            "torg_social", cookie, path="/api/v1/auth/login", domain="127.0.0.1"
        )
        browser.client.set_cookie("torg_social", cookie, path="/api/v1/auth/login")
        refused(browser.come_back(back), 422, "social_state_invalid")
    none_signed_in(sql)


def test_a_sign_in_begun_long_ago_is_refused(
    browser: Browser, issuer: Issuer, monkeypatch: Any
) -> None:
    import itsdangerous.timed

    back = issuer.sign_in(browser.begin(), "anna")
    later = itsdangerous.timed.time.time() + 601
    monkeypatch.setattr(
        itsdangerous.timed.TimestampSigner, "get_timestamp", lambda _self: int(later)
    )
    refused(browser.come_back(back), 422, "social_state_invalid")


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": "absent"},
        {"nonce": ""},
        {"aud": "somebody-else"},
        {"aud": ["somebody-else", "third"]},
        {"aud": ["torg-client", "third"], "azp": "third"},
        {"aud": "absent"},
        {"iss": "https://accounts.evil.example"},
        {"iss": "absent"},
        {"exp": 1},
        {"exp": "absent"},
        {"exp": "tomorrow"},
        {"iat": "absent"},
        {"nbf": 9999999999},
        {"sub": ""},
        {"sub": "absent"},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": ["1"]},
        {"at_hash": "wrong"},
        {"email": ["anna@example.com"], "email_verified": "absent"},
    ],
    ids=str,
)
def test_an_id_token_with_wrong_claims_is_refused(
    claims: Any, browser: Browser, issuer: Issuer, sql: Any
) -> None:
    issuer.mischief(claims=claims)
    answer = browser.sign_in("anna")
    assert answer.status_code in {401, 403}, answer.get_json()
    none_signed_in(sql)


@pytest.mark.parametrize("forged", ["stranger", "none", "client secret", "garbage", "damaged"])
def test_an_id_token_of_a_foreign_signature_is_refused(
    forged: str, browser: Browser, issuer: Issuer, sql: Any
) -> None:
    issuer.mischief(signature=forged)
    refused(browser.sign_in("anna"), 401, "social_login_refused")
    none_signed_in(sql)


def test_a_code_works_once(browser: Browser, issuer: Issuer, sql: Any) -> None:
    back = issuer.sign_in(browser.begin(), "anna")
    kept = browser.client.get_cookie("torg_social", path="/api/v1/auth/login", domain="localhost")
    assert browser.come_back(back).status_code == 200
    refused(browser.come_back(back), 422, "social_state_invalid")
    assert kept is not None
    browser.client.set_cookie("torg_social", kept.value, path="/api/v1/auth/login")
    refused(browser.come_back(back), 401, "social_login_refused")
    assert sql("SELECT count(*) FROM auth_session") == [(1,)]


def test_a_code_of_another_sign_in_is_refused(
    browser: Browser, app: Any, issuer: Issuer, sql: Any
) -> None:
    thief = Browser(app, issuer)
    stolen = dict(parse_qsl(urlsplit(issuer.sign_in(thief.begin(), "anna")).query))["code"]
    back = issuer.sign_in(browser.begin(), "mallory")
    # The code was asked for with another challenge: PKCE.
    refused(browser.come_back(back, code=stolen), 401, "social_login_refused")
    none_signed_in(sql)


def test_an_answer_of_another_issuer_is_refused(browser: Browser, issuer: Issuer) -> None:
    back = issuer.sign_in(browser.begin(), "anna")
    refused(browser.come_back(back, iss="https://evil.example"), 401, "social_login_refused")


def test_a_refusal_of_the_provider_is_passed_on(browser: Browser) -> None:
    refused(browser.sign_in("refuse"), 401, "social_login_refused")


def test_a_way_back_without_a_code_is_refused(browser: Browser, issuer: Issuer) -> None:
    back = issuer.sign_in(browser.begin(), "anna")
    refused(browser.come_back(back, code=""), 401, "social_login_refused")
    assert browser.client.get("/api/v1/auth/login/oidc/callback").status_code == 422


def test_facts_about_somebody_else_are_refused(browser: Browser, issuer: Issuer, sql: Any) -> None:
    issuer.mischief(userinfo_only=True, userinfo={"sub": "999"})
    refused(browser.sign_in("anna"), 401, "social_login_refused")
    none_signed_in(sql)


# Devices.


def test_a_sign_in_on_a_new_device_is_told_to_the_owner(
    app: Any, issuer: Issuer, browser: Browser, mails: Any
) -> None:
    def told() -> list[Any]:
        return [each for each in mails("anna@example.com") if "нового устройства" in each.text]

    browser.sign_in("anna")
    browser.sign_in("anna")
    assert told() == []
    Browser(app, issuer, agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0").sign_in("anna")
    [mail] = told()
    assert "Firefox on Linux" in mail.text
