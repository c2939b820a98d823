"""Promise 13: who may do what to whose objects, for every operation of accounts and auctions.

The operations come from the OpenAPI documents; the table below says what each answers to each role
for one's own object, somebody else's and none. An operation without a row fails: no new route
comes without a decision. Every cell has people and objects of its own.
"""

import itertools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text

from torg import db, openapi
from torg.identity import Identity
from torg.openapi_rules import operations_of
from torg_auth.services import access, api_keys, sessions
from torg_auth.services.accounts import NewAccount, add_user
from torg_auth.services.callers import Caller
from torg_auth.services.passwords import hasher

PLUGINS = ("auth", "auction")
ROLES = ("anonymous", "unconfirmed", "user", "manager", "admin")
WHOSE = ("own", "other", "none")
NOBODY = 999_999_999
PASSWORD = "a fine long sentence"
CALLER = Caller("192.0.2.1", "192.0.2.1", "Test", "")
_numbers = itertools.count(1)

Row = dict[str, str]


def row(signed_in: str, **others: str) -> Row:
    """What an operation answers: one status, or three for own, other's and none.

    Args:
        signed_in: to everybody who is.
        **others: to a role by its name, or to `staff`, which is manager and admin.
    """
    staff = others.pop("staff", signed_in)
    return {
        "anonymous": "401",
        "unconfirmed": signed_in,
        "user": signed_in,
        "manager": staff,
        "admin": staff,
        **others,
    }


def public(statuses: str) -> Row:
    """The same for everybody."""
    return dict.fromkeys(ROLES, statuses)


OWN = row("204 404 404")
MINE = row("200")
STAFF = row("403", staff="200")
ADMIN = row("403", admin="200")
TRADE = row("403 201 404", unconfirmed="403")
SEEN_BY_ALL = public("200 200 404")

TABLE: dict[str, Row] = {
    # Accounts: nobody needs to be signed in.
    "auth_register": public("201"),
    "auth_verify_email": public("422"),
    "auth_verify_email_by_link": public("422"),
    "auth_resend_code": public("202"),
    "auth_forgot_password": public("202"),
    "auth_reset_password": public("422"),
    "auth_register_by_phone": public("201"),
    "auth_verify_phone": public("422"),
    "auth_resend_phone_code": public("202"),
    "auth_show_undo": public("422"),
    "auth_undo_change": public("422"),
    "auth_list_verification_levels": public("200"),
    "auth_log_in": public("401"),
    "auth_refresh_token": public("401"),
    "auth_begin_social_sign_in": public("404"),
    "auth_finish_social_sign_in": public("404"),
    "auth_show_user": SEEN_BY_ALL,
    # Accounts: one's own.
    "auth_log_out": row("204"),
    "auth_list_sessions": MINE,
    "auth_end_sessions": row("204"),
    "auth_end_session": OWN,
    "auth_list_api_keys": MINE,
    "auth_create_api_key": row("201"),
    "auth_revoke_api_key": OWN,
    "auth_show_me": MINE,
    "auth_change_me": MINE,
    "auth_leave": row("204"),
    "auth_replace_avatar": MINE,
    "auth_remove_avatar": row("204"),
    "auth_change_status": MINE,
    "auth_list_status_changes": MINE,
    "auth_export_me": MINE,
    "auth_erase_me": row("204"),
    "auth_list_permissions": MINE,
    "auth_explain_permission": MINE,
    "auth_list_changes": MINE,
    "auth_list_external_identities": MINE,
    "auth_unlink_external_identity": row("204 404 404", unconfirmed="409 404 404"),
    "auth_ask_for_change": row("202"),
    "auth_confirm_change": row("422 404 404"),
    "auth_list_own_verification_requests": MINE,
    "auth_request_verification": row("422", unconfirmed="403"),
    # Accounts: staff. A role is owned by nobody; one's own is one that one has.
    "auth_list_accounts": STAFF,
    "auth_show_account": row("403", staff="200 200 404"),
    "auth_change_account": row("403", manager="403 403 404", admin="409 200 404"),
    "auth_list_roles": STAFF,
    "auth_show_role": row("403", staff="200 200 404"),
    "auth_replace_role": ADMIN,
    "auth_remove_role": row("403", admin="204 204 404"),
    "auth_list_security_events": ADMIN,
    "auth_list_verification_requests": STAFF,
    "auth_show_verification_request": row("403", staff="200 200 404"),
    "auth_decide_verification_request": row("403", staff="409 200 404"),
    # Auctions: everybody looks on.
    "auction_list_auctions": public("200"),
    "auction_get_auction": SEEN_BY_ALL,
    "auction_list_bids": SEEN_BY_ALL,
    "auction_get_bid": SEEN_BY_ALL,
    "auction_follow_auction": SEEN_BY_ALL,
    # Auctions: nobody trades without a confirmed address, or with himself.
    "auction_create_auction": row("201", unconfirmed="403"),
    "auction_place_bid": TRADE,
    "auction_buy_now": TRADE,
    # Auctions: one's own lists.
    "auction_list_mine": MINE,
    "auction_list_my_bids": MINE,
    "auction_list_watched": MINE,
    "auction_watch_auction": row("204 204 404"),
    "auction_unwatch_auction": row("204"),
    "auction_get_preferences": MINE,
    "auction_put_preferences": MINE,
}
BODIES: dict[str, Any] = {
    "auth_register": {"username": "first", "email": "first@example.com", "password": PASSWORD},
    "auth_log_in": {"username": "nobody", "password": PASSWORD},
    "auth_change_account": {"is_active": True, "roles": ["user"]},
    "auction_place_bid": {"amount": {"amount": "100.00", "currency": "EUR"}},
}


@dataclass(frozen=True)
class Someone:
    """A person of one cell."""

    id: int
    username: str
    token: str


@dataclass(frozen=True)
class Cell:
    """One request of the matrix."""

    operation: str
    method: str
    path: str
    body: Any
    query: str


class Market:
    """An application with people and objects at hand."""

    def __init__(self, app: Any) -> None:
        self.app = app
        with app.app_context():
            self._hash = hasher().hash(PASSWORD)

    def person(self, role: str) -> Someone:
        """Somebody new, signed in."""
        name = f"p{next(_numbers)}{secrets.token_hex(3)}"
        with db.unit_of_work(app=self.app):
            new = NewAccount(name, f"{name}@example.com", "")
            added = add_user(new, self._hash, verified=role != "unconfirmed")
            access.add_roles(added.id, ["user" if role in {"unconfirmed", "anonymous"} else role])
            token = sessions.open_session(added.id, CALLER).token
        return Someone(added.id, name, token)

    def object_of(self, kind: str, owner: Someone) -> str:
        """An object that somebody owns, as it stands in an address."""
        with db.unit_of_work(app=self.app):
            return str(getattr(self, f"_{kind}")(owner))

    def _user_id(self, owner: Someone) -> int:
        return owner.id

    def _username(self, owner: Someone) -> str:
        return owner.username

    def _session_id(self, owner: Someone) -> int:
        return sessions.open_session(owner.id, CALLER).session_id

    def _key_id(self, owner: Someone) -> int:
        scope = "auth.profile.read"
        identity = Identity(owner.id, owner.username, frozenset({scope}), True, session_id=1)
        return api_keys.create(identity, "robot", [scope], 1, CALLER).id

    def _linked_id(self, owner: Someone) -> int:
        linked = (
            "INSERT INTO auth_external_identity (user_id, provider, subject, email)"
            " VALUES (:id, 'oidc', :subject, 'anna@example.com') RETURNING id"
        )
        values = {"id": owner.id, "subject": secrets.token_hex(8)}
        return int(db.session.execute(text(linked), values).scalar_one())

    def _name(self, owner: Someone) -> str:
        # A role belongs to nobody: one's own is one that one has.
        name = f"role_{next(_numbers)}"
        db.session.execute(text("INSERT INTO auth_role (name) VALUES (:name)"), {"name": name})
        access.add_roles(owner.id, [name])
        return name

    def _request_id(self, owner: Someone) -> int:
        asked = (
            "INSERT INTO auth_verification_request (user_id, level) VALUES (:id, 3) RETURNING id"
        )
        return int(db.session.execute(text(asked), {"id": owner.id}).scalar_one())

    def _change_id(self, owner: Someone) -> int:
        begun = (
            "INSERT INTO auth_pending_change (user_id, kind, new_value)"
            " VALUES (:id, 'username', 'anna2') RETURNING id"
        )
        return int(db.session.execute(text(begun), {"id": owner.id}).scalar_one())

    def _auction_id(self, owner: Someone) -> int:
        found: int = db.session.execute(
            text(
                "INSERT INTO auction_auction (owner_id, title, description, currency,"
                " starting_price_minor, bid_increment_minor, buy_now_price_minor, starts_at,"
                " scheduled_ends_at) VALUES (:owner, 'A clock', 'It goes.', 'EUR', 1000, 100,"
                " 900000, clock_timestamp() - interval '1 hour',"
                " clock_timestamp() + interval '1 hour') RETURNING id"
            ),
            {"owner": owner.id},
        ).scalar_one()
        return found

    def place_bid(self, auction_id: str) -> None:
        """Have somebody else bid."""
        bid = {"amount": {"amount": "100.00", "currency": "EUR"}}
        path = f"/api/v1/auctions/{auction_id}/bids"
        cell = Cell("", "POST", path, bid, "")
        assert self.ask(cell, self.person("user"), path) == 201

    def ask(self, cell: Cell, actor: Someone | None, address: str) -> int:
        """The status of one request."""
        headers = {"Authorization": f"Bearer {actor.token}"} if actor is not None else {}
        client = self.app.test_client()
        answer = client.open(address, method=cell.method, json=cell.body, headers=headers)
        status: int = answer.status_code
        answer.close()
        return status


def cells(app: Any) -> Iterator[Cell]:
    """Every operation of the documents, with a body from the table or from its example."""
    for plugin in PLUGINS:
        document = openapi.document(app, plugin)
        for path, method, described in operations_of(document):
            name = described["operationId"]
            content = described.get("requestBody", {}).get("content", {})
            example = content.get("application/json", {}).get("example")
            query = "&".join(
                f"{each['name']}={each['schema'].get('example', 1)}"
                for each in described.get("parameters", [])
                if each.get("in") == "query" and each.get("required")
            )
            yield Cell(name, method.upper(), path, BODIES.get(name, example), query)


def _address(market: Market, cell: Cell, whose: str, actor: Someone, other: Someone) -> str:
    address = cell.path
    if "{auction_id}" in address:
        number = _object(market, "auction_id", whose, actor, other)
        address = address.replace("{auction_id}", number)
        if "{seq}" in address and whose != "none":
            market.place_bid(number)
    for part in [each for each in address.split("/") if each.startswith("{")]:
        kind = part.strip("{}")
        address = address.replace(part, _object(market, kind, whose, actor, other))
    return f"{address}?{cell.query}" if cell.query else address


def _object(market: Market, kind: str, whose: str, actor: Someone, other: Someone) -> str:
    if kind == "provider":
        return "nobody"
    if kind == "seq":
        return "1"
    if whose == "none":
        return f"nobody_{next(_numbers)}" if kind in {"username", "name"} else str(NOBODY)
    return market.object_of(kind, actor if whose == "own" else other)


@pytest.mark.parametrize("role", ROLES)
def test_everybody_may_exactly_what_the_table_says(role: str, make_app: Any) -> None:
    app = make_app(list(PLUGINS), rate_limits={"*": "off"})
    market = Market(app)
    wrong = {}
    for cell in cells(app):
        expected = TABLE.get(cell.operation, {}).get(role, "no row").split(" ")
        found = []
        for whose in WHOSE if "{" in cell.path else WHOSE[:1]:
            actor, other = market.person(role), market.person("user")
            address = _address(market, cell, whose, actor, other)
            found.append(str(market.ask(cell, None if role == "anonymous" else actor, address)))
        if found != (expected * len(found) if len(expected) == 1 else expected):
            wrong[cell.operation] = f"{' '.join(found)}, expected {' '.join(expected)}"
    assert wrong == {}


def test_every_operation_has_a_row_and_every_row_an_operation(make_app: Any) -> None:
    operations = {cell.operation for cell in cells(make_app(list(PLUGINS)))}
    assert operations ^ set(TABLE) == set()
