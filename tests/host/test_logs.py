"""Log lines: their shape, the request id in them, and that no secret ever is."""

from __future__ import annotations

import json
import logging
import threading

import flask
import pytest
import structlog

from torg import config, logs
from torg.config import HostSettings, Settings

CANARY = "canary-7f3a9c2e51"


@pytest.fixture(autouse=True)
def _restore_logging():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


@pytest.fixture
def lines(capsys):
    """The lines written so far, parsed."""

    def read():
        return [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    return read


class TestShape:
    """What a line looks like."""

    def test_line_is_one_json_object_with_time_level_and_logger(self, lines):
        logs.configure()

        structlog.get_logger("torg.auction").info("bid_placed", auction_id=7)

        (line,) = lines()
        assert line["event"] == "bid_placed"
        assert line["auction_id"] == 7
        assert (line["level"], line["logger"]) == ("info", "torg.auction")
        assert line["at"].endswith("Z")

    def test_lines_of_libraries_come_out_the_same_way(self, lines):
        logs.configure()
        logs.start(request_id="r-1")

        logging.getLogger("some.library").warning("slow %s", "query", extra={"plugin": "shop"})

        (line,) = lines()
        assert line["event"] == "slow query"
        assert (line["level"], line["request_id"], line["plugin"]) == ("warning", "r-1", "shop")

    def test_error_with_traceback_stays_one_line(self, lines):
        logs.configure()

        structlog.get_logger("x").error("failed", exc_info=ValueError("boom"))

        (line,) = lines()
        assert "ValueError: boom" in line["exception"]

    def test_values_that_are_no_json_do_not_stop_the_line(self, lines):
        logs.configure()

        structlog.get_logger("x").info("odd", value=object(), number=float("nan"), key={1: {2}})

        assert lines()[0]["event"] == "odd"

    def test_level_of_the_settings_counts(self, lines):
        logs.configure(level="warning")

        structlog.get_logger("x").info("quiet")
        logging.getLogger("y").info("quiet")

        assert lines() == []

    def test_configuring_twice_writes_each_line_once(self, lines):
        logs.configure()
        logs.configure()

        structlog.get_logger("x").info("once")

        assert len(lines()) == 1

    def test_console_format_is_text_for_people(self, capsys):
        logs.configure("console")

        structlog.get_logger("x").info("hello", n=1)

        assert "hello" in capsys.readouterr().err


class TestContext:
    """Facts that every line of a request or job carries."""

    def test_facts_of_one_request_do_not_reach_the_next(self, lines):
        logs.configure()
        log = structlog.get_logger("x")

        logs.start(request_id="first")
        logs.bind(identity_id=5)
        log.info("one")
        logs.start(request_id="second")
        log.info("two")

        one, two = lines()
        assert (one["request_id"], one["identity_id"]) == ("first", 5)
        assert two["request_id"] == "second"
        assert "identity_id" not in two

    def test_requests_of_two_threads_do_not_mix(self, lines):
        logs.configure()
        logs.start(request_id="main")

        def other():
            logs.start(request_id="other")
            structlog.get_logger("x").info("there")

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        structlog.get_logger("x").info("here")

        assert [line["request_id"] for line in lines()] == ["other", "main"]

    def test_request_id_can_be_carried_into_a_job(self):
        logs.start(request_id="r-9")

        assert logs.request_id() == "r-9"

    def test_facts_bound_for_a_block_end_with_it(self, lines):
        logs.configure()
        logs.start(request_id="r")

        with logs.bound(job_id=3):
            structlog.get_logger("x").info("in")
        structlog.get_logger("x").info("out")

        inside, outside = lines()
        assert inside["job_id"] == 3
        assert "job_id" not in outside


class TestSecrets:
    """Nothing secret is written, however it got into a line."""

    @pytest.mark.parametrize(
        "facts",
        [
            {"password": CANARY},
            {"new_password": CANARY},
            {"refresh_token": CANARY},
            {"Authorization": f"Bearer {CANARY}"},
            {"headers": {"authorization": f"Bearer {CANARY}", "X-Api-Key": CANARY}},
            {"body": [{"deep": {"client_secret": CANARY}}]},
            {"url": f"postgresql://user:{CANARY}@host/db"},
            {"url": f"https://shop/verify-email?token={CANARY}&x=1"},
            {"text": f'{{"password": "{CANARY}", "a": 1}}'},
            {"text": f"password='{CANARY}' retry"},
            {"text": f"Authorization: Basic {CANARY}"},
            {"text": f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx{CANARY}.sig{CANARY}"},
            {"tuple": ("a", f"Bearer {CANARY}")},
        ],
    )
    def test_secret_in_a_fact_is_masked(self, capsys, facts):
        logs.configure()

        structlog.get_logger("x").info("event", **facts)

        written = capsys.readouterr().err
        assert CANARY not in written
        assert "***" in written

    def test_secret_in_the_message_of_a_library_is_masked(self, capsys):
        logs.configure()

        logging.getLogger("urllib3").warning("GET /login?access_token=%s", CANARY)
        logging.getLogger("x").warning("connect redis://:%s@host", CANARY)

        assert CANARY not in capsys.readouterr().err

    def test_secret_in_a_traceback_is_masked(self, capsys):
        logs.configure()
        error = RuntimeError(f"cannot connect to smtp://u:{CANARY}@mail")

        structlog.get_logger("x").error("failed", exc_info=error)

        written = capsys.readouterr().err
        assert CANARY not in written
        assert "RuntimeError" in written

    def test_secrets_of_the_settings_are_masked_in_any_shape(self, capsys):
        app = flask.Flask("test")
        host = HostSettings(
            debug=True,
            secret_key=f"secret-{CANARY}-0123456789",
            database_url="postgresql://u:pa%2Fss-canary@h/d",
            mail_url=f"smtps://u:{CANARY}@mail.example.org",
        )
        config.init(app, Settings.build(host))
        logs.init(app)

        structlog.get_logger("x").info(
            f"strange {CANARY}", note=f"<{host.database_url}>", b="pa/ss-canary"
        )

        written = capsys.readouterr().err
        assert CANARY not in written
        assert "pa/ss-canary" not in written

    def test_confirmation_code_is_masked_and_error_code_is_not(self, lines):
        logs.configure()

        structlog.get_logger("x").info("a", code="482913", confirm_code=482913, text="code: 482913")
        structlog.get_logger("x").info("b", code="bid_too_low", status_code=409)

        first, second = lines()
        assert "482913" not in json.dumps(first)
        assert (second["code"], second["status_code"]) == ("bid_too_low", 409)

    def test_ordinary_words_are_left_alone(self, lines):
        logs.configure()

        structlog.get_logger("x").info("seen", key="auction:7", tokens_left=3, path="/a?b=c")

        (line,) = lines()
        assert (line["key"], line["tokens_left"], line["path"]) == ("auction:7", 3, "/a?b=c")
