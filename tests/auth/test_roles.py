"""Rule 9: roles carry what is declared and nothing else; and why somebody may or may not."""

from typing import Any

import pytest

from torg_auth.domain.access import Because, Facts, why

SEE = "auth.user.read"


@pytest.fixture
def chief(api: Any, make_admin: Any) -> str:
    """A token of an administrator."""
    api.register("chief")
    make_admin("chief")
    return api.token("chief")


def _put(api: Any, token: str, name: str, *permissions: str, **more: Any) -> Any:
    body = {"permissions": list(permissions)}
    return api.call("PUT", f"/admin/roles/{name}", body, token=token, **more)


def _explain(api: Any, token: str, permission: str, user_id: int | None = None) -> Any:
    whose = "" if user_id is None else f"&user_id={user_id}"
    return api.get(f"/permissions/explain?permission={permission}{whose}", token=token)


# Roles.


def test_a_new_role_carries_what_it_was_given(api: Any, chief: Any, make_admin: Any) -> None:
    api.register("anna")
    anna = api.token("anna")
    assert _put(api, chief, "dealer", SEE).get_json()["permissions"] == [SEE]
    assert api.get("/admin/users", token=anna).status_code == 403
    make_admin("anna", "dealer")
    assert api.get("/admin/users", token=anna).status_code == 200


def test_a_changed_role_counts_from_the_next_request_of_everybody(api: Any, chief: Any) -> None:
    api.register("anna")
    anna = api.token("anna")
    user = api.get("/admin/roles/user", token=chief).get_json()["permissions"]
    assert api.get("/me", token=anna).status_code == 200
    _put(api, chief, "user", *[each for each in user if each != "auth.profile.read"])
    assert api.get("/me", token=anna).status_code == 403
    _put(api, chief, "user", *user)
    assert api.get("/me", token=anna).status_code == 200


def test_what_was_taken_away_is_not_given_again_by_the_sync_step(
    api: Any, chief: Any, app: Any
) -> None:
    from torg import db
    from torg_auth.services import access

    _put(api, chief, "manager")
    with db.unit_of_work(app=app):
        access.sync()
    assert api.get("/admin/roles/manager", token=chief).get_json()["permissions"] == []


def test_nothing_can_be_carried_that_no_plugin_declares(api: Any, chief: Any, sql: Any) -> None:
    before = sql("SELECT * FROM auth_role_permission ORDER BY role_id, permission")
    answer = _put(api, chief, "user", SEE, "shop.cart.use", "*")
    assert answer.status_code == 422
    assert answer.get_json()["permissions"] == ["*", "shop.cart.use"]
    pointers = [each["pointer"] for each in answer.get_json()["errors"]]
    assert pointers == ["/permissions/2", "/permissions/1"]
    assert sql("SELECT * FROM auth_role_permission ORDER BY role_id, permission") == before


def test_what_a_plugin_that_is_away_declared_stays(api: Any, chief: Any, sql: Any) -> None:
    sql(
        "INSERT INTO auth_role_permission (role_id, permission)"
        " SELECT id, 'shop.cart.use' FROM auth_role WHERE name = 'user'"
    )
    _put(api, chief, "user", SEE)
    assert sql("SELECT is_active FROM auth_role_permission WHERE permission = 'shop.cart.use'") == [
        (True,)
    ]


def test_an_administrator_cannot_lock_himself_out(api: Any, chief: Any) -> None:
    answer = _put(api, chief, "admin", SEE)
    assert answer.status_code == 409
    assert answer.get_json()["code"] == "own_access"
    assert api.get("/admin/roles/admin", token=chief).get_json()["permissions"] != [SEE]


def test_a_removed_role_is_taken_from_everybody(
    api: Any, chief: Any, make_admin: Any, sql: Any
) -> None:
    api.register("anna")
    anna = api.token("anna")
    _put(api, chief, "dealer", SEE)
    make_admin("anna", "dealer")
    assert api.get("/admin/users", token=anna).status_code == 200
    assert api.delete("/admin/roles/dealer", token=chief).status_code == 204
    assert api.get("/admin/users", token=anna).status_code == 403
    assert api.get("/admin/roles/dealer", token=chief).status_code == 404
    # Whoever had it does not have it again when the name is used anew.
    _put(api, chief, "dealer", SEE)
    assert api.get("/admin/users", token=anna).status_code == 403


def test_a_role_that_plugins_declare_stays(api: Any, chief: Any) -> None:
    for name in ("admin", "manager", "user"):
        answer = api.delete(f"/admin/roles/{name}", token=chief)
        assert answer.status_code == 409
        assert answer.get_json()["code"] == "role_needed"


@pytest.mark.parametrize("name", ["A", "a", "Dealer", "a-b", "a b", "1a", "x" * 41, "%D0%B0%D0%B1"])
def test_a_name_that_no_role_can_have_is_refused(name: str, api: Any, chief: Any) -> None:
    answer = _put(api, chief, name, SEE)
    assert answer.status_code == 422
    assert answer.get_json()["code"] == "role_name_invalid"


def test_a_stale_change_of_a_role_is_refused(api: Any, chief: Any) -> None:
    seen = api.get("/admin/roles/manager", token=chief).headers["ETag"]
    match = {"headers": {"If-Match": seen}}
    assert _put(api, chief, "manager", SEE, **match).status_code == 200
    assert _put(api, chief, "manager", **match).status_code == 412


def test_changes_of_roles_are_recorded(api: Any, chief: Any, sql: Any) -> None:
    _put(api, chief, "dealer", SEE)
    _put(api, chief, "dealer", SEE)
    _put(api, chief, "dealer")
    api.delete("/admin/roles/dealer", token=chief)
    rows = sql(
        "SELECT actor_id, details FROM auth_security_event WHERE kind = 'role_changed' ORDER BY id"
    )
    assert [row[0] for row in rows] == [1, 1, 1]
    assert [row[1] for row in rows] == [
        {"role": "dealer", "given": [SEE], "taken": []},
        {"role": "dealer", "given": [], "taken": [SEE]},
        {"role": "dealer", "removed": True},
    ]


def test_two_administrators_at_once_lose_nothing(api: Any, chief: Any, sql: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    wanted = [SEE, "auth.role.read", "auth.profile.read", "auth.session.read"]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda each: _put(api, chief, "dealer", each), wanted))
    assert {answer.status_code for answer in answers} == {200}
    carried = api.get("/admin/roles/dealer", token=chief).get_json()["permissions"]
    assert len(carried) == 1


# Why.


def test_the_reason_is_given_for_oneself(api: Any, chief: Any) -> None:
    api.register("anna")
    anna = api.token("anna")
    may = _explain(api, anna, "auth.profile.read").get_json()
    assert (may["is_allowed"], may["because"]) == (True, "role_carries_it")
    assert may["roles"] == ["user"]
    assert may["email_verified"] is False
    may_not = _explain(api, anna, SEE).get_json()
    assert (may_not["is_allowed"], may_not["because"]) == (False, "no_role_carries_it")
    assert may_not["roles_that_carry"] == ["admin", "manager"]
    unknown = _explain(api, anna, "shop.cart.use").get_json()
    assert (unknown["is_allowed"], unknown["because"]) == (False, "not_declared")
    _put(api, chief, "user", "auth.permission.read")
    assert _explain(api, anna, "auth.profile.read").get_json()["because"] == "taken_from_role"


def test_an_api_key_hears_of_its_scopes(confirmed: Any, api: Any) -> None:
    body = {"name": "robot", "scopes": ["auth.permission.read"]}
    key = api.post("/api-keys", body, token=confirmed("anna")).get_json()["key"]
    assert _explain(api, key, "auth.profile.read").get_json()["because"] == "not_in_scopes"
    assert _explain(api, key, "auth.permission.read").get_json()["is_allowed"] is True


def test_only_staff_ask_about_others(api: Any, chief: Any) -> None:
    api.register("anna")
    anna = api.token("anna")
    number = api.get("/me", token=anna).get_json()["id"]
    refused = _explain(api, anna, SEE, 1)
    assert refused.status_code == 403
    assert refused.get_json()["permission"] == SEE
    assert _explain(api, anna, SEE, number).status_code == 200
    assert _explain(api, chief, SEE, number).get_json()["user_id"] == number
    assert _explain(api, chief, SEE, 999).status_code == 404
    api.delete("/me", token=anna)
    assert _explain(api, chief, "auth.profile.read", number).get_json()["because"] == (
        "account_closed"
    )


def test_the_reason_agrees_with_what_a_request_gets(api: Any, chief: Any, app: Any) -> None:
    from torg import plugins

    api.register("anna")
    with app.app_context():
        names = sorted(plugins.permissions())
    for token in (api.token("anna"), chief):
        mine = {
            each["name"]: each["is_mine"]
            for each in api.get("/permissions", token=token).get_json()["items"]
        }
        told = {
            name: _explain(api, token, name).get_json()["is_allowed"]
            for name in names
            if name.startswith("auth.")
        }
        assert told == {name: mine[name] for name in told}


def test_the_first_reason_against_wins() -> None:
    def reason(**changes: Any) -> Because:
        facts = {
            "is_declared": True,
            "is_active": True,
            "roles": frozenset({"user"}),
            "carrying": frozenset({"user"}),
            "deprived": frozenset(),
        }
        return why(Facts(**{**facts, **changes}))

    assert reason() is Because.ROLE_CARRIES_IT
    assert reason(is_declared=False, is_active=False) is Because.NOT_DECLARED
    assert reason(is_active=False) is Because.ACCOUNT_CLOSED
    assert reason(scopes_allow=False) is Because.NOT_IN_SCOPES
    lost = {"carrying": frozenset[str](), "deprived": frozenset({"user"})}
    assert reason(**lost) is Because.TAKEN_FROM_ROLE
    assert reason(carrying=frozenset[str]()) is Because.NO_ROLE_CARRIES_IT
    assert reason(roles=frozenset[str]()) is Because.NO_ROLE_CARRIES_IT
