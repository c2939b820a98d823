"""The contract `users` 1.0, by which other plugins know people."""

import time
from typing import Any

import pytest

from torg import contracts
from torg.db import unit_of_work
from torg_auth.services import known_names


@pytest.fixture
def users(app: Any) -> Any:
    """The contract, inside a unit of work."""
    with unit_of_work("read", app):
        yield contracts.require("users", ">=1,<2")


@pytest.fixture
def crowd(api: Any, confirmed: Any, sql: Any, make_admin: Any) -> None:
    """Three confirmed people, one unconfirmed, one who left, one with a foreign address."""
    for name in ("anna", "boris", "chiara"):
        confirmed(name)
    api.register("unconfirmed", locale="ru")
    confirmed("gone")
    api.delete("/me", token=api.token("gone"))
    api.register("stranger", email="anna@example.com")
    sql("UPDATE auth_user SET wants_announcements = false WHERE username = 'chiara'")


def test_names_are_given_in_one_statement_of_those_who_left_too(
    crowd: Any, users: Any, count_queries: Any
) -> None:
    with count_queries() as count:
        names = users.names([1, 2, 3, 4, 5, 6, 999])
    assert sorted(names.values()) == ["anna", "boris", "chiara", "gone", "stranger", "unconfirmed"]
    assert count.total == 1


def test_contacts_are_of_active_people_with_an_address_of_their_own(
    crowd: Any, users: Any, count_queries: Any
) -> None:
    with count_queries() as count:
        contacts = users.contacts(range(1, 10))
    assert sorted(each.username for each in contacts.values()) == [
        "anna",
        "boris",
        "chiara",
        "unconfirmed",
    ]
    assert count.total == 1
    unconfirmed = contacts[users.find("unconfirmed")]
    assert unconfirmed.email == "unconfirmed@example.com"
    assert unconfirmed.locale == "ru"
    assert not unconfirmed.email_verified


def test_nobody_is_asked_for_nobody(users: Any, count_queries: Any) -> None:
    with count_queries() as count:
        assert users.names([]) == {}
        assert users.contacts([]) == {}
    assert count.total == 0


def test_pages_hold_confirmed_people_who_want_announcements(crowd: Any, users: Any) -> None:
    first = users.page(0, 1)
    assert [each.username for each in first] == ["anna"]
    rest = users.page(first[-1].id, 100)
    assert [each.username for each in rest] == ["boris"]
    assert users.page(rest[-1].id, 100) == []


def test_a_person_is_found_by_name_ignoring_case(crowd: Any, users: Any) -> None:
    assert users.find("ANNA") == users.find("anna") is not None
    assert users.find("nobody") is None
    assert users.find("anna@example.com") is None


def test_mail_to_an_account_without_an_address_of_its_own_is_left_out(
    crowd: Any, app: Any, mails: Any
) -> None:
    from torg import mail

    before = len(mails("anna@example.com"))
    with unit_of_work(app=app):
        stranger = contracts.require("users").find("stranger")
        mail.queue_mail("auth.already_registered", stranger, {"confirmed": True}, key="x")
    assert len(mails("anna@example.com")) == before


def test_a_busy_list_asks_for_a_name_once_a_second(
    crowd: Any, users: Any, count_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert users.names([1]) == {1: "anna"}
    with count_queries() as count:
        assert users.names([1, 2]) == {1: "anna", 2: "boris"}
        assert users.names([1, 2]) == {1: "anna", 2: "boris"}
    assert count.total == 1
    monkeypatch.setattr(known_names, "_now", lambda: time.monotonic() + known_names.SECONDS)
    with count_queries() as count:
        assert users.names([1, 2]) == {1: "anna", 2: "boris"}
    assert count.total == 1


def test_a_changed_name_is_new_at_once_where_it_was_changed(
    app: Any, api: Any, confirmed: Any, change: Any
) -> None:
    token = confirmed("anna")
    with unit_of_work("read", app):
        assert contracts.require("users").names([1]) == {1: "anna"}
    assert change(token, "username", "annette", at="anna@example.com").status_code == 204
    with unit_of_work("read", app):
        assert contracts.require("users").names([1]) == {1: "annette"}


def test_what_writes_reads_names_from_the_database(app: Any, confirmed: Any, sql: Any) -> None:
    confirmed("anna")
    with unit_of_work("read", app):
        assert contracts.require("users").names([1]) == {1: "anna"}
    sql("UPDATE auth_user SET username = 'annette'")
    with unit_of_work(app=app):
        assert contracts.require("users").names([1]) == {1: "annette"}
