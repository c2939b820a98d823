"""Text messages: what is said to a provider, what it may answer, and how many are sent at most."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError
from text_provider import Provider, RunningProvider

from torg import jobs
from torg_auth.settings import AuthSettings
from torg_auth.text_transport import (
    ConsoleTexts,
    FileTexts,
    HttpTexts,
    TextError,
    TextMessage,
    TextRefusedError,
    open_transport,
)

SECRET = "a secret of at least thirty-two characters"
MESSAGE = TextMessage("torg-7", "+4915123456789", "482913 — ваш код")


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A real HTTP server in place of the provider."""
    with RunningProvider() as running:
        yield running


def _transport(provider: Provider, seconds: float = 5.0) -> HttpTexts:
    return HttpTexts(provider.url, SECRET.encode(), seconds)


class TestProvider:
    def test_it_gets_a_signed_message_whose_id_makes_it_repeatable(
        self, provider: Provider
    ) -> None:
        _transport(provider).send(MESSAGE)
        [(headers, body)] = provider.calls
        assert json.loads(body) == {"id": "torg-7", "to": MESSAGE.phone, "text": MESSAGE.text}
        stamp = headers["Torg-Timestamp"]
        assert abs(int(stamp) - time.time()) < 60
        signed = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256)
        assert headers["Torg-Signature"] == f"v1={signed.hexdigest()}"
        assert headers["Idempotency-Key"] == "torg-7"

    @pytest.mark.parametrize("mode", ["500", "503", "429", "408"])
    def test_trouble_is_tried_again_later(self, provider: Provider, mode: str) -> None:
        provider.mode = mode
        with pytest.raises(TextError) as caught:
            _transport(provider).send(MESSAGE)
        assert not isinstance(caught.value, TextRefusedError)

    @pytest.mark.parametrize("mode", ["400", "401", "404", "302", "307"])
    def test_a_no_is_for_good_and_redirects_are_not_followed(
        self, provider: Provider, mode: str
    ) -> None:
        provider.mode = mode
        with pytest.raises(TextRefusedError):
            _transport(provider).send(MESSAGE)
        assert len(provider.calls) == 1

    @pytest.mark.parametrize("mode", ["hang", "drip", "garbage"])
    def test_one_that_hangs_drips_or_talks_nonsense_is_left_in_time(
        self, provider: Provider, mode: str
    ) -> None:
        provider.mode = mode
        begun = time.monotonic()
        with pytest.raises(TextError):
            _transport(provider, seconds=0.5).send(MESSAGE)
        assert time.monotonic() - begun < 10

    def test_nobody_there_is_an_error_that_names_no_secret(self, provider: Provider) -> None:
        gone = HttpTexts("http://127.0.0.1:1/", SECRET.encode(), 1.0)
        with pytest.raises(TextError) as caught:
            gone.send(MESSAGE)
        assert SECRET not in str(caught.value)
        assert SECRET not in repr(gone)


class TestSettings:
    def test_a_provider_needs_https_and_a_long_secret(self) -> None:
        assert AuthSettings(sms_url="https://sms.example/v1", sms_secret=SECRET)
        assert AuthSettings(sms_url="http://127.0.0.1:9/", sms_secret=SECRET)
        for url, secret in (
            ("https://sms.example/v1", "short"),
            ("https://sms.example/v1", ""),
            ("http://sms.example/v1", SECRET),
            ("http://127.0.0.1.example/", SECRET),
            ("https://user:password@sms.example/", SECRET),
            ("ftp://sms.example", SECRET),
        ):
            with pytest.raises(ValidationError):
                AuthSettings(sms_url=url, sms_secret=secret)

    def test_no_call_may_take_more_than_five_seconds(self) -> None:
        with pytest.raises(ValidationError):
            AuthSettings(sms_timeout_seconds=6)

    def test_without_a_provider_messages_are_caught_beside_mails_or_printed(self) -> None:
        assert isinstance(open_transport("", "", 5, "file:///mail"), FileTexts)
        assert isinstance(open_transport("", "", 5, "smtp://mail.example"), ConsoleTexts)
        assert isinstance(open_transport("console:", "", 5, "file:///mail"), ConsoleTexts)

    def test_the_console_shows_number_and_words(self, capsys: Any) -> None:
        ConsoleTexts().send(MESSAGE)
        assert MESSAGE.phone in capsys.readouterr().err


class TestJob:
    @pytest.fixture
    def at_provider(self, make_app: Any, api: Any, provider: Provider) -> Callable[..., Any]:
        """An application that sends to the provider."""

        def make(**settings: Any) -> Any:
            section = {"sms_url": provider.url, "sms_secret": SECRET, **settings}
            api.app = make_app(["auth"], sections={"auth": section})
            return api.app

        return make

    def test_what_the_provider_could_not_take_is_sent_by_a_later_try(
        self, api: Any, at_provider: Any, provider: Provider
    ) -> None:
        app = at_provider()
        provider.mode = "500"
        assert _register(api, "anna").status_code == 201
        jobs.run_due(app)
        assert len(provider.calls) == 1
        provider.mode = "202"
        _due_now(app)
        jobs.run_due(app)
        assert len(provider.calls) == 2
        assert provider.calls[0][1] == provider.calls[1][1]
        _due_now(app)
        jobs.run_due(app)
        assert len(provider.calls) == 2

    def test_a_refused_message_is_given_up(
        self, api: Any, at_provider: Any, provider: Provider
    ) -> None:
        app = at_provider()
        provider.mode = "400"
        _register(api, "anna")
        for _ in range(3):
            jobs.run_due(app)
            _due_now(app)
        assert len(provider.calls) == 1
        assert _states(app) == ["dead"]

    def test_a_code_that_is_over_is_not_sent_any_more(
        self, api: Any, at_provider: Any, provider: Provider
    ) -> None:
        app = at_provider()
        _register(api, "anna")
        _run(app, "UPDATE auth_one_time_code SET expires_at = clock_timestamp()")
        jobs.run_due(app)
        assert provider.calls == []
        assert _states(app) == ["done"]

    def test_the_queue_holds_neither_number_nor_code(
        self, api: Any, at_provider: Any, provider: Provider
    ) -> None:
        app = at_provider()
        _register(api, "anna")
        [(waiting,)] = _run(
            app, "SELECT payload::text FROM torg_outbox WHERE job = 'auth.send_text'"
        )
        assert json.loads(waiting).keys() == {"message_id"}

    def test_a_number_gets_three_codes_an_hour_and_nobody_sees_it(
        self, api: Any, at_provider: Any, provider: Provider
    ) -> None:
        app = at_provider()
        answers = {_register(api, f"anna{n}").status_code for n in range(5)}
        jobs.run_due(app)
        assert answers == {201}
        assert len(provider.calls) == 3

    def test_the_costs_of_a_day_are_capped_over_all_numbers(
        self, api: Any, at_provider: Any, provider: Provider
    ) -> None:
        app = at_provider(sms_daily_total=2)
        for n in range(4):
            answer = _register(api, f"anna{n}", phone=f"+491512345678{n}")
            assert answer.status_code == 201
        jobs.run_due(app)
        assert len(provider.calls) == 2

    def test_one_account_cannot_write_to_many_numbers(
        self, api: Any, at_provider: Any, provider: Provider
    ) -> None:
        app = at_provider()
        api.register("anna")
        token = api.token("anna")
        for n in range(5):
            body = {
                "kind": "phone",
                "value": f"+491512345678{n}",
                "current_password": "a fine long sentence",
            }
            assert api.post("/me/changes", body, token=token).status_code == 202
        jobs.run_due(app)
        assert len(provider.calls) <= 3
        assert _run(app, "SELECT count(*) FROM auth_text_message") == [(3,)]

    def test_countries_that_are_not_served_are_refused_openly(
        self, api: Any, at_provider: Any
    ) -> None:
        at_provider(sms_countries=["DE", "FR"])
        assert _register(api, "anna").status_code == 201
        answer = _register(api, "boris", phone="+79161234567")
        assert (answer.status_code, answer.get_json()["code"]) == (422, "phone_not_served")


def _register(api: Any, name: str, phone: str = "+4915123456789") -> Any:
    body = {"phone": phone, "username": name, "password": "a fine long sentence"}
    return api.post("/register/phone", body)


def _run(app: Any, statement: str) -> list[Any]:
    from sqlalchemy import text

    from torg import db

    with db.unit_of_work(app=app):
        result = db.session.execute(text(statement))
        return [tuple(row) for row in result] if result.returns_rows else []


def _due_now(app: Any) -> None:
    _run(app, "UPDATE torg_outbox SET run_at = clock_timestamp() WHERE state = 'queued'")


def _states(app: Any) -> list[str]:
    rows = _run(app, "SELECT state FROM torg_outbox WHERE job = 'auth.send_text' ORDER BY id")
    return [row[0] for row in rows]
