"""Rule 11: staff list, let in, keep out, give roles; each counts from the next request on."""

from typing import Any

import pytest


@pytest.fixture
def chief(api: Any, make_admin: Any) -> str:
    """A token of an administrator."""
    api.register("chief")
    make_admin("chief")
    return api.token("chief")


def _id(api: Any, token: str) -> int:
    return int(api.get("/me", token=token).get_json()["id"])


def test_accounts_are_listed_filtered_sorted_and_searched(
    api: Any, chief: Any, confirmed: Any
) -> None:
    confirmed("anna")
    api.register("boris", country="RU")
    listed = api.get("/admin/users?sort=username&include_total=true", token=chief).get_json()
    assert [each["username"] for each in listed["items"]] == ["anna", "boris", "chief"]
    assert listed["total"] == 3
    assert listed["next_cursor"] is None

    def found(query: str) -> list[str]:
        answer = api.get(f"/admin/users?sort=username&{query}", token=chief)
        assert answer.status_code == 200, answer.get_json()
        return [each["username"] for each in answer.get_json()["items"]]

    assert found("email_verified=true") == ["anna"]
    assert found("role=admin") == ["chief"]
    assert found("country=RU") == ["boris"]
    assert found("search=bor") == ["boris"]
    for typed in ("anna@example.com", "Anna@Exam", "anna@"):
        assert found(f"search={typed}") == ["anna"]
    assert found("is_active=false") == []
    assert found("created_after=2999-01-01T00:00:00Z") == []
    assert found("verification_level=1") == ["anna"]


def test_accounts_are_paged(api: Any, chief: Any) -> None:
    for number in range(4):
        api.register(f"user{number}")
    seen: list[str] = []
    cursor = ""
    while True:
        page = api.get(f"/admin/users?limit=2&sort=-username{cursor}", token=chief).get_json()
        seen += [each["username"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["user3", "user2", "user1", "user0", "chief"]


def test_an_unknown_filter_is_refused_by_name(api: Any, chief: Any) -> None:
    answer = api.get("/admin/users?password_hash=x", token=chief)
    assert answer.status_code == 422


def test_a_list_takes_the_same_number_of_statements_for_any_length(
    api: Any, chief: Any, count_queries: Any
) -> None:
    def statements() -> int:
        with count_queries() as count:
            api.get("/admin/users", token=chief)
        return int(count.total)

    statements()
    before = statements()
    for number in range(5):
        api.register(f"user{number}")
    assert statements() == before


def test_a_deactivated_account_is_out_at_once_and_comes_back(api: Any, chief: Any) -> None:
    api.register("anna")
    token = api.token("anna")
    number = _id(api, token)
    answer = api.patch(f"/admin/users/{number}", {"is_active": False}, token=chief)
    assert answer.status_code == 200
    assert answer.get_json()["is_active"] is False
    assert api.get("/me", token=token).status_code == 401
    assert api.log_in("anna").status_code == 401
    api.patch(f"/admin/users/{number}", {"is_active": True}, token=chief)
    assert api.get("/me", token=token).status_code == 401
    assert api.log_in("anna").status_code == 200


def test_what_staff_change_moves_the_time_of_the_last_change(api: Any, chief: Any) -> None:
    api.register("anna")
    path = f"/admin/users/{_id(api, api.token('anna'))}"

    def moment(body: Any) -> str:
        changed = api.patch(path, body, token=chief) if body else api.get(path, token=chief)
        return str(changed.get_json()["updated_at"])

    bodies = (None, {"is_active": False}, {"is_active": False}, {"roles": []})
    before, closed, closed_already, deprived = [moment(body) for body in bodies]
    assert before < closed == closed_already < deprived


def test_a_role_given_or_taken_counts_from_the_next_request_on(api: Any, chief: Any) -> None:
    api.register("anna")
    token = api.token("anna")
    number = _id(api, token)
    assert api.get("/admin/users", token=token).status_code == 403
    body = {"roles": ["user", "manager"]}
    given = api.patch(f"/admin/users/{number}", body, token=chief).get_json()
    assert given["roles"] == ["manager", "user"]
    assert api.get("/admin/users", token=token).status_code == 200
    api.patch(f"/admin/users/{number}", {"roles": ["user"]}, token=chief)
    assert api.get("/admin/users", token=token).status_code == 403
    again = api.patch(f"/admin/users/{number}", body, token=chief).get_json()
    assert again["roles"] == ["manager", "user"]


def test_a_role_that_does_not_exist_is_refused_by_name(api: Any, chief: Any) -> None:
    api.register("anna")
    number = _id(api, api.token("anna"))
    answer = api.patch(f"/admin/users/{number}", {"roles": ["user", "emperor"]}, token=chief)
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["pointer"] == "/roles/1"
    assert answer.get_json()["role"] == "emperor"
    assert answer.get_json()["known_roles"] == ["admin", "manager", "user"]


def test_nobody_changes_his_own_access(api: Any, chief: Any) -> None:
    number = _id(api, chief)
    for body in ({"is_active": False}, {"roles": ["user"]}):
        answer = api.patch(f"/admin/users/{number}", body, token=chief)
        assert answer.status_code == 409
        assert answer.get_json()["code"] == "own_access"


def test_who_may_only_see_changes_nothing(api: Any, chief: Any, make_admin: Any) -> None:
    api.register("anna")
    api.register("helper")
    make_admin("helper", "manager")
    helper = api.token("helper")
    number = _id(api, api.token("anna"))
    for body, missing in (
        ({"is_active": False}, "auth.user.change"),
        ({"roles": ["admin"]}, "auth.role.grant"),
    ):
        answer = api.patch(f"/admin/users/{number}", body, token=helper)
        assert answer.status_code == 403
        assert answer.get_json()["permission"] == missing


def test_who_may_deactivate_may_not_therefore_give_roles(
    api: Any, chief: Any, make_admin: Any, sql: Any
) -> None:
    api.register("anna")
    api.register("helper")
    make_admin("helper", "manager")
    sql(
        "INSERT INTO auth_role_permission (role_id, permission)"
        " SELECT id, 'auth.user.change' FROM auth_role WHERE name = 'manager'"
    )
    number = _id(api, api.token("anna"))
    both = {"is_active": False, "roles": ["admin"]}
    assert api.patch(f"/admin/users/{number}", both, token=api.token("helper")).status_code == 403
    assert api.get(f"/admin/users/{number}", token=chief).get_json()["is_active"] is True


def test_an_empty_or_foreign_change_is_refused(api: Any, chief: Any) -> None:
    api.register("anna")
    number = _id(api, api.token("anna"))
    for body in ({}, {"username": "x"}, {"email": "x@example.com"}, {"password": "x"}, []):
        assert api.patch(f"/admin/users/{number}", body, token=chief).status_code == 422, body


def test_a_stale_change_of_an_account_is_refused(api: Any, chief: Any) -> None:
    api.register("anna")
    number = _id(api, api.token("anna"))
    seen = api.get(f"/admin/users/{number}", token=chief).headers["ETag"]
    api.patch(f"/admin/users/{number}", {"roles": ["manager"]}, token=chief)
    stale = api.patch(
        f"/admin/users/{number}", {"is_active": False}, token=chief, headers={"If-Match": seen}
    )
    assert stale.status_code == 412


def test_an_unknown_account_is_not_found(api: Any, chief: Any) -> None:
    assert api.get("/admin/users/999", token=chief).status_code == 404
    assert api.patch("/admin/users/999", {"is_active": False}, token=chief).status_code == 404


def test_roles_are_listed_with_what_they_carry(api: Any, chief: Any) -> None:
    roles = {
        each["name"]: each for each in api.get("/admin/roles", token=chief).get_json()["items"]
    }
    assert set(roles) == {"admin", "manager", "user"}
    assert "auth.role.grant" in roles["admin"]["permissions"]
    assert "auth.role.grant" not in roles["manager"]["permissions"]
    assert roles["admin"]["users"] == 1


def test_security_events_are_listed_newest_first_and_filtered(api: Any, chief: Any) -> None:
    api.register("anna")
    api.log_in("anna", "not the password", at="203.0.113.5")
    page = api.get("/admin/security-events", token=chief).get_json()
    numbers = [each["id"] for each in page["items"]]
    assert numbers == sorted(numbers, reverse=True)
    failed = api.get("/admin/security-events?kind=login_failed", token=chief).get_json()["items"]
    [event] = failed
    assert event["address"] == "203.0.113.5"
    assert event["request_id"]
    mine = api.get(f"/admin/security-events?user_id={event['user_id']}", token=chief).get_json()
    assert {each["kind"] for each in mine["items"]} == {"registered", "login_failed"}


def test_a_change_of_access_is_recorded_with_who_did_it(api: Any, chief: Any) -> None:
    api.register("anna")
    number = _id(api, api.token("anna"))
    body = {"roles": ["manager"], "is_active": False}
    api.patch(f"/admin/users/{number}", body, token=chief)
    events = api.get(f"/admin/security-events?user_id={number}", token=chief).get_json()["items"]
    changed = next(each for each in events if each["kind"] == "roles_changed")
    assert changed["actor_id"] == _id(api, chief)
    assert changed["details"] == {"given": ["manager"], "taken": ["user"]}
    assert "deactivated" in {each["kind"] for each in events}


def test_the_record_of_security_events_cannot_be_changed(api: Any, sql: Any) -> None:
    from sqlalchemy.exc import IntegrityError

    api.register("anna")
    for statement in (
        "UPDATE auth_security_event SET kind = 'x'",
        "DELETE FROM auth_security_event",
        "TRUNCATE auth_security_event",
    ):
        with pytest.raises(IntegrityError, match="append-only"):
            sql(statement)


def test_roles_are_paged_by_name(api: Any, chief: Any) -> None:
    first = api.get("/admin/roles?limit=2", token=chief).get_json()
    rest = api.get(f"/admin/roles?limit=2&cursor={first['next_cursor']}", token=chief).get_json()
    names = [each["name"] for each in first["items"] + rest["items"]]
    assert names == ["admin", "manager", "user"]
    assert rest["next_cursor"] is None
