"""Rule 9: permissions are what plugins declare, roles carry them, changes count at once."""

from typing import Any

import pytest

from torg import db, plugins
from torg.manifest import Permission
from torg_auth.services import access


@pytest.fixture
def declare(app: Any, monkeypatch: Any) -> Any:
    """Declares permissions as a further plugin would, and brings the rows in line."""

    def run(*permissions: Permission) -> list:
        catalogue = {each.name: each for each in permissions}
        monkeypatch.setattr(plugins, "permissions", lambda app=None: catalogue)
        with db.unit_of_work(app=app):
            return access.sync()

    return run


CARRIED = (
    "SELECT r.name, p.permission FROM auth_role r JOIN auth_role_permission p ON p.role_id = r.id"
    " WHERE p.is_active AND p.permission LIKE 'shop.%' ORDER BY 1, 2"
)
USE = Permission("shop.cart.use", "Use a cart", ("user", "dealer"))
SET = Permission("shop.price.set", "Set prices", ("admin",))


def test_after_an_upgrade_every_declared_permission_is_written(app: Any, sql: Any) -> None:
    with app.app_context():
        declared = plugins.permissions().values()
        wanted = {(role, each.name) for each in declared for role in each.roles}
    rows = sql(
        "SELECT r.name, p.permission FROM auth_role r"
        " JOIN auth_role_permission p ON p.role_id = r.id WHERE p.is_active"
    )
    assert {tuple(row) for row in rows} == wanted
    assert {row[0] for row in sql("SELECT name FROM auth_role")} == {"admin", "manager", "user"}


def test_a_new_plugin_brings_its_permissions_and_roles(declare: Any, sql: Any) -> None:
    declare(USE, SET)
    assert sql(CARRIED) == [
        ("admin", "shop.price.set"),
        ("dealer", "shop.cart.use"),
        ("user", "shop.cart.use"),
    ]


def test_a_second_run_changes_nothing(declare: Any) -> None:
    assert len(declare(USE, SET)) == 3
    assert declare(USE, SET) == []


def test_what_an_administrator_added_or_took_away_stays(declare: Any, sql: Any) -> None:
    declare(USE, SET)
    sql(
        "INSERT INTO auth_role_permission (role_id, permission)"
        " SELECT id, 'shop.price.set' FROM auth_role WHERE name = 'manager'"
    )
    sql(
        "UPDATE auth_role_permission SET is_active = false WHERE permission = 'shop.cart.use'"
        " AND role_id = (SELECT id FROM auth_role WHERE name = 'user')"
    )
    assert declare(USE, SET) == []
    assert sql(CARRIED) == [
        ("admin", "shop.price.set"),
        ("dealer", "shop.cart.use"),
        ("manager", "shop.price.set"),
    ]


def test_two_runs_at_once_write_once(declare: Any, app: Any, monkeypatch: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    declare()

    def run(_number: int) -> int:
        with db.unit_of_work(app=app):
            return len(access.sync())

    catalogue = {USE.name: USE, SET.name: SET}
    monkeypatch.setattr(plugins, "permissions", lambda app=None: catalogue)
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(run, range(4))) == [0, 0, 0, 3]


def test_a_plugin_switched_on_without_an_upgrade_gets_its_permissions_at_the_next_start(
    app: Any, sql: Any, monkeypatch: Any
) -> None:
    from torg_auth import plugin

    with app.app_context():
        catalogue = {**plugins.permissions(), USE.name: USE}
    monkeypatch.setattr(plugins, "permissions", lambda app=None: catalogue)
    plugin.torg_ready(app)
    assert sql(CARRIED) == [("dealer", "shop.cart.use"), ("user", "shop.cart.use")]


def test_nobody_is_granted_what_no_plugin_declares(api: Any, sql: Any) -> None:
    api.register("anna")
    sql(
        "INSERT INTO auth_role_permission (role_id, permission)"
        " SELECT id, 'gone.thing.do' FROM auth_role"
    )
    items = api.get("/permissions", token=api.token("anna")).get_json()["items"]
    assert "gone.thing.do" not in {each["name"] for each in items}
    with api.app.test_request_context(headers={"Authorization": f"Bearer {api.token('anna')}"}):
        from flask import request

        from torg import identity

        resolved = identity.resolve(request)
        assert resolved is not None
        assert not resolved.may("gone.thing.do")
        assert resolved.may("auth.profile.read")


def test_the_catalogue_says_what_one_may(api: Any, make_admin: Any) -> None:
    api.register("anna")
    api.register("chief")
    make_admin("chief")
    mine = {
        name: {
            each["name"]: each["is_mine"]
            for each in api.get("/permissions", token=api.token(name)).get_json()["items"]
        }
        for name in ("anna", "chief")
    }
    assert mine["anna"]["auth.profile.change"] is True
    assert mine["anna"]["auth.user.read"] is False
    assert mine["chief"]["auth.user.read"] is True
    assert mine["anna"].keys() == mine["chief"].keys()


@pytest.fixture
def restricted(app: Any) -> list[tuple[str, str, str | None]]:
    """Method, path and permission of every route of accounts that is not public."""
    import re

    from torg.operations import operations

    found = []
    for rule in app.url_map.iter_rules():
        operation = operations(app).get(rule.endpoint)
        if operation is None or operation.plugin != "auth":
            continue
        if operation.declaration.access == "restricted":
            path = re.sub("<[^>]+>", "1", rule.rule.removeprefix("/api/v1/auth"))
            methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
            found += [(method, path, operation.declaration.permission) for method in methods]
    assert len(found) > 20
    return found


def _body(method: str) -> dict[str, str] | None:
    return {"about": "x"} if method in {"POST", "PUT", "PATCH"} else None


def test_an_anonymous_caller_gets_a_401_wherever_a_permission_is_needed(
    api: Any, restricted: Any
) -> None:
    for method, path, _ in restricted:
        assert api.call(method, path, _body(method)).status_code == 401, path


def test_a_user_gets_a_403_on_every_route_of_staff(api: Any, app: Any, restricted: Any) -> None:
    api.register("anna")
    token = api.token("anna")
    with app.app_context():
        catalogue = plugins.permissions()
    staff = [each for each in restricted if each[2] and "user" not in catalogue[each[2]].roles]
    assert {"/admin/users", "/admin/roles", "/admin/security-events"} <= {each[1] for each in staff}
    for method, path, permission in staff:
        answer = api.call(method, path, _body(method), token=token)
        assert answer.status_code == 403, path
        assert answer.get_json()["permission"] == permission


def test_somebody_without_any_role_may_nothing(api: Any, sql: Any, restricted: Any) -> None:
    api.register("anna")
    token = api.token("anna")
    sql("UPDATE auth_user_role SET is_active = false")
    sql("UPDATE torg_identity SET access_version = access_version + 1")
    for method, path, _ in restricted:
        assert api.call(method, path, _body(method), token=token).status_code == 403, path
