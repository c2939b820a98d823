"""Rule 8: status with history and notices; all my data; being forgotten."""

import json
from typing import Any

import pytest

from torg import plugins

PASSWORD = "a fine long sentence"


def _put(api: Any, token: str, text: str) -> Any:
    return api.call("PUT", "/me/status", {"text": text}, token=token)


# Status.


def test_a_status_is_shown_to_everybody_and_kept_in_the_history(confirmed: Any, api: Any) -> None:
    token = confirmed("anna")
    for text in ("Away", "  Back  ", ""):
        assert _put(api, token, text).status_code == 200
    assert api.get("/me", token=token).get_json()["status_text"] == ""
    _put(api, token, "Here")
    assert api.get("/users/anna").get_json()["status_text"] == "Here"
    history = api.get("/me/status/history", token=token).get_json()["items"]
    assert [each["text"] for each in history] == ["Here", "", "Back", "Away"]


def test_the_history_is_paged_and_ones_own(confirmed: Any, api: Any) -> None:
    token, other = confirmed("anna"), confirmed("boris")
    for number in range(3):
        _put(api, token, f"status {number}")
    first = api.get("/me/status/history?limit=2", token=token).get_json()
    rest = api.get(
        f"/me/status/history?limit=2&cursor={first['next_cursor']}", token=token
    ).get_json()
    assert [each["text"] for each in first["items"] + rest["items"]] == [
        "status 2",
        "status 1",
        "status 0",
    ]
    assert api.get("/me/status/history", token=other).get_json()["items"] == []


def test_the_owner_is_told_of_his_new_profile_and_of_each_status(
    confirmed: Any, api: Any, mails: Any
) -> None:
    token = confirmed("anna")
    assert "your profile on" in mails("anna@example.com")[0].text
    _put(api, token, "Away until May")
    told = mails("anna@example.com")[0]
    assert "Away until May" in told.text.split("\r\n\r\n")
    assert "status" in told.subject
    count = len(mails("anna@example.com"))
    _put(api, token, "Away until May")
    assert len(mails("anna@example.com")) == count
    assert len(api.get("/me/status/history", token=token).get_json()["items"]) == 1


def test_an_unconfirmed_address_gets_no_notice(api: Any, mails: Any) -> None:
    api.register("anna")
    before = len(mails("anna@example.com"))
    _put(api, api.token("anna"), "spam for a stranger")
    assert len(mails("anna@example.com")) == before


@pytest.mark.parametrize(
    "body", [{}, {"text": None}, {"text": "x" * 201}, {"text": "a\u0000b"}, {"text": "x", "id": 1}]
)
def test_a_wrong_status_is_refused(body: Any, confirmed: Any, api: Any) -> None:
    assert api.call("PUT", "/me/status", body, token=confirmed("anna")).status_code == 422


# Export.

SECRETS = ("password_hash", "token_hash", "key_hash", "code_hash", "nonce", "avatar_key")


def test_an_export_holds_what_one_did_and_no_secret(confirmed: Any, api: Any) -> None:
    token = confirmed("anna")
    _put(api, token, "Away until May")
    key = {"name": "robot", "scopes": ["auth.profile.read"]}
    made = api.post("/api-keys", key, token=token).get_json()
    answer = api.get("/me/export", token=token)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    parts = answer.get_json()["plugins"]["auth"]
    [account] = parts["account"]
    assert account["username"] == "anna"
    assert account["email"] == "anna@example.com"
    assert [each["text"] for each in parts["status_history"]] == ["Away until May"]
    assert [each["name"] for each in parts["api_keys"]] == ["robot"]
    assert [each["name"] for each in parts["roles"]] == ["user"]
    assert {each["kind"] for each in parts["security_events"]} >= {"registered", "exported"}
    text = answer.get_data(as_text=True)
    assert made["key"] not in text
    assert not [name for name in SECRETS if f'"{name}"' in text]


def test_an_export_tells_nothing_of_others(confirmed: Any, api: Any) -> None:
    token = confirmed("anna")
    _put(api, confirmed("boris"), "a secret of Boris")
    text = api.get("/me/export", token=token).get_data(as_text=True)
    assert "boris" not in text.lower()


def test_every_table_of_accounts_with_a_person_is_exported_and_forgotten(
    app: Any, sql: Any
) -> None:
    from torg_auth.queries import personal
    from torg_auth.services import privacy

    rows = sql(
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_name LIKE 'auth\\_%' AND column_name = 'user_id'"
    )
    named = {row[0] for row in rows}
    exported = {
        name for name in named if any(f"FROM {name} " in each for each in personal._PARTS.values())
    }
    # A code is a fleeting thing of minutes.
    assert named - exported == {"auth_one_time_code"}
    # What one was allowed to do, and the append-only record, stay without a name.
    assert named - set(privacy._OWN_TABLES) == {"auth_user_role", "auth_security_event"}


def test_every_active_plugin_is_asked(make_app: Any, api: Any, monkeypatch: Any) -> None:
    api.app = make_app(["auth", "auction"])
    api.register("anna")
    told = api.get("/me/export", token=api.token("anna")).get_json()["plugins"]
    assert set(told) == {"auth", "auction"}


def test_an_export_with_a_part_missing_is_refused(
    confirmed: Any, api: Any, monkeypatch: Any
) -> None:
    token = confirmed("anna")

    def break_down(self: Any, plugin: Any, hook: str, **arguments: Any) -> Any:
        if hook == "torg_data_export":
            raise RuntimeError("a plugin cannot tell")
        return invoke(self, plugin, hook, **arguments)

    invoke = plugins.Registry.invoke
    monkeypatch.setattr(plugins.Registry, "invoke", break_down)
    assert api.get("/me/export", token=token).status_code == 500


# Being forgotten.


def _erase(api: Any, token: str, password: str = PASSWORD) -> Any:
    return api.post("/me/erase", {"current_password": password}, token=token)


def test_whoever_is_erased_leaves_no_name_and_no_session(
    confirmed: Any, api: Any, sql: Any, mails: Any
) -> None:
    token, other = confirmed("anna"), api.token("anna")
    api.patch("/me", {"display_name": "Anna K.", "about": "secret", "country": "DE"}, token=token)
    _put(api, token, "a secret status")
    key = {"name": "robot", "scopes": ["auth.profile.read"]}
    made = api.post("/api-keys", key, token=token).get_json()["key"]
    mails("anna@example.com")
    assert _erase(api, token).status_code == 204
    for credential in (token, other, made):
        assert api.get("/me", token=credential).status_code == 401
    assert api.log_in("anna").status_code == 401
    assert api.log_in("anna@example.com").status_code == 401
    assert api.get("/users/anna").status_code == 404
    tables = [row[0] for row in sql("SELECT tablename FROM pg_tables WHERE tablename LIKE 'auth%'")]
    rows = json.dumps([[str(row) for row in sql(f"SELECT * FROM {table}")] for table in tables])
    for trace in ("anna", "secret", "Anna K."):
        assert trace not in rows.lower(), trace
    [(username, active)] = sql(
        "SELECT username, is_active FROM auth_user JOIN torg_identity USING (id)"
    )
    assert username.startswith("erased-1-")
    assert active is False


def test_the_name_and_the_address_are_free_again(confirmed: Any, api: Any) -> None:
    _erase(api, confirmed("anna"))
    again = confirmed("anna")
    assert api.get("/me", token=again).get_json()["id"] == 2


def test_the_picture_leaves_the_storage(confirmed: Any, api: Any, app: Any, run_jobs: Any) -> None:
    import base64
    import io

    from PIL import Image

    from torg import storage

    token = confirmed("anna")
    written = io.BytesIO()
    Image.new("RGB", (9, 9)).save(written, "PNG")
    image = base64.b64encode(written.getvalue()).decode()
    address = api.call("PUT", "/me/avatar", {"image": image}, token=token).get_json()["avatar_url"]
    key = address.partition("/files/")[2].partition("?")[0]
    _erase(api, token)
    run_jobs()
    with app.app_context(), pytest.raises(storage.FileMissingError):
        storage.get(key)


def test_a_wrong_password_erases_nothing_and_is_counted(confirmed: Any, api: Any) -> None:
    token = confirmed("anna")
    statuses = [_erase(api, token, "not the password").status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert api.get("/me", token=token).get_json()["username"] == "anna"


def test_an_api_key_erases_nobody(confirmed: Any, api: Any) -> None:
    token = confirmed("anna")
    key = {"name": "robot", "scopes": ["auth.data.erase"]}
    made = api.post("/api-keys", key, token=token).get_json()["key"]
    answer = _erase(api, made)
    assert answer.status_code == 403
    assert answer.get_json()["code"] == "session_needed"
    assert api.get("/me", token=token).status_code == 200


def test_a_plugin_that_cannot_forget_yet_stops_the_whole(
    confirmed: Any, api: Any, monkeypatch: Any
) -> None:
    from torg.errors import ConflictError

    token = confirmed("anna")
    invoke = plugins.Registry.invoke

    def owe(self: Any, plugin: Any, hook: str, **arguments: Any) -> Any:
        result = invoke(self, plugin, hook, **arguments)
        if hook == "torg_data_erase":
            raise ConflictError(reason="owes something")
        return result

    monkeypatch.setattr(plugins.Registry, "invoke", owe)
    assert _erase(api, token).status_code == 409
    assert api.get("/me", token=token).get_json()["username"] == "anna"


def test_the_erasure_is_recorded_without_a_name(confirmed: Any, api: Any, sql: Any) -> None:
    _erase(api, confirmed("anna"))
    [(user_id, details)] = sql(
        "SELECT user_id, details FROM auth_security_event WHERE kind = 'erased'"
    )
    assert (user_id, details) == (1, {})


def test_the_auctions_of_an_erased_person_stay_nameless(make_app: Any, api: Any) -> None:
    api.app = make_app(["auth", "auction"])
    api.register("anna")
    assert _erase(api, api.token("anna")).status_code == 204
