"""Mailed codes: five tries, fifteen minutes, one use, one purpose; and setting a new password."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PASSWORD = "a fine long sentence"
NEW_PASSWORD = "another fine sentence"


def _other(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def _verify(api: Any, code: str) -> Any:
    return api.post("/verify-email", {"email": "anna@example.com", "code": code})


def test_a_code_works_once(api: Any, code_for: Any) -> None:
    api.register("anna")
    code = code_for("anna@example.com")
    assert _verify(api, code).status_code == 200
    assert _verify(api, code).status_code == 422


def test_after_five_wrong_tries_a_code_is_dead(api: Any, code_for: Any) -> None:
    api.register("anna")
    code = code_for("anna@example.com")
    for _ in range(5):
        answer = _verify(api, _other(code))
        assert answer.status_code == 422
        assert answer.get_json()["code"] == "code_invalid"
    assert _verify(api, code).status_code == 422


def test_the_fifth_try_may_still_be_right(api: Any, code_for: Any) -> None:
    api.register("anna")
    code = code_for("anna@example.com")
    for _ in range(4):
        _verify(api, _other(code))
    assert _verify(api, code).status_code == 200


def test_tries_at_once_are_counted_one_by_one(api: Any, code_for: Any, sql: Any) -> None:
    api.register("anna")
    code = code_for("anna@example.com")
    start = threading.Barrier(8)

    def guess(number: int) -> int:
        start.wait(timeout=30)
        return int(_verify(api, f"{(int(code) + 1 + number) % 1_000_000:06d}").status_code)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(guess, range(8))) == {422}
    assert sql("SELECT tries FROM auth_one_time_code") == [(5,)]


def test_a_right_code_given_at_once_is_used_once(api: Any, code_for: Any) -> None:
    api.register("anna")
    code = code_for("anna@example.com")
    start = threading.Barrier(4)

    def use(_number: int) -> int:
        start.wait(timeout=30)
        return int(_verify(api, code).status_code)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(use, range(4))) == [200, 422, 422, 422]


def test_after_fifteen_minutes_code_and_link_are_void(
    api: Any, code_for: Any, mails: Any, sql: Any
) -> None:
    api.register("anna")
    code = code_for("anna@example.com")
    [(minutes,)] = sql(
        "SELECT round(extract(epoch FROM expires_at - created_at) / 60) FROM auth_one_time_code"
    )
    assert minutes == 15
    sql("UPDATE auth_one_time_code SET expires_at = clock_timestamp() - interval '1 second'")
    assert _verify(api, code).status_code == 422
    link = next(line for line in mails("anna@example.com")[0].text.split() if "token=" in line)
    assert api.get("/verify-email?" + link.partition("?")[2]).status_code == 422


def test_tries_that_are_used_up_leave_the_link_alone(api: Any, code_for: Any, mails: Any) -> None:
    api.register("anna")
    code = code_for("anna@example.com")
    for _ in range(6):
        _verify(api, _other(code))
    link = next(line for line in mails("anna@example.com")[0].text.split() if "token=" in line)
    assert api.get("/verify-email?" + link.partition("?")[2]).status_code == 200


def test_a_new_code_makes_the_older_one_void(api: Any, code_for: Any, mails: Any) -> None:
    api.register("anna")
    older = code_for("anna@example.com")
    older_link = next(
        word for word in mails("anna@example.com")[0].text.split() if "token=" in word
    )
    assert api.post("/verify-email/resend", {"email": "anna@example.com"}).status_code == 202
    newer = code_for("anna@example.com")
    if newer != older:
        assert _verify(api, older).status_code == 422
    assert api.get("/verify-email?" + older_link.partition("?")[2]).status_code == 422
    assert _verify(api, newer).status_code == 200


def test_a_code_of_one_purpose_never_works_for_another(api: Any, code_for: Any) -> None:
    api.register("anna")
    confirming = code_for("anna@example.com")
    body = {"email": "anna@example.com", "code": confirming, "password": NEW_PASSWORD}
    assert api.post("/password/reset", body).status_code == 422
    api.post("/password/forgot", {"email": "anna@example.com"})
    resetting = code_for("anna@example.com")
    if resetting != confirming:
        assert _verify(api, resetting).status_code == 422
    assert _verify(api, confirming).status_code == 200


def test_a_link_of_one_purpose_never_works_for_another(api: Any, app: Any, sql: Any) -> None:
    from torg.db import unit_of_work
    from torg_auth.domain.codes import Purpose, link_use
    from torg_auth.services import codes
    from torg_auth.signing import signed

    api.register("anna")
    with unit_of_work(app=app):
        issued = codes.issue(1, Purpose.RESET_PASSWORD)
        tokens = [signed(link_use(purpose), [issued.id, issued.nonce]) for purpose in Purpose]
    for token in tokens:
        assert api.get(f"/verify-email?token={token}").status_code == 422
    assert sql("SELECT email_verified_at FROM auth_user") == [(None,)]


def test_a_new_password_ends_every_session_and_the_owner_is_told(
    api: Any, code_for: Any, mails: Any
) -> None:
    api.register("anna")
    before = api.log_in("anna").get_json()
    assert api.post("/password/forgot", {"email": "ANNA@example.com"}).status_code == 202
    body = {
        "email": "anna@example.com",
        "code": code_for("anna@example.com"),
        "password": NEW_PASSWORD,
    }
    assert api.post("/password/reset", body).status_code == 204
    assert api.get("/me", token=before["token"]).status_code == 401
    assert api.refresh(before["refresh_token"]).status_code == 401
    assert api.log_in("anna", PASSWORD).status_code == 401
    assert api.log_in("anna", NEW_PASSWORD).status_code == 200
    assert "has just been changed" in mails("anna@example.com")[0].text


def test_setting_a_new_password_proves_the_address_too(api: Any, code_for: Any) -> None:
    api.register("anna")
    api.post("/password/forgot", {"email": "anna@example.com"})
    body = {
        "email": "anna@example.com",
        "code": code_for("anna@example.com"),
        "password": NEW_PASSWORD,
    }
    api.post("/password/reset", body)
    token = api.log_in("anna", NEW_PASSWORD).get_json()["token"]
    assert api.get("/me", token=token).get_json()["email_verified"] is True


def test_a_weak_new_password_is_refused_and_the_code_stays_good(api: Any, code_for: Any) -> None:
    api.register("anna")
    api.post("/password/forgot", {"email": "anna@example.com"})
    body = {"email": "anna@example.com", "code": code_for("anna@example.com")}
    weak = api.post("/password/reset", {**body, "password": "1234567890"})
    assert weak.status_code == 422
    assert weak.get_json()["code"] == "password_refused"
    assert api.post("/password/reset", {**body, "password": NEW_PASSWORD}).status_code == 204


def test_a_wrong_reset_code_changes_nothing(api: Any, code_for: Any) -> None:
    api.register("anna")
    token = api.token("anna")
    api.post("/password/forgot", {"email": "anna@example.com"})
    body = {
        "email": "anna@example.com",
        "code": _other(code_for("anna@example.com")),
        "password": NEW_PASSWORD,
    }
    assert api.post("/password/reset", body).status_code == 422
    assert api.get("/me", token=token).status_code == 200
    assert api.log_in("anna", PASSWORD).status_code == 200


def test_old_codes_and_sessions_are_forgotten_in_the_end(
    api: Any, app: Any, sql: Any, code_for: Any
) -> None:
    from torg.db import unit_of_work
    from torg_auth.services.housekeeping import forget_old

    api.register("anna")
    code_for("anna@example.com")
    api.token("anna")
    with unit_of_work(app=app):
        assert forget_old() == 0
    sql("UPDATE auth_one_time_code SET expires_at = clock_timestamp() - interval '8 days'")
    sql(
        "UPDATE auth_session SET expires_at = clock_timestamp() - interval '181 days',"
        " last_used_at = clock_timestamp() - interval '211 days'"
    )
    with unit_of_work(app=app):
        assert forget_old() == 2
