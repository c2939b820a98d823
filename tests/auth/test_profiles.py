"""Rule 8: one's own account, and what everybody may see of others."""

from typing import Any


def test_ones_own_account_shows_everything_about_oneself(confirmed: Any, api: Any) -> None:
    me = api.get("/me", token=confirmed("anna")).get_json()
    assert me["username"] == "anna"
    assert me["email"] == "anna@example.com"
    assert me["roles"] == ["user"]
    assert me["wants_announcements"] is True
    assert not {"password", "password_hash", "claimed_email"} & set(me)


def test_a_change_changes_only_what_it_names(confirmed: Any, api: Any) -> None:
    token = confirmed("anna")
    before = api.get("/me", token=token).get_json()
    change = {"display_name": "  Anna K.  ", "country": "DE", "time_zone": "Europe/Berlin"}
    after = api.patch("/me", change, token=token).get_json()
    assert after["display_name"] == "Anna K."
    assert after["updated_at"] > before["updated_at"]
    same = before.keys() - {*change, "updated_at"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}


def test_what_may_be_absent_can_be_taken_back(confirmed: Any, api: Any) -> None:
    token = confirmed("anna")
    api.patch("/me", {"country": "DE", "locale": "ru", "about": "x"}, token=token)
    cleared = {"country": None, "locale": None, "about": ""}
    after = api.patch("/me", cleared, token=token).get_json()
    assert {name: after[name] for name in cleared} == cleared


READ_ONLY = {
    "id": 7,
    "username": "other",
    "email": "other@example.com",
    "claimed_email": "other@example.com",
    "email_verified": True,
    "email_verified_at": "2026-01-01T00:00:00Z",
    "verification_level": 3,
    "roles": ["admin"],
    "permissions": ["auth.user.change"],
    "is_active": False,
    "password": "another fine sentence",
    "password_hash": "x",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "access_version": 9,
    "avatar_key": "auth.avatar/00/00",
    "avatar_url": "https://evil.example/x.png",
    "status_text": "x",
    "phone": "+4915112345678",
}


def test_no_read_only_field_can_be_assigned(confirmed: Any, api: Any, sql: Any) -> None:
    token = confirmed("anna")
    before = sql("SELECT * FROM auth_user"), sql("SELECT * FROM auth_user_role")
    for name, value in READ_ONLY.items():
        answer = api.patch("/me", {name: value, "about": "changed"}, token=token)
        assert answer.status_code == 422, name
        assert [each["pointer"] for each in answer.get_json()["errors"]] == [f"/{name}"]
    assert (sql("SELECT * FROM auth_user"), sql("SELECT * FROM auth_user_role")) == before


def test_every_shown_field_is_either_changeable_or_known_to_be_read_only(
    confirmed: Any, api: Any
) -> None:
    from torg_auth.services.profiles import CHANGEABLE

    shown = set(api.get("/me", token=confirmed("anna")).get_json())
    assert shown == CHANGEABLE | (shown & set(READ_ONLY))


WRONG = [
    ({"country": "Germany"}, "/country"),
    ({"country": "de"}, "/country"),
    ({"locale": "xx"}, "/locale"),
    ({"time_zone": "Mars/Olympus"}, "/time_zone"),
    ({"time_zone": "../etc/passwd"}, "/time_zone"),
    ({"about": "x" * 2001}, "/about"),
    ({"display_name": "a\u202eb\u0000"}, "/display_name"),
    ({"wants_announcements": "yes"}, "/wants_announcements"),
    ({"about": None}, "/about"),
]


def test_a_wrong_value_is_pointed_at(confirmed: Any, api: Any) -> None:
    token = confirmed("anna")
    pointed = []
    for change, _ in WRONG:
        answer = api.patch("/me", change, token=token)
        assert answer.status_code == 422, change
        pointed.append([problem["pointer"] for problem in answer.get_json()["errors"]])
    assert pointed == [[pointer] for _, pointer in WRONG]


def test_a_change_of_what_one_has_not_seen_is_refused_on_request(confirmed: Any, api: Any) -> None:
    token = confirmed("anna")
    seen = api.get("/me", token=token).headers["ETag"]
    first = api.patch("/me", {"about": "1"}, token=token, headers={"If-Match": seen})
    assert first.status_code == 200
    stale = api.patch("/me", {"about": "2"}, token=token, headers={"If-Match": seen})
    assert stale.status_code == 412
    assert api.get("/me", token=token).get_json()["about"] == "1"


def test_everybody_sees_the_public_part_of_an_active_account(confirmed: Any, api: Any) -> None:
    token = confirmed("anna")
    api.patch("/me", {"about": "I collect clocks."}, token=token)
    public = api.get("/users/ANNA").get_json()
    assert set(public) == {
        "id",
        "username",
        "display_name",
        "about",
        "country",
        "avatar_url",
        "status_text",
        "created_at",
    }
    assert public["about"] == "I collect clocks."


def test_who_left_or_never_was_is_not_found(confirmed: Any, api: Any) -> None:
    token = confirmed("anna")
    assert api.delete("/me", token=token).status_code == 204
    answers = [api.get(f"/users/{name}") for name in ("anna", "nobody", "a" * 300, "%00")]
    assert {answer.status_code for answer in answers} <= {404, 400}
    assert answers[0].get_json()["code"] == answers[1].get_json()["code"] == "user_not_found"


def test_leaving_ends_every_session_and_is_recorded(confirmed: Any, api: Any, sql: Any) -> None:
    token, other = confirmed("anna"), api.token("anna")
    api.delete("/me", token=token)
    assert api.get("/me", token=other).status_code == 401
    assert sql("SELECT user_id, actor_id FROM auth_security_event WHERE kind = 'deactivated'") == [
        (1, 1)
    ]


def test_a_name_once_taken_stays_taken(confirmed: Any, api: Any) -> None:
    api.delete("/me", token=confirmed("anna"))
    assert api.register("anna", email="new@example.com").status_code == 409
