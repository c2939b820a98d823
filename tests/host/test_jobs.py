"""Running jobs: once committed with their effects, again after a failure, never in between."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from torg import db, events, job_execution, jobs, outbox, plugins
from torg.events import Event, Subscription
from torg.job_errors import describe_error, redacted
from torg.jobs import Job, JobDeclarationError, retry_delay
from torg.plugins import State
from torg.schemas import Schema, Text

pytest_plugins = ("work_bench",)


class Happened(Schema):
    what = Text(maximum=20, required=True)


class TestPerform:
    def test_effects_and_the_mark_done_commit_together(self, bench) -> None:
        job_id = bench.enqueue("work.note", {"note": "hello"})

        assert bench.run() == 1

        row = bench.row(job_id)
        assert (row["state"], row["attempts"]) == ("done", 1)
        assert row["finished_at"] is not None
        assert [each["note"] for each in bench.effects()] == ["hello"]

    def test_what_the_handler_returns_is_the_result(self, bench) -> None:
        job_id = bench.enqueue("work.answer", {"a": 2, "b": 3})

        bench.run()

        assert bench.row(job_id)["result"] == {"sum": 5}

    def test_a_job_put_in_by_a_job_carries_the_request_id_along(self, bench) -> None:
        with structlog.contextvars.bound_contextvars(request_id="r-9"):
            bench.enqueue("work.follow_up")

        assert bench.run() == 2

        assert [each["note"] for each in bench.effects()] == ["r-9", "follower"]
        rows = bench.sql("SELECT DISTINCT request_id FROM torg_outbox")
        assert rows == [{"request_id": "r-9"}]

    def test_a_job_that_slept_past_its_lease_leaves_the_work_to_whoever_took_over(
        self, bench
    ) -> None:
        job_id = bench.enqueue("work.note")
        sleeper = job_execution.claim(bench.app, ["work.note"])
        bench.hurry()
        other = job_execution.claim(bench.app, ["work.note"])

        assert job_execution.perform(bench.app, other) == "done"
        assert job_execution.perform(bench.app, sleeper) == "lost"

        assert bench.row(job_id)["attempts"] == 2
        assert len(bench.effects()) == 1

    def test_a_running_job_is_not_claimed_again_although_its_lease_is_over(self, bench) -> None:
        bench.enqueue("work.slow", {"seconds": 1.5})
        runner = threading.Thread(target=bench.run)
        runner.start()
        bench.until(lambda: bench.sql("SELECT 1 FROM torg_outbox_progress"))
        # The row is locked by the job, so the lease is made to end by the claim's own clock.
        claimed = []
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            claimed.append(job_execution.claim(bench.app, ["work.slow"]))
        runner.join()

        assert set(claimed) == {None}
        assert len(bench.effects()) == 1

    @pytest.mark.parametrize("way", ["commit", "rollback"])
    def test_a_handler_may_not_end_the_transaction_itself(self, bench, way: str) -> None:
        job_id = bench.enqueue("work.end_itself", {"way": way})

        bench.run()

        assert bench.row(job_id)["state"] == "dead"
        assert "only the host may" in bench.row(job_id)["last_error"]
        assert bench.effects() == []

    def test_a_handler_may_use_savepoints(self, bench) -> None:
        job_id = bench.enqueue("work.savepoint")

        bench.run()

        assert bench.row(job_id)["state"] == "done"
        assert [each["note"] for each in bench.effects()] == ["kept"]


class TestFailure:
    def test_a_failed_attempt_changes_nothing_and_is_tried_again_later(self, bench) -> None:
        job_id = bench.enqueue("work.fail", {"times": 1})

        bench.run()

        row = bench.row(job_id)
        assert (row["state"], row["attempts"]) == ("queued", 1)
        assert row["run_at"] > datetime.now(UTC)
        assert bench.effects() == []

        bench.hurry()
        bench.run()

        assert bench.row(job_id)["state"] == "done"
        assert bench.row(job_id)["last_error"] is None
        assert [each["note"] for each in bench.effects()] == ["to be undone", "kept"]

    def test_after_its_last_attempt_a_job_is_dead_and_says_why(self, bench) -> None:
        job_id = bench.enqueue("work.fail")

        for _ in range(5):
            bench.hurry()
            bench.run()

        row = bench.row(job_id)
        assert (row["state"], row["attempts"]) == ("dead", 3)
        assert row["last_error"].startswith("RuntimeError at work_plugin.py:")
        assert row["last_error"].endswith(": it broke")

    def test_a_handler_can_give_up_at_once(self, bench) -> None:
        job_id = bench.enqueue("work.give_up")

        bench.run()

        row = bench.row(job_id)
        assert (row["state"], row["attempts"]) == ("dead", 1)

    def test_one_failing_job_does_not_stop_the_others(self, bench) -> None:
        bench.enqueue("work.fail")
        bench.enqueue("work.note")

        assert bench.run() == 2

        assert [each["note"] for each in bench.effects()] == ["work.note"]

    def test_the_error_in_the_table_holds_no_secret(self, bench) -> None:
        words = "connecting to postgresql://joe:hunter22@db/x?sslkey=abc with password=tops3cret"
        job_id = bench.enqueue("work.fail", {"words": words})

        bench.run()

        kept = bench.row(job_id)["last_error"]
        assert "hunter22" not in kept
        assert "tops3cret" not in kept
        assert "sslkey" not in kept

    def test_the_failure_is_logged_with_job_and_request(self, bench, capsys) -> None:
        app = bench.build(log_level="info")
        with structlog.contextvars.bound_contextvars(request_id="r-3"):
            job_id = bench.enqueue("work.fail")

        jobs.run_due(app)

        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if "{" in line]
        [line] = [line for line in lines if line["event"] == "job_failed"]
        assert (line["job_id"], line["job"], line["request_id"]) == (job_id, "work.fail", "r-3")
        assert "RuntimeError" in line["exception"]

    def test_a_job_that_takes_the_process_along_each_time_dies_in_the_end(self, bench) -> None:
        job_id = bench.enqueue("work.die")
        for _ in range(3):
            bench.hurry()
            claimed = job_execution.claim(bench.app, ["work.die"])
        assert claimed.run.attempt == 3

        assert job_execution.perform(bench.app, claimed) == "dead"

        assert "the process died" in bench.row(job_id)["last_error"]


class TestOrder:
    def test_urgent_jobs_go_first_and_bulk_ones_last(self, bench) -> None:
        for name in ("work.bulk", "work.note", "work.urgent", "work.bulk", "work.urgent"):
            bench.enqueue(name)

        bench.run()

        order = [each["note"] for each in bench.effects()]
        assert order == ["work.urgent", "work.urgent", "work.note", "work.bulk", "work.bulk"]

    def test_among_equals_the_longest_due_goes_first(self, bench) -> None:
        now = datetime.now(UTC)
        for minutes in (1, 3, 2):
            bench.enqueue("work.note", {"note": str(minutes)}, run_at=now - timedelta(0, minutes))

        bench.run()

        assert [each["note"] for each in bench.effects()] == ["3", "2", "1"]

    def test_a_priority_can_be_given_for_one_job(self, bench) -> None:
        bench.enqueue("work.note", {"note": "first in"})
        bench.enqueue("work.note", {"note": "urgent"}, priority=outbox.URGENT)

        bench.run()

        assert [each["note"] for each in bench.effects()] == ["urgent", "first in"]

    def test_a_job_of_later_waits(self, bench) -> None:
        bench.enqueue("work.note", run_at=datetime.now(UTC) + timedelta(hours=1))

        assert bench.run() == 0


class TestParking:
    def test_the_job_of_a_plugin_that_is_off_waits_and_comes_back(self, bench) -> None:
        job_id = bench.enqueue("work.note")
        without = bench.build(with_plugin=False)

        assert jobs.run_due(without) == 0
        assert bench.row(job_id)["state"] == "parked"

        assert bench.run() == 1
        assert bench.row(job_id)["state"] == "done"

    def test_a_parked_job_loses_no_attempt(self, bench) -> None:
        job_id = bench.enqueue("work.note")
        jobs.run_due(bench.build(with_plugin=False))

        assert bench.row(job_id)["attempts"] == 0

    def test_jobs_of_a_plugin_whose_migrations_wait_are_parked(self, bench) -> None:
        job_id = bench.enqueue("work.note")
        plugins.registry(bench.app).plugins["work"].state = State.PENDING

        assert bench.run() == 0
        assert bench.row(job_id)["state"] == "parked"


class TestEvents:
    def test_an_event_for_a_plugin_that_is_off_waits_until_it_is_on_again(self, bench) -> None:
        heard = []
        subscription = Subscription("work.happened", heard.append)
        for app in (bench.app, other := bench.build()):
            events.init(app).declare("work", Event("work.happened", "1.0", Happened))
            events.init(app).subscribe("work", subscription)
            jobs.deliver_events(app, "work")
        plugins.registry(other).plugins["work"].state = State.PENDING
        with db.unit_of_work("write", bench.app):
            events.publish("work.happened", {"what": "rain"})

        assert jobs.run_due(other) == 0
        [row] = bench.sql("SELECT job, state FROM torg_outbox")
        assert row == {"job": "work.deliver_event", "state": "parked"}

        assert bench.run() == 1
        assert heard == [{"what": "rain"}]


class TestProgress:
    def test_it_is_seen_from_outside_while_the_job_runs(self, bench) -> None:
        job_id = bench.enqueue("work.slow", {"seconds": 3, "steps": 30})
        runner = threading.Thread(target=bench.run)
        runner.start()

        def progress() -> tuple[int, int]:
            with db.unit_of_work("read", bench.app):
                row = outbox.find(job_id)
            return row.progress_done or 0, row.progress_total

        bench.until(lambda: 0 < progress()[0] < 30)
        assert bench.row(job_id)["state"] == "running"
        runner.join()
        assert progress() == (30, 30)

    def test_it_stays_although_the_attempt_is_rolled_back(self, bench) -> None:
        job_id = bench.enqueue("work.slow", {"seconds": 0, "steps": 5})
        claimed = job_execution.claim(bench.app, ["work.slow"])

        bench.roll_back(lambda: claimed.run.progress(2, 5))

        with db.unit_of_work("read", bench.app):
            assert outbox.find(job_id).progress_done == 2


class TestTimeLimit:
    def test_a_job_over_its_limit_is_stopped_and_undone(self, bench) -> None:
        job_id = bench.enqueue("work.short", {"seconds": 20, "steps": 200})
        claimed = job_execution.claim(bench.app, ["work.short"])

        assert job_execution.perform(bench.app, claimed, time_limited=True) == "dead"

        assert "1 s, the limit" in bench.row(job_id)["last_error"]
        assert bench.effects() == []


class TestDeclaration:
    def test_a_name_without_its_plugins_prefix_is_refused(self, bench) -> None:
        with pytest.raises(JobDeclarationError, match=r"start with 'work\.'"):
            jobs.register(bench.app, "work", Job("other.note", print))

    def test_a_name_is_declared_once(self, bench) -> None:
        with pytest.raises(JobDeclarationError, match="once"):
            jobs.register(bench.app, "work", Job("work.note", print))

    def test_a_withdrawn_plugin_leaves_no_jobs(self, bench) -> None:
        jobs.withdraw(bench.app, "work")

        assert {job.plugin for job in jobs.runnable(bench.app).values()} == {"host"}


class TestRetryDelay:
    @given(st.integers(1, 10_000), st.integers(1, 100_000), st.floats(0, 1, exclude_max=True))
    def test_it_is_never_longer_than_the_longest_nor_shorter_than_half(
        self, attempt: int, longest: int, chance: float
    ) -> None:
        whole = min(2.0**attempt if attempt < 40 else longest, longest)

        assert whole / 2 <= retry_delay(attempt, longest, chance) <= whole

    def test_it_doubles(self) -> None:
        assert [retry_delay(n, 600, 0.999999) for n in (1, 2, 3, 12)] == pytest.approx(
            [2, 4, 8, 600], rel=1e-3
        )


class TestDescribeError:
    def test_a_database_error_is_told_without_its_values(self, bench) -> None:
        with pytest.raises(Exception, match="s3cret") as caught, db.unit_of_work("read", bench.app):
            db.session.execute(db.text("SELECT CAST(:value AS int)"), {"value": "s3cret"})

        words = describe_error(caught.value)
        assert "SQLSTATE 22P02" in words
        assert "parameters" not in words

    @pytest.mark.parametrize(
        "words",
        [
            "https://api.example/x?key=abcdef123456",
            "Authorization: Bearer abc.def.ghi1234567890",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl1234567890abcd",
            "token sk_live_51H8abcdefghijklmnop1234567890",
        ],
    )
    def test_what_looks_like_a_credential_is_hidden(self, words: str) -> None:
        kept = redacted(f"before {words} after")

        assert kept.startswith("before")
        assert kept.endswith("after")
        assert not any(part in kept for part in ("abcdef", "c2lnb", "ghi123"))

    def test_plain_words_stay(self) -> None:
        words = "FileNotFoundError: no template auction/mail/outbid.en.txt in /srv/templates"

        assert redacted(words) == words


def test_a_thousand_small_jobs_take_one_worker_less_than_ten_seconds(bench) -> None:
    bench.sql("INSERT INTO torg_outbox (job) SELECT 'work.note' FROM generate_series(1, 1000)")

    started = time.monotonic()
    assert bench.run() == 1000
    taken = time.monotonic() - started

    assert len(bench.effects()) == 1000
    # Some 2 s on an idle machine; the bound only catches a wait that crept in for each job.
    assert taken < 30, f"{taken:.1f} s"
