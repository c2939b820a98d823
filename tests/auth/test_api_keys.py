"""API keys: shown once, a hash kept, never more than their owner may, worthless once revoked."""

import hashlib
from typing import Any

import pytest

from torg_auth.domain import api_keys as domain

READ = "auth.profile.read"
CHANGE = "auth.profile.change"


def _make(api: Any, token: str, *scopes: str, **more: Any) -> dict[str, Any]:
    body = {"name": "robot", "scopes": list(scopes) or [READ], **more}
    answer = api.post("/api-keys", body, token=token)
    assert answer.status_code == 201, answer.get_json()
    assert answer.headers["Cache-Control"] == "no-store"
    made: dict[str, Any] = answer.get_json()
    return made


def _with(api: Any, key: str, method: str = "GET", path: str = "/me", json: Any = None) -> Any:
    return api.call(method, path, json, headers={"X-Api-Key": key})


def test_a_key_signs_in_as_a_bearer_token_and_as_a_header(confirmed: Any, api: Any) -> None:
    key = _make(api, confirmed("anna"))["key"]
    for answer in (_with(api, key), api.get("/me", token=key)):
        assert answer.status_code == 200
        assert answer.get_json()["username"] == "anna"


def test_the_key_is_shown_once_and_only_its_hash_is_kept(
    confirmed: Any, api: Any, sql: Any
) -> None:
    token = confirmed("anna")
    made = _make(api, token)
    listed = api.get("/api-keys", token=token)
    [entry] = listed.get_json()["items"]
    assert entry == {name: value for name, value in made.items() if name != "key"}
    assert made["key"] not in listed.get_data(as_text=True)
    assert made["key"].startswith(entry["prefix"])
    [(kept, row)] = sql("SELECT key_hash, auth_api_key::text FROM auth_api_key")
    assert bytes(kept) == hashlib.sha256(made["key"].encode()).digest()
    assert made["key"] not in row
    [(events,)] = sql("SELECT string_agg(details::text, '') FROM auth_security_event")
    assert made["key"] not in events


def test_the_owner_sees_when_a_key_was_last_used_to_the_minute(
    confirmed: Any, api: Any, sql: Any
) -> None:
    def used() -> str | None:
        [entry] = api.get("/api-keys", token=token).get_json()["items"]
        return entry["last_used_at"]

    token = confirmed("anna")
    key = _make(api, token)["key"]
    assert used() is None
    _with(api, key)
    first = used()
    assert first is not None
    _with(api, key)
    assert used() == first
    sql("UPDATE auth_api_key SET last_used_at = last_used_at - interval '2 minutes'")
    sql("UPDATE torg_identity SET access_version = access_version + 1")
    _with(api, key)
    assert (used() or "") >= first


def test_a_key_does_no_more_than_its_scopes(confirmed: Any, api: Any) -> None:
    key = _make(api, confirmed("anna"), READ)["key"]
    refused = _with(api, key, "PATCH", json={"about": "x"})
    assert refused.status_code == 403
    assert refused.get_json()["permission"] == CHANGE
    assert _with(api, key, path="/sessions").status_code == 403


def test_nobody_hands_on_what_he_may_not_do_himself(confirmed: Any, api: Any) -> None:
    token = confirmed("anna")
    for foreign in ("auth.user.change", "no.such.permission"):
        body = {"name": "robot", "scopes": [READ, foreign]}
        answer = api.post("/api-keys", body, token=token)
        assert answer.status_code == 403
        assert answer.get_json()["code"] == "scope_not_own"
        assert answer.get_json()["scopes"] == [foreign]
        assert [each["pointer"] for each in answer.get_json()["errors"]] == ["/scopes/1"]
    assert api.get("/api-keys", token=token).get_json()["items"] == []


def test_a_key_loses_what_its_owner_loses(
    confirmed: Any, api: Any, make_admin: Any, app: Any
) -> None:
    from torg import db
    from torg_auth.services import access

    confirmed("anna")
    make_admin("anna")
    key = _make(api, api.token("anna"), "auth.user.read")["key"]
    assert _with(api, key, path="/admin/users").status_code == 200
    with db.unit_of_work(app=app):
        access.replace_roles(1, ["user"])
    assert _with(api, key, path="/admin/users").status_code == 403


def test_a_revoked_key_opens_nothing_from_the_next_request_on(confirmed: Any, api: Any) -> None:
    token = confirmed("anna")
    made, other = _make(api, token), _make(api, token)
    assert _with(api, made["key"]).status_code == 200
    assert api.delete(f"/api-keys/{made['id']}", token=token).status_code == 204
    assert _with(api, made["key"]).status_code == 401
    assert _with(api, other["key"]).status_code == 200
    assert api.delete(f"/api-keys/{made['id']}", token=token).status_code == 404
    assert [each["id"] for each in api.get("/api-keys", token=token).get_json()["items"]] == [
        other["id"]
    ]


def test_keys_are_paged_newest_first(confirmed: Any, api: Any) -> None:
    token = confirmed("anna")
    made = [_make(api, token)["id"] for _ in range(2)]
    first = api.get("/api-keys?limit=1", token=token).get_json()
    rest = api.get(f"/api-keys?limit=1&cursor={first['next_cursor']}", token=token).get_json()
    assert [each["id"] for each in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None


def test_a_key_of_somebody_else_is_not_there(confirmed: Any, api: Any) -> None:
    made = _make(api, confirmed("anna"))
    stranger = confirmed("boris")
    answer = api.delete(f"/api-keys/{made['id']}", token=stranger)
    assert answer.status_code == 404
    assert answer.get_json()["code"] == "api_key_not_found"
    assert api.get("/api-keys", token=stranger).get_json()["items"] == []
    assert _with(api, made["key"]).status_code == 200


def test_an_expired_key_opens_nothing(confirmed: Any, api: Any, sql: Any) -> None:
    key = _make(api, confirmed("anna"), expires_in_days=1)["key"]
    [(days,)] = sql("SELECT expires_at - created_at FROM auth_api_key")
    assert 0.99 < days.total_seconds() / 86400 < 1.01
    sql("UPDATE auth_api_key SET expires_at = clock_timestamp()")
    assert _with(api, key).status_code == 401


def test_the_keys_of_a_closed_account_open_nothing(confirmed: Any, api: Any) -> None:
    token = confirmed("anna")
    key = _make(api, token)["key"]
    assert _with(api, key).status_code == 200
    assert api.delete("/me", token=token).status_code == 204
    assert _with(api, key).status_code == 401


def test_a_forgotten_password_set_anew_revokes_the_keys(
    confirmed: Any, api: Any, code_for: Any
) -> None:
    """Or whoever was in the account, and made one, would still be in it."""
    key = _make(api, confirmed("anna"))["key"]
    address = {"email": "anna@example.com"}
    api.post("/password/forgot", address)
    code = code_for(address["email"])
    body = {**address, "code": code, "password": "another fine sentence"}
    assert api.post("/password/reset", body).status_code == 204
    assert _with(api, key).status_code == 401


def test_a_key_makes_no_other_key(confirmed: Any, api: Any) -> None:
    key = _make(api, confirmed("anna"), "auth.api_key.create", READ)["key"]
    answer = _with(api, key, "POST", "/api-keys", {"name": "child", "scopes": [READ]})
    assert answer.status_code == 403
    assert answer.get_json()["code"] == "session_needed"


def test_an_account_has_twenty_keys_at_most(confirmed: Any, api: Any, sql: Any) -> None:
    token = confirmed("anna")
    made = [_make(api, token) for _ in range(domain.MOST_KEYS)]
    full = api.post("/api-keys", {"name": "robot", "scopes": [READ]}, token=token)
    assert full.status_code == 409
    assert full.get_json()["code"] == "api_keys_full"
    api.delete(f"/api-keys/{made[0]['id']}", token=token)
    _make(api, token)
    sql("UPDATE auth_api_key SET expires_at = clock_timestamp() WHERE id = 2")
    _make(api, token)


FORGED = [
    "torg_",
    "torg_x",
    "x",
    "Bearer torg_x",
    "torg_" + "A" * 43,
    "ü",
    "torg_\ud7ff",
    "A" * 7000,
]


def test_forged_keys_are_refused_everywhere(confirmed: Any, api: Any) -> None:
    made = _make(api, confirmed("anna"))
    forged = [*FORGED, made["key"][:-1], made["key"] + "A", made["prefix"], made["key"].upper()]
    for key in forged:
        sent = key.encode("utf-8").decode("latin-1")
        assert _with(api, sent).status_code == 401, key
        assert api.get("/me", headers={"Authorization": f"Bearer {sent}"}).status_code == 401, key


def test_a_wrong_authorization_is_not_rescued_by_a_good_key(confirmed: Any, api: Any) -> None:
    key = _make(api, confirmed("anna"))["key"]
    both = {"Authorization": "Bearer x", "X-Api-Key": key}
    assert api.get("/me", headers=both).status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"scopes": []},
        {"scopes": [READ, READ]},
        {"name": " "},
        {"name": "x" * 81},
        {"expires_in_days": 0},
        {"expires_in_days": 367},
        {"key": "torg_mine"},
        {"prefix": "torg_mine"},
        {"user_id": 2},
        {"expires_at": "2999-01-01T00:00:00Z"},
    ],
)
def test_a_wrong_or_foreign_field_is_refused(change: Any, confirmed: Any, api: Any) -> None:
    body = {"name": "robot", "scopes": [READ], **change}
    answer = api.post("/api-keys", body, token=confirmed("anna"))
    assert answer.status_code == 422
    assert answer.get_json()["errors"]


def test_making_and_revoking_is_recorded(confirmed: Any, api: Any, sql: Any) -> None:
    token = confirmed("anna")
    made = _make(api, token)
    api.delete(f"/api-keys/{made['id']}", token=token)
    rows = sql(
        "SELECT kind, details ->> 'api_key_id' FROM auth_security_event"
        " WHERE kind LIKE 'api_key%' ORDER BY id"
    )
    assert rows == [("api_key_created", str(made["id"])), ("api_key_revoked", str(made["id"]))]
