"""Rule 1: register, and confirm by code or by link."""

import re
from typing import Any

import pytest

URL = re.compile(r"https?://\S+/verify-email\?token=(\S+)")


def _link_token(text: str) -> str:
    found = URL.search(text)
    assert found is not None
    return found.group(1)


def test_registering_answers_201_and_mails_a_code_and_a_link(api: Any, mails: Any) -> None:
    answer = api.register("anna")
    assert answer.status_code == 201
    body = answer.get_json()
    assert body["username"] == "anna"
    assert body["email"] == "anna@example.com"
    assert body["email_verified"] is False
    assert set(body) == {"id", "username", "email", "email_verified", "created_at"}
    [sent] = mails("anna@example.com")
    assert re.search(r"\b\d{6}\b", sent.text)
    assert URL.search(sent.text)
    assert URL.search(sent.html)


def test_the_mail_speaks_the_language_of_the_new_account(api: Any, mails: Any) -> None:
    api.register("vera", locale="ru")
    assert "Подтвердите" in mails("vera@example.com")[0].text


def test_the_code_confirms_the_address(api: Any, code_for: Any) -> None:
    api.register("anna")
    body = {"email": "ANNA@example.com", "code": code_for("anna@example.com")}
    assert api.post("/verify-email", body).get_json() == {"email_verified": True}
    me = api.get("/me", token=api.token("anna")).get_json()
    assert me["email_verified"] is True
    assert me["verification_level"] == 1


def test_the_link_confirms_the_address_once(api: Any, mails: Any) -> None:
    api.register("anna")
    token = _link_token(mails("anna@example.com")[0].text)
    assert api.get(f"/verify-email?token={token}").status_code == 200
    assert api.get("/me", token=api.token("anna")).get_json()["email_verified"] is True
    again = api.get(f"/verify-email?token={token}")
    assert again.status_code == 422
    assert again.get_json()["code"] == "link_invalid"


def test_a_mail_program_that_looks_at_the_link_does_not_use_it_up(api: Any, mails: Any) -> None:
    api.register("anna")
    path = f"/verify-email?token={_link_token(mails('anna@example.com')[0].text)}"
    assert [api.call("HEAD", path).status_code for _ in range(2)] == [200, 200]
    assert api.get("/me", token=api.token("anna")).get_json()["email_verified"] is False
    assert api.get(path).status_code == 200
    assert api.call("HEAD", path).status_code == 422


def test_a_browser_that_opens_the_link_gets_a_page(api: Any, mails: Any) -> None:
    api.register("anna")
    path = f"/verify-email?token={_link_token(mails('anna@example.com')[0].text)}"
    page = api.get(path, headers={"Accept": "text/html,*/*;q=0.8", "Accept-Language": "ru"})
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "Ваш адрес электронной почты подтверждён." in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert api.get("/me", token=api.token("anna")).get_json()["email_verified"] is True


def test_confirming_counts_from_the_next_request_on(api: Any, code_for: Any) -> None:
    api.register("anna")
    token = api.token("anna")
    assert api.get("/me", token=token).get_json()["email_verified"] is False
    api.post("/verify-email", {"email": "anna@example.com", "code": code_for("anna@example.com")})
    with api.app.test_request_context(headers={"Authorization": f"Bearer {token}"}):
        from flask import request

        from torg import identity

        assert identity.resolve(request).email_verified is True


def test_a_changed_link_is_refused(api: Any, mails: Any) -> None:
    api.register("anna")
    token = _link_token(mails("anna@example.com")[0].text)
    middle = len(token) - 10
    forged = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]
    for wrong in (forged, token[1:], "x", "a.b.c"):
        assert api.get(f"/verify-email?token={wrong}").status_code == 422
    assert api.get(f"/verify-email?token={token}").status_code == 200


def test_username_and_address_are_unique_ignoring_case(api: Any, sql: Any) -> None:
    assert api.register("anna").status_code == 201
    taken = api.register("ANNA", email="other@example.com")
    assert taken.status_code == 409
    assert taken.get_json()["code"] == "username_taken"
    assert api.register("other", email="Anna@Example.COM").status_code == 201
    addresses = sql("SELECT lower(email) FROM auth_user WHERE email IS NOT NULL")
    assert len(addresses) == len(set(addresses)) == 1


def test_a_refused_registration_leaves_nothing_behind(api: Any, sql: Any) -> None:
    api.register("anna")
    api.register("Anna", email="other@example.com")
    assert sql("SELECT count(*) FROM torg_identity") == [(1,)]
    assert sql("SELECT count(*) FROM torg_outbox WHERE job = 'auth.greet'") == [(1,)]


def test_the_database_itself_refuses_a_second_name_or_address(sql: Any) -> None:
    from sqlalchemy.exc import IntegrityError

    add = (
        "WITH new AS (INSERT INTO torg_identity DEFAULT VALUES RETURNING id)"
        " INSERT INTO auth_user (id, username, email, password_hash)"
        " SELECT id, :username, :email, 'x' FROM new"
    )
    sql(add, username="anna", email="anna@example.com")
    for username, email in (("ANNA", "b@example.com"), ("b", "ANNA@example.com")):
        with pytest.raises(IntegrityError):
            sql(add, username=username, email=email)


WRONG = [
    ({"username": "a"}, "/username"),
    ({"username": "an na"}, "/username"),
    ({"username": 7}, "/username"),
    ({"email": "anna"}, "/email"),
    ({"email": "anna@localhost"}, "/email"),
    ({"email": "anna@example.com\u0000"}, "/email"),
    ({"password": "short"}, "/password"),
    ({"password": "1234567890"}, "/password"),
    ({"password": "Anna@Example.com", "email": "anna@example.com"}, "/password"),
    ({"password": "x" * 129}, "/password"),
    ({"password": "x" * 5000}, "/password"),
    ({"password": None}, "/password"),
    ({"country": "XX"}, "/country"),
    ({"locale": "tlh"}, "/locale"),
    ({"roles": ["admin"]}, "/roles"),
    ({"id": 1}, "/id"),
    ({"is_active": True}, "/is_active"),
    ({"email_verified": True}, "/email_verified"),
    ({"verification_level": 3}, "/verification_level"),
]


def test_a_wrong_or_foreign_field_is_pointed_at(api: Any, sql: Any) -> None:
    pointed = []
    for change, _ in WRONG:
        answer = api.register("anna", **change)
        assert answer.status_code == 422, change
        assert answer.content_type == "application/problem+json"
        pointed.append([problem["pointer"] for problem in answer.get_json()["errors"]])
    assert pointed == [[pointer] for _, pointer in WRONG]
    assert sql("SELECT count(*) FROM auth_user") == [(0,)]


def test_refusals_speak_the_language_that_was_asked_for(api: Any) -> None:
    answer = api.post(
        "/register",
        {"username": "anna", "email": "anna@example.com", "password": "1234567890"},
        headers={"Accept-Language": "ru"},
    )
    assert answer.get_json()["title"] == "Пароль не принят"
    assert "распространённых" in answer.get_json()["errors"][0]["message"]


def test_a_password_may_be_long_and_in_any_script(api: Any) -> None:
    password = "пароль из многих слов 😀 " * 5
    assert api.register("anna", password=password).status_code == 201
    assert api.log_in("anna", password).status_code == 200
    assert api.log_in("anna", password[:-1]).status_code == 401
