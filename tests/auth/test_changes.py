"""Rule 4: username, address, number and password change only where the owner confirms it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

PASSWORD = "a fine long sentence"
NEW_PASSWORD = "another fine sentence"
PHONE = "+4915123456789"


def _other(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def _me(api: Any, token: str) -> Any:
    return api.get("/me", token=token).get_json()


class TestAsking:
    def test_nothing_changes_before_the_code(self, api: Any, anna: str, ask: Any) -> None:
        before = _me(api, anna)
        for kind, value in (
            ("username", "annette"),
            ("email", "anna@new.example"),
            ("phone", PHONE),
            ("password", NEW_PASSWORD),
        ):
            answer = ask(anna, kind, value)
            assert answer.status_code == 202
            assert set(answer.get_json()) == {"id", "kind", "channel", "expires_at"}
        assert _me(api, anna) == before
        assert api.log_in("anna", PASSWORD).status_code == 200

    def test_it_needs_the_current_password(self, api: Any, anna: str, ask: Any) -> None:
        answer = ask(anna, "email", "anna@new.example", "not the password")
        assert answer.status_code == 403
        assert answer.get_json()["code"] == "password_wrong"
        assert ask("", "email", "anna@new.example").status_code == 401

    def test_the_current_password_cannot_be_guessed(self, api: Any, anna: str, ask: Any) -> None:
        answers = [
            ask(anna, "username", "annette", f"guess number {n}").status_code for n in range(12)
        ]
        assert answers == [403] * 10 + [429] * 2
        assert ask(anna, "username", "annette").status_code == 429
        # A thief of a token who guesses keeps nobody from signing in.
        assert api.log_in("anna").status_code == 200

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            ("username", "a"),
            ("username", "anna@example.com"),
            ("email", "anna"),
            ("phone", "015123456789"),
            ("phone", "+4930123456"),
            ("phone", "+1"),
        ],
    )
    def test_a_value_of_another_form_is_refused_by_name(
        self, anna: str, ask: Any, kind: str, value: str
    ) -> None:
        answer = ask(anna, kind, value)
        assert answer.status_code == 422
        assert answer.get_json()["errors"][0]["pointer"] == "/value"

    def test_a_weak_password_is_refused(self, anna: str, ask: Any) -> None:
        answer = ask(anna, "password", "1234567890")
        assert (answer.status_code, answer.get_json()["code"]) == (422, "password_refused")
        assert answer.get_json()["errors"][0]["pointer"] == "/value"

    def test_a_taken_username_is_said_openly(self, api: Any, anna: str, ask: Any) -> None:
        api.register("boris")
        answer = ask(anna, "username", "BORIS")
        assert (answer.status_code, answer.get_json()["code"]) == (409, "username_taken")

    def test_what_is_so_already_is_refused(self, anna: str, ask: Any) -> None:
        assert ask(anna, "username", "anna").get_json()["code"] == "nothing_changes"
        assert ask(anna, "email", "anna@example.com").get_json()["code"] == "nothing_changes"

    def test_a_known_address_is_answered_like_any_other(
        self, api: Any, anna: str, ask: Any, confirmed: Any, count_queries: Any
    ) -> None:
        confirmed("boris")
        _me(api, anna)
        seen = []
        for address in ("boris@example.com", "nobody@example.com"):
            with count_queries() as count:
                answer = ask(anna, "email", address)
            seen.append((answer.status_code, set(answer.get_json()), count.statements))
        assert seen[0] == seen[1]

    def test_nobody_can_be_flooded_with_codes(self, anna: str, ask: Any, mails: Any) -> None:
        for _ in range(6):
            assert ask(anna, "email", "victim@example.com").status_code == 202
        assert len(mails("victim@example.com")) == 3


class TestWaiting:
    def test_the_owner_sees_what_waits_but_not_the_new_values(
        self, api: Any, anna: str, ask: Any
    ) -> None:
        assert api.get("/me/changes", token=anna).get_json()["items"] == []
        asked = [
            ask(anna, kind, value).get_json()
            for kind, value in (("email", "anna@new.example"), ("username", "annette"))
        ]
        answer = api.get("/me/changes", token=anna)
        items = answer.get_json()["items"]
        assert [{**each, "created_at": None} for each in reversed(items)] == [
            {**each, "created_at": None} for each in asked
        ]
        assert "new.example" not in answer.text
        assert "annette" not in answer.text

    def test_what_is_confirmed_replaced_or_of_others_waits_no_more(
        self, api: Any, anna: str, ask: Any, change: Any, confirmed: Any
    ) -> None:
        ask(anna, "email", "first@new.example")
        newer = ask(anna, "email", "second@new.example").get_json()
        assert change(anna, "username", "annette", at="anna@example.com").status_code == 204
        items = api.get("/me/changes", token=anna).get_json()["items"]
        assert [each["id"] for each in items] == [newer["id"]]
        assert api.get("/me/changes", token=confirmed("boris")).get_json()["items"] == []


class TestConfirming:
    def test_a_new_address_is_confirmed_there_and_the_old_one_told(
        self, api: Any, anna: str, change: Any, mails: Any
    ) -> None:
        assert change(anna, "email", "anna@new.example", at="anna@new.example").status_code == 204
        me = _me(api, anna)
        assert (me["email"], me["email_verified"]) == ("anna@new.example", True)
        old = mails("anna@example.com")[0]
        assert "new e-mail address" in old.text
        assert "anna@new.example" not in old.text
        assert api.log_in("anna@new.example").status_code == 200
        assert api.log_in("anna@example.com").status_code == 401

    def test_a_new_username_is_confirmed_at_the_present_address(
        self, api: Any, anna: str, change: Any
    ) -> None:
        assert change(anna, "username", "annette", at="anna@example.com").status_code == 204
        assert _me(api, anna)["username"] == "annette"
        assert api.log_in("annette").status_code == 200
        assert api.log_in("anna").status_code == 401

    def test_a_new_password_ends_all_other_sessions(
        self, api: Any, anna: str, change: Any, mails: Any
    ) -> None:
        other = api.log_in("anna").get_json()
        assert change(anna, "password", NEW_PASSWORD, at="anna@example.com").status_code == 204
        assert api.get("/me", token=anna).status_code == 200
        assert api.get("/me", token=other["token"]).status_code == 401
        assert api.refresh(other["refresh_token"]).status_code == 401
        assert api.log_in("anna", PASSWORD).status_code == 401
        assert api.log_in("anna", NEW_PASSWORD).status_code == 200
        assert "password at Torg was changed" in mails("anna@example.com")[0].text

    def test_a_new_address_ends_all_other_sessions(self, api: Any, anna: str, change: Any) -> None:
        other = api.token("anna")
        change(anna, "email", "anna@new.example", at="anna@new.example")
        assert api.get("/me", token=anna).status_code == 200
        assert api.get("/me", token=other).status_code == 401

    def test_an_account_with_a_mistyped_address_is_saved_by_a_new_one(
        self, api: Any, change: Any, mails: Any
    ) -> None:
        api.register("anna", email="typo@example.com")
        token = api.token("anna")
        assert change(token, "email", "anna@example.com", at="anna@example.com").status_code == 204
        assert _me(api, token)["email_verified"] is True
        assert _me(api, token)["verification_level"] == 1
        # Whoever has the mistyped address must get no link that gives him the account.
        assert not any("undo" in mail.text for mail in mails("typo@example.com"))

    def test_a_wrong_code_is_refused_and_after_five_the_right_one_too(
        self, api: Any, anna: str, ask: Any, code_for: Any
    ) -> None:
        path = f"/me/changes/{ask(anna, 'username', 'annette').get_json()['id']}/confirm"
        code = code_for("anna@example.com")
        for _ in range(5):
            answer = api.post(path, {"code": _other(code)}, token=anna)
            assert (answer.status_code, answer.get_json()["code"]) == (422, "code_invalid")
        assert api.post(path, {"code": code}, token=anna).status_code == 422

    def test_tries_at_once_are_counted_one_by_one(
        self, api: Any, anna: str, ask: Any, code_for: Any, sql: Any
    ) -> None:
        path = f"/me/changes/{ask(anna, 'username', 'annette').get_json()['id']}/confirm"
        code = code_for("anna@example.com")
        start = threading.Barrier(8)

        def guess(number: int) -> int:
            start.wait(timeout=30)
            body = {"code": f"{(int(code) + 1 + number) % 1_000_000:06d}"}
            return int(api.post(path, body, token=anna).status_code)

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(guess, range(8))) == {422}
        assert sql("SELECT tries FROM auth_one_time_code WHERE purpose = 'change_username'") == [
            (5,)
        ]

    def test_a_code_given_at_once_makes_one_change(
        self, api: Any, anna: str, ask: Any, code_for: Any, sql: Any
    ) -> None:
        path = f"/me/changes/{ask(anna, 'email', 'a@new.example').get_json()['id']}/confirm"
        code = code_for("a@new.example")
        start = threading.Barrier(4)

        def use(_number: int) -> int:
            start.wait(timeout=30)
            return int(api.post(path, {"code": code}, token=anna).status_code)

        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(use, range(4))) == [204, 422, 422, 422]
        kind = "SELECT count(*) FROM auth_security_event WHERE kind = 'change_applied'"
        assert sql(kind) == [(1,)]

    def test_a_newer_change_of_a_kind_makes_the_older_void(
        self, api: Any, anna: str, ask: Any, code_for: Any
    ) -> None:
        older = ask(anna, "email", "one@new.example").get_json()["id"]
        code = code_for("one@new.example")
        ask(anna, "email", "two@new.example")
        path = f"/me/changes/{older}/confirm"
        assert api.post(path, {"code": code}, token=anna).status_code == 422
        assert _me(api, anna)["email"] == "anna@example.com"

    def test_a_code_of_one_change_never_works_for_another(
        self, api: Any, anna: str, ask: Any, code_for: Any
    ) -> None:
        name = ask(anna, "username", "annette").get_json()["id"]
        naming = code_for("anna@example.com")
        password = ask(anna, "password", NEW_PASSWORD).get_json()["id"]
        setting = code_for("anna@example.com")
        if naming != setting:
            for change_id, code in ((name, setting), (password, naming)):
                answer = api.post(f"/me/changes/{change_id}/confirm", {"code": code}, token=anna)
                assert answer.status_code == 422
        body = {"email": "anna@example.com", "code": setting, "password": NEW_PASSWORD}
        assert api.post("/password/reset", body).status_code == 422
        done = api.post(f"/me/changes/{name}/confirm", {"code": naming}, token=anna)
        assert done.status_code == 204

    def test_a_change_is_of_whoever_asked_for_it(
        self, api: Any, anna: str, ask: Any, code_for: Any, confirmed: Any
    ) -> None:
        change_id = ask(anna, "username", "annette").get_json()["id"]
        code = code_for("anna@example.com")
        boris = confirmed("boris")
        answer = api.post(f"/me/changes/{change_id}/confirm", {"code": code}, token=boris)
        assert (answer.status_code, answer.get_json()["code"]) == (404, "change_not_found")
        assert api.post("/me/changes/999/confirm", {"code": code}, token=anna).status_code == 404

    def test_after_fifteen_minutes_it_is_over(
        self, api: Any, anna: str, ask: Any, code_for: Any, sql: Any
    ) -> None:
        change_id = ask(anna, "username", "annette").get_json()["id"]
        code = code_for("anna@example.com")
        sql("UPDATE auth_one_time_code SET expires_at = clock_timestamp() - interval '1 second'")
        answer = api.post(f"/me/changes/{change_id}/confirm", {"code": code}, token=anna)
        assert answer.status_code == 422

    def test_only_who_proved_an_address_hears_that_it_is_taken(
        self, api: Any, anna: str, confirmed: Any, change: Any, sql: Any
    ) -> None:
        confirmed("boris")
        answer = change(anna, "email", "boris@example.com", at="boris@example.com")
        assert (answer.status_code, answer.get_json()["code"]) == (409, "value_taken")
        assert _me(api, anna)["email"] == "anna@example.com"
        # The code is used up all the same.
        closed = "SELECT closed_because FROM auth_one_time_code WHERE purpose = 'change_email'"
        assert sql(closed) == [("used",)]

    def test_who_only_registered_with_an_address_gives_way_to_its_owner(
        self, api: Any, anna: str, change: Any, code_for: Any, mails: Any
    ) -> None:
        api.register("squatter", email="anna@new.example")
        mail = mails("anna@new.example")[0]
        link = next(word for word in mail.text.split() if "token=" in word)
        assert change(anna, "email", "anna@new.example", at="anna@new.example").status_code == 204
        assert _me(api, anna)["email"] == "anna@new.example"
        # The squatter's old link neither works nor fails.
        assert api.get("/verify-email?" + link.partition("?")[2]).status_code == 422
        assert _me(api, api.token("squatter"))["email_verified"] is False

    def test_of_two_who_want_one_name_one_gets_it(
        self, api: Any, anna: str, confirmed: Any, ask: Any, code_for: Any
    ) -> None:
        boris = confirmed("boris")
        calls = []
        for token, address in ((anna, "anna@example.com"), (boris, "boris@example.com")):
            change_id = ask(token, "username", "champion").get_json()["id"]
            calls.append((f"/me/changes/{change_id}/confirm", code_for(address), token))
        start = threading.Barrier(2)

        def use(call: tuple[str, str, str]) -> int:
            start.wait(timeout=30)
            return int(api.post(call[0], {"code": call[1]}, token=call[2]).status_code)

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(use, calls)) == [204, 409]

    def test_a_password_reset_makes_waiting_changes_void(
        self, api: Any, anna: str, ask: Any, code_for: Any
    ) -> None:
        change_id = ask(anna, "email", "thief@new.example").get_json()["id"]
        code = code_for("thief@new.example")
        api.post("/password/forgot", {"email": "anna@example.com"})
        body = {
            "email": "anna@example.com",
            "code": code_for("anna@example.com"),
            "password": NEW_PASSWORD,
        }
        assert api.post("/password/reset", body).status_code == 204
        token = api.log_in("anna", NEW_PASSWORD).get_json()["token"]
        answer = api.post(f"/me/changes/{change_id}/confirm", {"code": code}, token=token)
        assert answer.status_code == 422

    def test_a_new_address_makes_codes_to_the_old_one_void(
        self, api: Any, anna: str, change: Any, code_for: Any
    ) -> None:
        api.post("/password/forgot", {"email": "anna@example.com"})
        code = code_for("anna@example.com")
        change(anna, "email", "anna@new.example", at="anna@new.example")
        for email in ("anna@example.com", "anna@new.example"):
            body = {"email": email, "code": code, "password": NEW_PASSWORD}
            assert api.post("/password/reset", body).status_code == 422

    def test_no_password_is_kept_readable_and_none_after_the_change(
        self, anna: str, ask: Any, change: Any, sql: Any
    ) -> None:
        ask(anna, "password", NEW_PASSWORD)
        [(kept,)] = sql("SELECT new_value FROM auth_pending_change")
        assert kept.startswith("$argon2id$")
        change(anna, "password", NEW_PASSWORD, at="anna@example.com")
        applied = (
            "SELECT new_value, old_value FROM auth_pending_change WHERE applied_at IS NOT NULL"
        )
        assert sql(applied) == [(None, None)]
