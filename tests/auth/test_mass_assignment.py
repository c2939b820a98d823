"""Threat "mass assignment": on every route that takes a body, no foreign field is accepted."""

from typing import Any

from torg import openapi
from torg.openapi_rules import operations_of

# Columns and properties that somebody might hope to set.
READ_ONLY: dict[str, Any] = {
    "id": 7,
    "user_id": 1,
    "identity_id": 1,
    "owner_id": 1,
    "actor_id": 1,
    "is_admin": True,
    "is_active": True,
    "is_staff": True,
    "roles": ["admin"],
    "role": "admin",
    "permissions": ["auth.user.change"],
    "scopes": ["auth.user.change"],
    "claimed_email": "x@example.com",
    "email_verified": True,
    "email_verified_at": "2026-01-01T00:00:00Z",
    "phone_verified_at": "2026-01-01T00:00:00Z",
    "verification_level": 3,
    "password_hash": "x",
    "access_version": 9,
    "avatar_key": "auth.avatar/00/00",
    "avatar_url": "https://evil.example/x.png",
    "status_text": "x",
    "key": "torg_mine",
    "key_hash": "x",
    "prefix": "torg_x",
    "provider": "oidc",
    "subject": "1",
    "session_id": 1,
    "balance": 1000000,
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "expires_at": "2999-01-01T00:00:00Z",
    "revoked_at": None,
    "__class__": "x",
    "__proto__": {"is_admin": True},
}


def test_no_route_accepts_a_field_that_it_does_not_name(
    api: Any, make_app: Any, make_admin: Any, sql: Any
) -> None:
    app = api.app = make_app(["auth"], rate_limits={"*": "off"})
    from torg import db
    from torg_auth.queries import people
    from torg_auth.services import access

    api.register("chief")
    with db.unit_of_work(app=app):
        access.add_roles(people.find("chief") or 0, ["admin"])
    token = api.token("chief")
    document = openapi.document(app, "auth")
    tried, accepted = 0, []
    for path, method, described in operations_of(document):
        content = described.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            continue
        address = path.removeprefix("/api/v1/auth").replace("{name}", "dealer")
        for part in ("{user_id}", "{key_id}", "{session_id}", "{change_id}", "{request_id}"):
            address = address.replace(part, "1")
        known = _properties(document, content["schema"])
        for name, value in READ_ONLY.items():
            if name in known:
                continue
            tried += 1
            body = {**content["example"], name: value}
            answer = api.call(method.upper(), address, body, token=token)
            pointers = [each["pointer"] for each in (answer.get_json() or {}).get("errors", [])]
            if answer.status_code != 422 or f"/{name}" not in pointers:
                accepted.append((method, path, name, answer.status_code))
    assert accepted == []
    assert tried > 400


def _properties(document: dict[str, Any], schema: dict[str, Any]) -> set[str]:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return set(schema.get("properties", {}))
