"""Rule 1: registering and signing in by telephone, without telling which numbers have accounts."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from torg import jobs, mail
from torg_auth.domain.phones import phone_or_none

PHONE = "+4915123456789"
PASSWORD = "a fine long sentence"


@pytest.fixture
def texts(app: Any) -> Callable[[str], list[str]]:
    """Runs what is due, and gives the messages to a number, newest first."""

    def read(phone: str) -> list[str]:
        jobs.run_due(app)
        return [each.text for each in mail.Mailbox(app).to(f"{phone}@sms.invalid")]

    return read


@pytest.fixture
def register(api: Any) -> Any:
    """Registers somebody by telephone."""

    def registering(name: str, phone: str = PHONE) -> Any:
        body = {"phone": phone, "username": name, "password": PASSWORD}
        return api.post("/register/phone", body)

    return registering


def _code(texts: list[str], name: str) -> str:
    for text in texts:
        if f"account {name}." in text:
            return text[:6]
    raise LookupError(name)


def _verify(api: Any, name: str, code: str) -> Any:
    return api.post("/verify-phone", {"username": name, "code": code})


class TestNumbers:
    @pytest.mark.parametrize("text", ["+49 151 23456789", "+49 (151) 234-567-89", "+4915123456789"])
    def test_one_number_has_one_form(self, text: str) -> None:
        assert phone_or_none(text) == PHONE

    @pytest.mark.parametrize(
        "text",
        [
            "015123456789",
            "+4930123456",
            "+18005551234",
            "+449098790000",
            "+1",
            "+",
            "",
            "+491512345678９",
            "+4915123456789;ext=5",
            "+49151234567891234567890",
            "tel:+4915123456789",
        ],
    )
    def test_what_cannot_get_messages_or_costs_a_fortune_is_none(self, text: str) -> None:
        assert phone_or_none(text) is None


def test_an_account_is_made_and_its_number_confirmed_by_the_code(
    api: Any, register: Any, texts: Any
) -> None:
    answer = register("anna")
    assert answer.status_code == 201
    assert {key: answer.get_json()[key] for key in ("username", "phone", "phone_verified")} == {
        "username": "anna",
        "phone": PHONE,
        "phone_verified": False,
    }
    before = api.token("anna")
    me = api.get("/me", token=before).get_json()
    assert (me["phone"], me["verification_level"], me["email"]) == (None, 0, None)
    code = _code(texts(PHONE), "anna")
    assert _verify(api, "anna", code).get_json() == {"phone_verified": True}
    me = api.get("/me", token=before).get_json()
    assert (me["phone"], me["verification_level"]) == (PHONE, 2)


def test_who_has_confirmed_a_number_signs_in_by_it(api: Any, register: Any, texts: Any) -> None:
    register("anna")
    body = {"phone": "+49 151 23456789", "password": PASSWORD}
    assert api.post("/login", body).status_code == 401
    _verify(api, "anna", _code(texts(PHONE), "anna"))
    assert api.post("/login", body).status_code == 200
    assert api.post("/login", {**body, "username": "anna"}).status_code == 422


def test_a_telephone_alone_does_not_open_what_needs_an_address(
    api: Any, register: Any, texts: Any, change: Any
) -> None:
    register("anna")
    _verify(api, "anna", _code(texts(PHONE), "anna"))
    token = api.token("anna")
    assert api.get("/me", token=token).get_json()["email_verified"] is False
    assert api.post("/verification-requests", token=token).get_json()["code"] == "email_unverified"
    assert change(token, "email", "anna@example.com", at="anna@example.com").status_code == 204
    me = api.get("/me", token=token).get_json()
    assert (me["email_verified"], me["verification_level"]) == (True, 2)


def test_a_known_number_is_answered_like_any_other(
    api: Any, register: Any, texts: Any, count_queries: Any, count_hashing: Any
) -> None:
    register("anna")
    _verify(api, "anna", _code(texts(PHONE), "anna"))
    seen = []
    for name, phone in (("known", PHONE), ("fresh", "+4915123456780")):
        count_hashing.clear()
        with count_queries() as count:
            answer = register(name, phone)
        seen.append(
            (answer.status_code, set(answer.get_json()), list(count_hashing), count.statements)
        )
    assert seen[0] == seen[1]
    assert seen[0][0] == 201


def test_only_who_gets_its_messages_hears_that_a_number_is_taken(
    api: Any, register: Any, texts: Any
) -> None:
    register("anna")
    _verify(api, "anna", _code(texts(PHONE), "anna"))
    register("boris")
    answer = _verify(api, "boris", _code(texts(PHONE), "boris"))
    assert (answer.status_code, answer.get_json()["code"]) == (409, "value_taken")
    assert api.get("/me", token=api.token("boris")).get_json()["phone"] is None


def test_a_stranger_who_registers_with_a_number_keeps_nobody_out_and_gets_nothing(
    api: Any, register: Any, texts: Any
) -> None:
    register("stranger")
    register("anna")
    strangers, annas = _code(texts(PHONE), "stranger"), _code(texts(PHONE), "anna")
    if strangers != annas:
        assert _verify(api, "anna", strangers).status_code == 422
    assert _verify(api, "anna", annas).status_code == 200
    assert api.post("/login", {"phone": PHONE, "password": PASSWORD}).status_code == 200


@pytest.mark.parametrize("name", ["anna", "unknown"])
def test_a_wrong_code_answers_the_same_for_any_name(
    api: Any, register: Any, texts: Any, count_queries: Any, name: str
) -> None:
    register("anna")
    wrong = f"{(int(_code(texts(PHONE), 'anna')) + 1) % 1_000_000:06d}"
    with count_queries() as count:
        answer = _verify(api, name, wrong)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "code_invalid")
    assert count.total == 1


def test_asking_again_answers_the_same_for_any_name_and_voids_the_older_code(
    api: Any, register: Any, texts: Any, count_queries: Any
) -> None:
    register("anna")
    older = _code(texts(PHONE), "anna")
    seen = []
    for name in ("anna", "unknown"):
        with count_queries() as count:
            answer = api.post("/verify-phone/resend", {"username": name})
        seen.append((answer.status_code, answer.get_data(), count.statements))
    assert seen[0] == seen[1]
    assert seen[0][0] == 202
    newer = texts(PHONE)[0][:6]
    assert len(texts(PHONE)) == 2
    codes = {text[:6] for text in texts(PHONE)}
    fresh = (codes - {older} or {newer}).pop()
    if fresh != older:
        assert _verify(api, "anna", older).status_code == 422
    assert _verify(api, "anna", fresh).status_code == 200


def test_a_new_number_is_confirmed_there_and_the_old_one_gets_a_link_back(
    api: Any, register: Any, texts: Any
) -> None:
    register("anna")
    _verify(api, "anna", _code(texts(PHONE), "anna"))
    token, other = api.token("anna"), api.token("anna")
    thiefs = "+4915123456780"
    body = {"kind": "phone", "value": thiefs, "current_password": PASSWORD}
    asked = api.post("/me/changes", body, token=token)
    assert asked.get_json()["channel"] == "sms"
    code = _code(texts(thiefs), "anna")
    path = f"/me/changes/{asked.get_json()['id']}/confirm"
    assert api.post(path, {"code": code}, token=token).status_code == 204
    assert api.get("/me", token=token).get_json()["phone"] == thiefs
    assert api.get("/me", token=other).status_code == 401
    [notice] = [text for text in texts(PHONE) if "was changed" in text]
    found = re.search(r"me/changes/undo\?token=(\S+)", notice)
    assert found is not None
    assert api.post(f"/me/changes/undo?token={found.group(1)}").status_code == 200
    assert api.post("/login", {"phone": PHONE, "password": PASSWORD}).status_code == 200
    assert api.post("/login", {"phone": thiefs, "password": PASSWORD}).status_code == 401


def test_messages_speak_the_language_of_their_reader(api: Any, texts: Any) -> None:
    body = {"phone": PHONE, "username": "anna", "password": PASSWORD, "locale": "ru"}
    api.post("/register/phone", body)
    assert "ваш код" in texts(PHONE)[0]


def test_a_number_nobody_can_have_is_refused(register: Any) -> None:
    answer = register("anna", "+4930123456")
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["pointer"] == "/phone"


class TestForgotten:
    @pytest.fixture
    def anna(self, api: Any, register: Any, texts: Any) -> str:
        """Somebody who has a number and no address."""
        register("anna")
        assert _verify(api, "anna", _code(texts(PHONE), "anna")).status_code == 200
        return "anna"

    def _forgot(self, api: Any, **where: str) -> None:
        answer = api.post("/password/forgot", where)
        assert (answer.status_code, answer.get_json()) == (202, {"accepted": True})

    def test_who_has_only_a_number_sets_a_new_password_by_it(
        self, api: Any, anna: str, texts: Any, sql: Any
    ) -> None:
        before = api.token(anna)
        self._forgot(api, phone=PHONE)
        body = {"phone": PHONE, "code": _code(texts(PHONE), anna), "password": "another sentence"}
        assert api.post("/password/reset", body).status_code == 204
        assert api.log_in(PHONE, "another sentence").status_code == 200
        assert api.log_in(PHONE, PASSWORD).status_code == 401
        assert api.get("/me", token=before).status_code == 401
        assert api.post("/password/reset", body).get_json()["code"] == "code_invalid"

    def test_a_number_opens_no_account_that_has_a_confirmed_address(
        self, api: Any, app: Any, anna: str, texts: Any, sql: Any
    ) -> None:
        sql("UPDATE auth_user SET email = 'a@b.example', email_verified_at = clock_timestamp()")
        known = texts(PHONE)
        self._forgot(api, phone=PHONE)
        assert texts(PHONE) == known

    def test_the_code_of_a_text_message_proves_no_address(
        self, api: Any, anna: str, texts: Any, sql: Any
    ) -> None:
        sql("UPDATE auth_user SET email = 'victim@example.com'")
        self._forgot(api, phone=PHONE)
        code = _code(texts(PHONE), anna)
        body = {"email": "victim@example.com", "code": code, "password": "another sentence"}
        assert api.post("/password/reset", body).get_json()["code"] == "code_invalid"
        assert sql("SELECT email_verified_at FROM auth_user") == [(None,)]

    def test_nobody_learns_whether_a_number_has_an_account(self, api: Any, texts: Any) -> None:
        self._forgot(api, phone=PHONE)
        assert texts(PHONE) == []
        body = {"phone": PHONE, "code": "123456", "password": "another sentence"}
        answer = api.post("/password/reset", body)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "code_invalid")

    def test_tries_of_a_code_are_counted(self, api: Any, anna: str, texts: Any) -> None:
        self._forgot(api, phone=PHONE)
        code = _code(texts(PHONE), anna)
        wrong = f"{(int(code) + 1) % 1_000_000:06}"
        for number in range(5):
            body = {"phone": PHONE, "code": wrong, "password": "another sentence"}
            at = f"192.0.2.{number + 10}"
            assert api.post("/password/reset", body, at=at).status_code == 422
        body = {"phone": PHONE, "code": code, "password": "another sentence"}
        assert api.post("/password/reset", body).status_code == 422

    def test_either_an_address_or_a_number_is_given(self, api: Any) -> None:
        for where in ({}, {"email": "a@b.example", "phone": PHONE}):
            answer = api.post("/password/forgot", where)
            assert (answer.status_code, answer.get_json()["code"]) == (422, "validation_failed")
