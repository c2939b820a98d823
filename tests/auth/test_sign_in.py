"""Rule 2: signing in, sessions, signing out; each counts from the next request on."""

import base64
import json
import time
from typing import Any

PASSWORD = "a fine long sentence"


def _claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def test_signing_in_by_name_or_by_address_gives_tokens(api: Any) -> None:
    api.register("anna")
    for name in ("anna", "ANNA", "anna@example.com", "Anna@Example.com"):
        answer = api.log_in(name)
        assert answer.status_code == 200
        body = answer.get_json()
        assert set(body) == {"token", "refresh_token", "token_type", "expires_in"}
        assert body["token_type"] == "Bearer"
        assert body["expires_in"] == 900
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_name_with_an_at_sign_in_the_username_field_is_an_address(api: Any) -> None:
    api.register("anna")
    body = {"username": "anna@example.com", "password": PASSWORD}
    assert api.post("/login", body).status_code == 200


def test_a_login_names_exactly_one_of_username_and_email(api: Any) -> None:
    api.register("anna")
    for body in (
        {"password": PASSWORD},
        {"username": "anna", "email": "anna@example.com", "password": PASSWORD},
        {"username": "anna"},
        {"username": ["anna"], "password": PASSWORD},
    ):
        assert api.post("/login", body).status_code == 422


def test_an_access_token_says_who_for_whom_by_whom_and_how_long(api: Any) -> None:
    api.register("anna")
    token = api.token("anna")
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    claims = _claims(token)
    assert header["alg"] == "HS256"
    assert header["kid"]
    assert claims["iss"] == "torg"
    assert claims["aud"] == "torg"
    assert claims["typ"] == "access"
    assert isinstance(claims["sub"], str)
    assert claims["jti"]
    assert claims["exp"] - claims["iat"] == 15 * 60
    assert abs(claims["iat"] - time.time()) < 60
    assert "csrf" not in claims


def test_an_unconfirmed_account_may_sign_in_and_read(api: Any) -> None:
    api.register("anna")
    assert api.get("/me", token=api.token("anna")).status_code == 200


def test_a_wrong_password_and_an_unknown_name_get_the_same_401(api: Any) -> None:
    api.register("anna")
    for name in ("anna", "nobody", "nobody@example.com"):
        answer = api.log_in(name, "not the password")
        assert answer.status_code == 401
        assert answer.get_json()["code"] == "credentials_wrong"
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_signing_out_ends_the_session_at_once(api: Any) -> None:
    api.register("anna")
    body = api.log_in("anna").get_json()
    assert api.get("/me", token=body["token"]).status_code == 200
    assert api.post("/logout", token=body["token"]).status_code == 204
    assert api.get("/me", token=body["token"]).status_code == 401
    assert api.refresh(body["refresh_token"]).status_code == 401


def test_signing_out_leaves_other_sessions_alone(api: Any) -> None:
    api.register("anna")
    first, second = api.token("anna"), api.token("anna")
    api.post("/logout", token=first)
    assert api.get("/me", token=second).status_code == 200


def test_ones_own_sessions_are_listed_with_device_and_place(api: Any) -> None:
    api.register("anna")
    api.register("boris")
    api.token("boris")
    agent = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"}
    token = api.log_in("anna", headers=agent, at="198.51.100.9").get_json()["token"]
    api.token("anna")
    listed = api.get("/sessions", token=token).get_json()
    assert listed["next_cursor"] is None
    assert [each["is_current"] for each in listed["items"]] == [False, True]
    current = listed["items"][1]
    assert current["device_label"] == "Firefox on Linux"
    assert current["address"] == "198.51.100.9"


def test_a_session_of_ones_own_can_be_ended(api: Any) -> None:
    api.register("anna")
    mine, other = api.token("anna"), api.token("anna")
    number = int(_claims(other)["sid"])
    assert api.delete(f"/sessions/{number}", token=mine).status_code == 204
    assert api.get("/me", token=other).status_code == 401
    assert api.get("/me", token=mine).status_code == 200
    assert api.delete(f"/sessions/{number}", token=mine).status_code == 404


def test_a_session_of_somebody_else_is_not_found(api: Any) -> None:
    api.register("anna")
    api.register("boris")
    mine, foreign = api.token("anna"), api.token("boris")
    answer = api.delete(f"/sessions/{_claims(foreign)['sid']}", token=mine)
    assert answer.status_code == 404
    assert answer.get_json()["code"] == "session_not_found"
    assert api.get("/me", token=foreign).status_code == 200


def test_all_sessions_end_together(api: Any) -> None:
    api.register("anna")
    tokens = [api.token("anna") for _ in range(3)]
    assert api.delete("/sessions", token=tokens[0]).status_code == 204
    assert [api.get("/me", token=token).status_code for token in tokens] == [401] * 3


def test_a_session_ends_when_nobody_refreshes_it_for_thirty_days(api: Any, sql: Any) -> None:
    api.register("anna")
    body = api.log_in("anna").get_json()
    [(days,)] = sql("SELECT extract(day FROM expires_at - created_at) FROM auth_session")
    assert days in (29, 30)
    sql("UPDATE auth_session SET expires_at = clock_timestamp() - interval '1 second'")
    assert api.refresh(body["refresh_token"]).status_code == 401
    assert api.get("/me", token=body["token"]).status_code == 401


def test_a_deactivated_account_cannot_sign_in_and_its_tokens_stop_at_once(api: Any) -> None:
    api.register("anna")
    body = api.log_in("anna").get_json()
    assert api.get("/me", token=body["token"]).status_code == 200
    assert api.delete("/me", token=body["token"]).status_code == 204
    assert api.get("/me", token=body["token"]).status_code == 401
    assert api.refresh(body["refresh_token"]).status_code == 401
    assert api.log_in("anna").get_json()["code"] == "credentials_wrong"


def test_a_hash_made_with_older_parameters_is_renewed_at_sign_in(
    api: Any,
    sql: Any,
) -> None:
    from torg_auth.services.passwords import Hasher

    api.register("anna")
    older = Hasher(8192, 1, 1).hash(PASSWORD)
    sql("UPDATE auth_user SET password_hash = :hash", hash=older)
    assert api.log_in("anna").status_code == 200
    [(renewed,)] = sql("SELECT password_hash FROM auth_user")
    assert renewed != older
    assert "m=19456,t=2,p=1" in renewed
    assert api.log_in("anna").status_code == 200


def test_sign_ins_at_once_that_renew_a_hash_all_get_in(api: Any, sql: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from torg_auth.services.passwords import Hasher

    api.register("anna")
    older = Hasher(8192, 1, 1).hash(PASSWORD)
    sql("UPDATE auth_user SET password_hash = :hash", hash=older)
    with ThreadPoolExecutor(6) as pool:
        answers = pool.map(lambda _: api.log_in("anna").status_code, range(6))
        assert set(answers) == {200}


def test_a_password_changed_during_the_check_opens_no_session(
    api: Any, sql: Any, monkeypatch: Any
) -> None:
    from torg_auth.services.passwords import Hasher

    api.register("anna")
    verify = Hasher.verify

    def verify_slowly(self: Hasher, kept: str | None, password: str) -> bool:
        right = verify(self, kept, password)
        sql("UPDATE auth_user SET password_hash = 'changed meanwhile'")
        return right

    monkeypatch.setattr(Hasher, "verify", verify_slowly)
    assert api.log_in("anna").status_code == 401
    assert sql("SELECT count(*) FROM auth_session") == [(0,)]


def test_no_password_code_or_token_is_kept_in_the_clear(api: Any, sql: Any, mails: Any) -> None:
    api.register("anna")
    body = api.log_in("anna").get_json()
    tables = ("auth_user", "auth_session", "auth_refresh_token", "auth_one_time_code")
    waiting = [str(sql(f"SELECT * FROM {table}")) for table in (*tables, "torg_outbox")]
    text = mails("anna@example.com")[0].text
    code = next(line.strip() for line in text.splitlines() if line.strip().isdigit())
    sent = [str(sql(f"SELECT * FROM {table}")) for table in (*tables, "torg_outbox")]
    for secret in (PASSWORD, body["token"], body["refresh_token"], f"'{code}'", f'"{code}"'):
        assert not any(secret in dump for dump in [*waiting, *sent])


def test_sessions_are_paged_last_used_first(api: Any) -> None:
    api.register("anna")
    tokens = [api.token("anna") for _ in range(3)]
    seen: list[int] = []
    query = "limit=1&include_total=true"
    while query:
        page = api.get(f"/sessions?{query}", token=tokens[0]).get_json()
        assert (len(page["items"]), page["total"]) == (1, 3)
        seen += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]
        query = f"limit=1&include_total=true&cursor={cursor}" if cursor else ""
    assert seen == [int(_claims(token)["sid"]) for token in reversed(tokens)]
    assert api.get("/sessions?limit=0", token=tokens[0]).status_code == 422
