"""Rule 4: a change is taken back by the link that the old address got, for 72 hours, once."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from torg import db

NEW_PASSWORD = "another fine sentence"


def _undo_token(text: str) -> str:
    found = re.search(r"me/changes/undo\?token=(\S+)", text)
    assert found is not None, text
    return found.group(1)


def _undo(api: Any, token: str) -> Any:
    return api.post(f"/me/changes/undo?token={token}")


def _me(api: Any, token: str) -> Any:
    return api.get("/me", token=token).get_json()


def test_the_old_address_takes_a_change_back_and_signs_everybody_out(
    api: Any, anna: str, change: Any, mails: Any
) -> None:
    change(anna, "email", "thief@new.example", at="thief@new.example")
    token = _undo_token(mails("anna@example.com")[0].text)
    answer = _undo(api, token)
    assert answer.get_json() == {"kind": "email", "undone": True}
    assert api.get("/me", token=anna).status_code == 401
    me = _me(api, api.token("anna@example.com"))
    assert (me["email"], me["email_verified"]) == ("anna@example.com", True)


def test_a_name_comes_back_and_nobody_could_take_it_meanwhile(
    api: Any, anna: str, change: Any, mails: Any, confirmed: Any, ask: Any
) -> None:
    change(anna, "username", "annette", at="anna@example.com")
    assert api.register("Anna", email="other@example.com").status_code == 409
    assert ask(confirmed("boris"), "username", "anna").status_code == 409
    assert _undo(api, _undo_token(mails("anna@example.com")[0].text)).status_code == 200
    assert _me(api, api.token("anna"))["username"] == "anna"


def test_a_link_works_once(api: Any, anna: str, change: Any, mails: Any) -> None:
    change(anna, "email", "anna@new.example", at="anna@new.example")
    token = _undo_token(mails("anna@example.com")[0].text)
    start = threading.Barrier(4)

    def use(_number: int) -> int:
        start.wait(timeout=30)
        return int(_undo(api, token).status_code)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(use, range(4))) == [200, 422, 422, 422]


def test_opening_the_link_changes_nothing_and_shows_a_button_to_a_browser(
    api: Any, anna: str, change: Any, mails: Any
) -> None:
    change(anna, "email", "anna@new.example", at="anna@new.example")
    path = f"/me/changes/undo?token={_undo_token(mails('anna@example.com')[0].text)}"
    for _ in range(2):
        shown = api.get(path)
        assert shown.get_json()["kind"] == "email"
    page = api.get(path, headers={"Accept": "text/html", "Accept-Language": "ru"})
    assert page.mimetype == "text/html"
    assert '<form method="post">' in page.text
    assert "Отменить изменение" in page.text
    assert "form-action 'self'" in page.headers["Content-Security-Policy"]
    assert _me(api, anna)["email"] == "anna@new.example"
    pressed = api.post(path, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (pressed.status_code, pressed.mimetype) == (200, "text/html")
    assert "Ask for a new password now" in pressed.text
    assert _me(api, api.token("anna"))["email"] == "anna@example.com"


def test_after_72_hours_a_link_is_void(
    api: Any, anna: str, change: Any, mails: Any, sql: Any
) -> None:
    change(anna, "email", "anna@new.example", at="anna@new.example")
    [(hours,)] = sql(
        "SELECT round(extract(epoch FROM undo_until - applied_at) / 3600) FROM auth_pending_change"
    )
    assert hours == 72
    sql("UPDATE auth_pending_change SET undo_until = clock_timestamp() - interval '1 second'")
    token = _undo_token(mails("anna@example.com")[0].text)
    assert _undo(api, token).status_code == 422
    assert api.get(f"/me/changes/undo?token={token}").status_code == 422


def test_undoing_takes_back_what_a_thief_did_afterwards(
    api: Any, anna: str, change: Any, mails: Any
) -> None:
    change(anna, "email", "thief@one.example", at="thief@one.example")
    change(anna, "email", "thief@two.example", at="thief@two.example")
    thiefs = _undo_token(mails("thief@one.example")[0].text)
    owners = _undo_token(mails("anna@example.com")[0].text)
    assert _undo(api, owners).status_code == 200
    assert _undo(api, thiefs).status_code == 422
    assert _me(api, api.token("anna"))["email"] == "anna@example.com"


def test_undoing_makes_the_codes_of_a_thief_void(
    api: Any, anna: str, change: Any, ask: Any, mails: Any, code_for: Any
) -> None:
    change(anna, "email", "thief@one.example", at="thief@one.example")
    api.post("/password/forgot", {"email": "thief@one.example"})
    code = code_for("thief@one.example")
    _undo(api, _undo_token(mails("anna@example.com")[0].text))
    for email in ("anna@example.com", "thief@one.example"):
        body = {"email": email, "code": code, "password": NEW_PASSWORD}
        assert api.post("/password/reset", body).status_code == 422


def test_undoing_revokes_the_api_keys_of_a_thief(
    api: Any, anna: str, change: Any, mails: Any
) -> None:
    change(anna, "email", "thief@new.example", at="thief@new.example")
    wanted = {"name": "thief", "scopes": ["auth.profile.read"], "expires_in_days": 366}
    key = api.post("/api-keys", wanted, token=anna).get_json()["key"]
    assert api.get("/me", token=key).status_code == 200
    assert _undo(api, _undo_token(mails("anna@example.com")[0].text)).status_code == 200
    assert api.get("/me", token=key).status_code == 401


def test_undoing_unlinks_the_sign_in_of_a_thief_and_leaves_the_owners(
    api: Any, anna: str, change: Any, mails: Any, sql: Any
) -> None:
    def link(provider: str) -> None:
        sql(
            "INSERT INTO auth_external_identity (user_id, provider, subject, email)"
            f" SELECT id, '{provider}', 'anybody', 'a@example.com' FROM auth_user"
        )

    link("github")
    change(anna, "email", "thief@new.example", at="thief@new.example")
    link("google")
    assert _undo(api, _undo_token(mails("anna@example.com")[0].text)).status_code == 200
    assert sql("SELECT provider FROM auth_external_identity") == [("github",)]
    kinds = "SELECT details FROM auth_security_event WHERE kind = 'provider_unlinked'"
    assert sql(kinds) == [({"provider": "google"},)]


def test_undoing_helps_also_after_a_thief_closed_the_account(
    api: Any, anna: str, change: Any, mails: Any, sql: Any
) -> None:
    change(anna, "email", "thief@one.example", at="thief@one.example")
    assert api.delete("/me", token=anna).status_code == 204
    assert _undo(api, _undo_token(mails("anna@example.com")[0].text)).status_code == 200
    assert sql("SELECT email FROM auth_user") == [("anna@example.com",)]


def test_whoever_registered_with_the_old_address_meanwhile_gives_way(
    api: Any, anna: str, change: Any, mails: Any
) -> None:
    change(anna, "email", "thief@one.example", at="thief@one.example")
    token = _undo_token(mails("anna@example.com")[0].text)
    api.register("blocker", email="anna@example.com")
    assert _undo(api, token).status_code == 200


def test_no_link_of_another_purpose_undoes_anything(
    api: Any, app: Any, anna: str, change: Any, mails: Any, sql: Any
) -> None:
    from torg_auth.domain.codes import Purpose, link_use
    from torg_auth.signing import signed

    change(anna, "email", "anna@new.example", at="anna@new.example")
    [(change_id, nonce)] = sql("SELECT id, undo_nonce FROM auth_pending_change")
    with db.unit_of_work(app=app):
        tokens = [signed(link_use(purpose), [change_id, nonce]) for purpose in Purpose]
        tokens += [signed("known device", [change_id, nonce]), "x", "a.b.c"]
    for token in tokens:
        assert _undo(api, token).status_code == 422
    undo = _undo_token(mails("anna@example.com")[0].text)
    assert api.get(f"/verify-email?token={undo}").status_code == 422
    assert _me(api, anna)["email"] == "anna@new.example"


def test_a_password_has_no_undo(anna: str, change: Any, mails: Any, sql: Any) -> None:
    change(anna, "password", NEW_PASSWORD, at="anna@example.com")
    assert "token=" not in mails("anna@example.com")[0].text
    assert sql("SELECT undo_until FROM auth_pending_change") == [(None,)]


def test_former_addresses_are_forgotten_in_the_end(
    app: Any, anna: str, change: Any, sql: Any
) -> None:
    from torg_auth.services.housekeeping import forget_old

    change(anna, "email", "anna@new.example", at="anna@new.example")
    with db.unit_of_work(app=app):
        assert forget_old() == 0
    sql(
        "UPDATE auth_pending_change SET created_at = created_at - interval '11 days',"
        " undo_until = undo_until - interval '11 days'"
    )
    with db.unit_of_work(app=app):
        assert forget_old() == 1
