"""Who is asking: remembered for seconds, but never beyond a change of what he may."""

from typing import Any

import pytest

from torg import db, identity, testing_people
from torg.errors import UnauthorizedError


@pytest.fixture
def app(make_app: Any) -> Any:
    return make_app([])


@pytest.fixture
def asked(app: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every time the accounts plugin is really asked; it answers as one that reads the version."""
    calls: list[str] = []
    real = testing_people.People.identity

    def counting(people: Any, token: str) -> identity.Identity:
        calls.append(token)
        found = real(people, token)
        row = db.session.get(identity.IdentityRow, found.id)
        if row is None or not row.is_active:
            raise UnauthorizedError
        return identity.Identity(
            found.id,
            found.username,
            found.permissions,
            email_verified=True,
            access_version=row.access_version,
        )

    monkeypatch.setattr(testing_people.People, "identity", counting)
    return calls


def ask(app: Any, headers: dict[str, str]) -> identity.Identity | None:
    with app.test_request_context(headers=headers):
        from flask import request

        with db.committing("read"):
            return identity.resolve(request)


def test_nobody_is_asking_without_credentials(app: Any) -> None:
    assert ask(app, {}) is None


def test_wrong_credentials_are_refused_and_not_taken_as_anonymous(app: Any) -> None:
    with pytest.raises(UnauthorizedError):
        ask(app, {"Authorization": "Bearer nonsense"})


def test_a_remembered_token_costs_one_read_by_primary_key(
    app: Any, people: Any, asked: list[str], count_queries: Any
) -> None:
    anna = people.add("anna")
    ask(app, anna.headers)

    with count_queries() as count:
        found = ask(app, anna.headers)

    assert found is not None
    assert found.id == anna.id
    assert len(asked) == 1
    assert count.total == 1


@pytest.mark.parametrize("change", ["bump", "deactivate"])
def test_a_change_is_seen_by_the_very_next_request(
    app: Any, people: Any, asked: list[str], change: str
) -> None:
    anna = people.add("anna")
    ask(app, anna.headers)

    with db.unit_of_work(app=app):
        if change == "bump":
            identity.bump_access(anna.id)
        else:
            identity.set_active(anna.id, active=False)

    if change == "bump":
        ask(app, anna.headers)
    else:
        with pytest.raises(UnauthorizedError):
            ask(app, anna.headers)
    assert len(asked) == 2


def test_no_permission_means_no(app: Any, people: Any) -> None:
    anna = people.add("anna", permissions=["stall.item.read"])

    with app.test_request_context(headers=anna.headers):
        from flask import request

        with db.committing("read"):
            identity.resolve(request)
            identity.check_access("stall.item.read", verified=True)
            with pytest.raises(identity.PermissionMissingError) as refused:
                identity.check_access("stall.item.delete", verified=False)

    assert refused.value.extras() == {"permission": "stall.item.delete"}


def test_who_has_not_confirmed_is_told_so(app: Any, people: Any) -> None:
    anna = people.add("anna", email_verified=False)

    with app.test_request_context(headers=anna.headers):
        from flask import request

        with db.committing("read"):
            identity.resolve(request)
            with pytest.raises(identity.EmailUnverifiedError):
                identity.check_access(None, verified=True)
