"""Rule 9, for every plugin that is installed: an operation opens to whom its permission is given.

Generated from the operations themselves, so a new route of any plugin is tried without a word here.
Whose objects somebody may touch stands in `test_matrix.py` and in the tests of each plugin.
"""

import itertools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from torg import db, manifest, openapi, operations, plugins
from torg.openapi_rules import operations_of
from torg_auth.services import access, sessions
from torg_auth.services.accounts import NewAccount, add_user
from torg_auth.services.callers import Caller

ROLES = ("nobody", "user", "manager", "admin")
CALLER = Caller("192.0.2.1", "192.0.2.1", "Test", "")
REFUSALS = {"permission_denied", "email_unverified", "unauthorized"}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Asked:
    """An operation, and an address of it at which there is nothing."""

    id: str
    method: str
    address: str
    body: Any
    permission: str | None
    verified: bool


@pytest.fixture
def app(make_app: Any) -> Any:
    """Everything that is installed."""
    return make_app([each.name for each in manifest.discover()], rate_limits={"*": "off"})


def restricted(app: Any) -> Iterator[Asked]:
    """Every operation that not everybody may call."""
    declared = {each.id: each.declaration for each in operations.of(app).operations.values()}
    for plugin in plugins.registry(app).active():
        for path, method, described in operations_of(openapi.document(app, plugin.name)):
            found = declared[described["operationId"]]
            if found.access != "restricted":
                continue
            content = described.get("requestBody", {}).get("content", {})
            example = content.get("application/json", {}).get("example")
            address = path
            for part in path.split("/"):
                if part.startswith("{"):
                    address = address.replace(part, "999999999")
            needed = [
                f"{each['name']}={each['schema'].get('example', 1)}"
                for each in described.get("parameters", [])
                if each.get("in") == "query" and each.get("required")
            ]
            query = f"?{'&'.join(needed)}" if needed else ""
            yield Asked(
                described["operationId"],
                method.upper(),
                address + query,
                example,
                found.permission,
                found.verified,
            )


def _person(app: Any, role: str, *, confirmed: bool = True) -> str:
    name = f"p{next(_numbers)}{secrets.token_hex(3)}"
    with db.unit_of_work(app=app):
        new = NewAccount(name, f"{name}@example.com", "")
        added = add_user(new, "signs in by token only", verified=confirmed)
        if role != "nobody":
            access.add_roles(added.id, [role])
        return sessions.open_session(added.id, CALLER).token


def _code(app: Any, asked: Asked, token: str | None) -> str | None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    answer = app.test_client().open(
        asked.address, method=asked.method, json=asked.body, headers=headers
    )
    said = answer.get_json(silent=True)
    answer.close()
    assert answer.status_code < 500, (asked, said)
    return said.get("code") if isinstance(said, dict) else None


def test_nobody_gets_in_without_signing_in(app: Any) -> None:
    codes = {asked.id: _code(app, asked, None) for asked in restricted(app)}
    assert len(codes) > 100
    assert {name: code for name, code in codes.items() if code != "unauthorized"} == {}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_exactly_what_is_declared_for_it(app: Any, role: str) -> None:
    declared = plugins.permissions(app)
    wrong = {}
    for asked in restricted(app):
        may = asked.permission is None or role in declared[asked.permission].roles
        # Somebody new each time: some operations end the caller's session or account.
        code = _code(app, asked, _person(app, role))
        if (code in REFUSALS) == may:
            wrong[asked.id] = f"{code}, may: {may}"
    assert wrong == {}


def test_what_asks_for_a_confirmed_address_refuses_others(app: Any) -> None:
    codes = {
        asked.id: _code(app, asked, _person(app, "admin", confirmed=False))
        for asked in restricted(app)
        if asked.verified
    }
    assert len(codes) > 10
    assert {name: code for name, code in codes.items() if code != "email_unverified"} == {}
