"""Readiness: every part by name, none waits for another, and only what stops serving is a 503."""

from __future__ import annotations

import threading
import time

import flask
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from torg import config, db, health, heartbeats
from torg.app import create_app
from torg.config import HostSettings, Settings
from torg.health import Degraded, Failing, HealthCheck

SECRET = "n3Vw-8sTq0ZpLr7Yc2Xk5Bm9Hd4Jf6Ga"


@pytest.fixture
def bare(monkeypatch):
    """An application with no checks but those of the test."""
    monkeypatch.setattr("torg.health_checks.of_host", lambda _app: [])
    app = flask.Flask("test")
    config.init(app, Settings.build(HostSettings(debug=True, health_timeout_seconds=0.4)))
    health.init(app)
    health.mount(app)
    return app


def fail(words="broken"):
    raise Failing(words)


def limp():
    raise Degraded("slow")


def ready(app, query=""):
    answer = app.test_client().get(f"/health/ready{query}")
    return answer.status_code, answer.get_json()


class TestFrame:
    """How checks are run and told."""

    def test_everything_well_is_200(self, bare):
        health.register(bare, "host", HealthCheck("database", lambda: "fine", critical=True))

        status, body = ready(bare)

        assert (status, body["status"], body["failing"]) == (200, "ok", [])
        assert body["parts"]["database"]["detail"] == "fine"

    def test_failing_critical_part_is_503_and_named(self, bare):
        health.register(bare, "host", HealthCheck("database", fail, critical=True))
        health.register(bare, "host", HealthCheck("mail", lambda: None))

        status, body = ready(bare)

        assert (status, body["status"], body["failing"]) == (503, "failing", ["database"])
        assert body["parts"]["mail"]["status"] == "ok"

    @pytest.mark.parametrize("check", [fail, limp])
    def test_part_that_stops_nothing_degrades_and_is_named(self, bare, check):
        health.register(bare, "host", HealthCheck("mail", check))

        assert ready(bare)[0] == 200
        assert ready(bare)[1]["status"] == "degraded"
        assert ready(bare)[1]["failing"] == ["mail"]
        assert ready(bare, "?strict=true")[0] == 503

    def test_limping_critical_part_still_serves(self, bare):
        health.register(bare, "host", HealthCheck("plugins", limp, critical=True))

        assert ready(bare)[0] == 200

    def test_plugins_checks_carry_its_name_and_go_with_it(self, bare):
        health.register(bare, "shop", HealthCheck("prices", fail, critical=True))
        assert ready(bare)[1]["failing"] == ["shop.prices"]

        health.withdraw(bare, "shop")

        assert ready(bare)[1]["parts"] == {}

    def test_two_checks_of_one_name_are_refused(self, bare):
        health.register(bare, "shop", HealthCheck("prices", lambda: None))

        with pytest.raises(ValueError, match=r"shop\.prices"):
            health.register(bare, "shop", HealthCheck("prices", lambda: None))

    def test_words_of_a_driver_are_not_shown(self, bare):
        def check():
            raise RuntimeError("password=hunter2 host=10.0.0.5")

        health.register(bare, "host", HealthCheck("storage", check))

        body = ready(bare)[1]
        assert body["parts"]["storage"]["detail"] == "RuntimeError"

    def test_hanging_check_fails_alone_and_is_not_started_again(self, bare):
        ended, calls = threading.Event(), []

        def hang():
            calls.append(1)
            ended.wait(30)

        health.register(bare, "host", HealthCheck("mail", hang))
        health.register(bare, "host", HealthCheck("database", lambda: None, critical=True))
        try:
            started = time.monotonic()
            answers = [ready(bare) for _ in range(3)]
            seconds = time.monotonic() - started
        finally:
            ended.set()

        assert [status for status, _ in answers] == [200, 200, 200]
        assert answers[0][1]["failing"] == ["mail"]
        assert "no answer for" in answers[0][1]["parts"]["mail"]["detail"]
        assert len(calls) == 1
        assert seconds < 15

    def test_outcome_is_kept_for_a_moment_also_for_many_at_once(self, bare):
        calls = []
        health.register(bare, "host", HealthCheck("x", lambda: calls.append(1), kept_seconds=60))

        threads = [threading.Thread(target=ready, args=(bare,)) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(calls) == 1

    def test_outcome_is_looked_at_anew_after_a_moment(self, bare):
        calls = []
        health.register(bare, "host", HealthCheck("x", lambda: calls.append(1), kept_seconds=0))

        ready(bare)
        ready(bare)

        assert len(calls) == 2

    def test_process_lives_whatever_the_parts_do(self, bare):
        health.register(bare, "host", HealthCheck("database", fail, critical=True))

        answer = bare.test_client().get("/health/live")

        assert (answer.status_code, answer.get_json()["status"]) == (200, "ok")
        assert answer.headers["Cache-Control"] == "no-store"


class TestHost:
    """What the host looks at, on real servers."""

    def test_fresh_deployment_serves_and_names_what_is_missing(self, make_app):
        status, body = ready(make_app([]))

        assert (status, body["status"]) == (200, "degraded")
        assert sorted(body["failing"]) == ["scheduler", "worker"]
        assert "torg run worker" in body["parts"]["worker"]["detail"]
        expected = {"database", "migrations", "plugins", "redis", "worker", "scheduler", "queue"}
        assert set(body["parts"]) == expected | {"mail", "storage"}

    def test_beating_processes_make_it_whole(self, make_app):
        app = make_app([])
        with db.unit_of_work("write", app):
            heartbeats.beat("worker", "a:1")
            heartbeats.beat("worker", "a:2")
            heartbeats.beat("scheduler", "a:3")

        status, body = ready(app)

        assert (status, body["status"]) == (200, "ok")
        assert body["parts"]["worker"]["detail"] == "2 running"

    def test_process_that_has_stopped_beating_is_named_with_its_age(self, make_app):
        app = make_app([])
        with db.unit_of_work("write", app) as session:
            heartbeats.beat("worker", "a:1")
            session.execute(text("UPDATE torg_heartbeat SET seen_at = seen_at - interval '5 min'"))

        detail = ready(app)[1]["parts"]["worker"]["detail"]

        assert "has been seen for 30" in detail

    def test_process_that_leaves_is_not_missed_as_dead(self, make_app):
        app = make_app([])
        with db.unit_of_work("write", app):
            heartbeats.beat("worker", "a:1")
            heartbeats.leave("a:1")

        with db.unit_of_work("read", app):
            assert heartbeats.latest(30) == {}

    def test_late_queue_is_told(self, make_app):
        app = make_app([])
        with db.unit_of_work("write", app) as session:
            session.execute(
                text(
                    "INSERT INTO torg_outbox (job, run_at) "
                    "VALUES ('host.x', clock_timestamp() - interval '2 min')"
                )
            )

        body = ready(app)[1]

        assert "queue" in body["failing"]
        assert "1 jobs are due" in body["parts"]["queue"]["detail"]

    @pytest.mark.parametrize("mode", ["refuse", "hang"])
    def test_database_that_is_away_is_503_and_the_process_still_answers(
        self, make_app, fault_proxy, mode, tmp_path
    ):
        plain = make_url(config.of(make_app([])).host.database_url)
        folder = plain.query.get("host")
        port = plain.port or int(plain.query.get("port", 5432))
        proxy = fault_proxy(f"{folder}/.s.PGSQL.{port}" if folder else (plain.host, port))
        host, port = proxy.address
        address = plain.set(host=host, port=port, query={}).render_as_string(hide_password=False)
        app = create_app(
            Settings.build(HostSettings(debug=True, database_url=address, data_dir=tmp_path))
        )
        assert ready(app)[0] == 200

        proxy.mode(mode)
        time.sleep(1.1)  # what was found well is shown for a second
        status, body = ready(app)

        assert status == 503
        assert body["failing"][0] == "database"
        assert app.test_client().get("/health/live").status_code == 200
        proxy.mode("refuse")
        with app.app_context():
            db.db.engine.dispose()

    def test_redis_away_or_hanging_degrades_only(self, make_app):
        app = make_app([], redis_url="redis://127.0.0.1:9/0")

        status, body = ready(app)

        assert status == 200
        assert "redis" in body["failing"]

    def test_pending_migration_of_the_host_is_503(self, make_app):
        app = make_app([])
        with db.unit_of_work("write", app) as session:
            session.execute(text("DELETE FROM torg_plugin_migration WHERE plugin = 'host'"))

        status, body = ready(app)

        assert (status, body["parts"]["migrations"]["status"]) == (503, "failing")
        assert "torg db upgrade" in body["parts"]["migrations"]["detail"]

    def test_storage_that_cannot_be_written_is_named(self, make_app, tmp_path):
        (tmp_path / "blocked").write_text("a file where a folder should be")

        body = ready(make_app([], storage_url=(tmp_path / "blocked").as_uri()))[1]

        assert "storage" in body["failing"]
        assert str(tmp_path) not in str(body)

    def test_production_that_keeps_its_mails_is_told_so(self, make_app):
        body = ready(make_app([], debug=False, secret_key=SECRET))[1]

        assert "TORG_MAIL_URL" in body["parts"]["mail"]["detail"]
        assert "mail" in body["failing"]

    def test_mail_server_away_is_named(self, make_app):
        app = make_app([], mail_url="smtp://127.0.0.1:9", mail_timeout_seconds=1)

        body = ready(app)[1]

        assert "mail" in body["failing"]
        assert "127.0.0.1" not in str(body["parts"]["mail"])
