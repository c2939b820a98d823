"""The outbox: a job is part of the change it follows from."""

import threading
import time
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
import structlog
from sqlalchemy.exc import IntegrityError

from torg import db, doorbell, outbox
from torg.outbox import UnknownJobError

pytest_plugins = ("work_bench",)


class TestEnqueue:
    def test_a_committed_change_has_its_job(self, bench) -> None:
        job_id = bench.enqueue("work.note", {"note": "привет"})

        row = bench.row(job_id)
        assert (row["plugin"], row["job"], row["state"]) == ("work", "work.note", "queued")
        assert row["payload"] == {"note": "привет"}

    def test_a_rolled_back_change_has_no_job(self, bench) -> None:
        bench.roll_back(lambda: outbox.enqueue("work.note"))

        assert bench.sql("SELECT 1 FROM torg_outbox") == []

    def test_a_job_that_nobody_declares_is_refused_and_the_known_ones_are_named(
        self, bench
    ) -> None:
        with pytest.raises(UnknownJobError, match=r"work\.note"):
            bench.enqueue("work.nota")

    def test_a_naive_time_is_refused(self, bench) -> None:
        with pytest.raises(ValueError, match="time zone"):
            bench.enqueue("work.note", run_at=datetime(2026, 1, 1))

    def test_the_request_id_goes_along(self, bench) -> None:
        with structlog.contextvars.bound_contextvars(request_id="r-7"):
            job_id = bench.enqueue("work.note")

        assert bench.row(job_id)["request_id"] == "r-7"


class TestBusinessKey:
    def test_a_second_job_with_the_key_is_not_made(self, bench) -> None:
        first = bench.enqueue("work.note", key="order-1")

        assert first is not None
        assert bench.enqueue("work.note", key="order-1") is None

    def test_another_job_may_have_the_same_key(self, bench) -> None:
        bench.enqueue("work.note", key="order-1")

        assert bench.enqueue("work.answer", {"a": 1, "b": 1}, key="order-1") is not None

    def test_the_key_stays_taken_after_the_job_is_done(self, bench) -> None:
        bench.enqueue("work.note", key="order-1")
        bench.run()

        assert bench.enqueue("work.note", key="order-1") is None

    def test_the_key_of_a_rolled_back_job_is_free(self, bench) -> None:
        bench.roll_back(lambda: outbox.enqueue("work.note", key="order-1"))

        assert bench.enqueue("work.note", key="order-1") is not None

    def test_of_sixteen_at_once_one_makes_the_job(self, bench) -> None:
        made = []

        def race() -> None:
            made.append(bench.enqueue("work.note", key="race"))

        threads = [threading.Thread(target=race) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len([each for each in made if each is not None]) == 1
        assert len(made) == 16

    def test_a_key_longer_than_255_is_refused(self, bench) -> None:
        with pytest.raises(IntegrityError):
            bench.enqueue("work.note", key="k" * 256)


class TestSqlFunction:
    def test_a_plugin_can_put_a_job_in_from_the_database(self, bench) -> None:
        [made] = bench.sql(
            "SELECT torg_enqueue('work.note', '{\"note\": \"sql\"}', 'k1', NULL, 'r-1') AS id"
        )

        bench.run()

        assert bench.row(made["id"])["request_id"] == "r-1"
        assert [each["note"] for each in bench.effects()] == ["sql"]

    def test_it_answers_null_for_a_taken_key(self, bench) -> None:
        bench.sql("SELECT torg_enqueue('work.note', '{}', 'k1')")

        assert bench.sql("SELECT torg_enqueue('work.note', '{}', 'k1') AS id") == [{"id": None}]

    def test_it_refuses_a_name_without_a_plugin(self, bench) -> None:
        with pytest.raises(psycopg2.errors.CheckViolation):
            bench.sql("SELECT torg_enqueue('note', '{}')")


class TestRing:
    def test_a_ring_reaches_redis_after_the_commit_only(self, bench) -> None:
        bell = bench.app.extensions[doorbell.EXTENSION]
        queue = _queue(bench)

        with db.unit_of_work("write", bench.app):
            outbox.enqueue("work.note")
            bell.flush()
            assert queue.count == 0

        assert bell.flush()
        assert queue.count == 1

    def test_many_jobs_make_few_rings(self, bench) -> None:
        with db.unit_of_work("write", bench.app):
            for _ in range(200):
                outbox.enqueue("work.note")

        bench.app.extensions[doorbell.EXTENSION].flush()
        assert 1 <= _queue(bench).count <= 16

    def test_rings_do_not_pile_up_when_no_worker_lives(self, bench) -> None:
        bell = bench.app.extensions[doorbell.EXTENSION]
        for _ in range(30):
            with db.unit_of_work("write", bench.app):
                for _ in range(10):
                    outbox.enqueue("work.note")
            bell.flush()

        assert _queue(bench).count <= 80

    def test_a_job_of_later_does_not_ring(self, bench) -> None:
        bench.enqueue("work.note", run_at=datetime.now(UTC) + timedelta(hours=1))

        bench.app.extensions[doorbell.EXTENSION].flush()
        assert _queue(bench).count == 0

    def test_a_hung_redis_delays_no_transaction(self, bench, fault_proxy) -> None:
        proxy = fault_proxy(bench.redis_path)
        app = bench.build(redis_url="redis://{}:{}".format(*proxy.address))
        proxy.mode("hang")

        started = time.monotonic()
        for _ in range(20):
            with db.unit_of_work("write", app):
                outbox.enqueue("work.note")
        taken = time.monotonic() - started

        # Twenty waits for the hung server would be five seconds.
        assert taken < 3
        assert len(bench.sql("SELECT 1 FROM torg_outbox")) == 20

    def test_without_redis_the_job_is_there_all_the_same(self, bench) -> None:
        app = bench.build(redis_url="")

        with db.unit_of_work("write", app):
            job_id = outbox.enqueue("work.note")

        assert bench.row(job_id)["state"] == "queued"


class TestRetry:
    def test_a_dead_job_gets_all_its_attempts_again(self, bench) -> None:
        job_id = bench.enqueue("work.give_up")
        bench.run()
        assert bench.row(job_id)["state"] == "dead"

        with db.unit_of_work("write", bench.app):
            assert outbox.retry([job_id]) == [job_id]

        row = bench.row(job_id)
        assert (row["state"], row["attempts"]) == ("queued", 0)

    def test_a_job_that_is_not_dead_is_left_alone(self, bench) -> None:
        job_id = bench.enqueue("work.note")
        bench.run()

        with db.unit_of_work("write", bench.app):
            assert outbox.retry([job_id]) == []
            assert outbox.retry() == []


class TestPrune:
    @pytest.fixture
    def old(self, bench):
        """A done job of 10 days ago without a key, one with, and a dead one."""
        plain = bench.enqueue("work.note")
        keyed = bench.enqueue("work.note", key="k")
        dead = bench.enqueue("work.give_up")
        bench.run()
        bench.sql("UPDATE torg_outbox SET finished_at = now() - interval '10 days'")
        return plain, keyed, dead

    def prune(self, bench, *days: int) -> set[int]:
        with db.unit_of_work("write", bench.app):
            outbox.prune(*days)
        return {row["id"] for row in bench.sql("SELECT id FROM torg_outbox")}

    def test_done_jobs_go_after_their_days_and_dead_ones_stay(self, bench, old) -> None:
        assert self.prune(bench, 7, 365) == {old[1], old[2]}

    def test_a_key_is_kept_as_long_as_its_own_setting_says(self, bench, old) -> None:
        assert self.prune(bench, 7, 9) == {old[2]}

    def test_zero_keeps_keys_for_ever(self, bench, old) -> None:
        assert self.prune(bench, 7, 0) == {old[1], old[2]}

    def test_young_jobs_stay(self, bench, old) -> None:
        assert self.prune(bench, 11, 365) == set(old)


def test_unfinished_jobs_are_counted_by_plugin_and_state(bench) -> None:
    bench.enqueue("work.note")
    bench.enqueue("work.note", run_at=datetime.now(UTC) + timedelta(days=1))
    bench.enqueue("host.prune_outbox", run_at=datetime.now(UTC) + timedelta(days=1))

    with db.unit_of_work("read", bench.app):
        assert outbox.counts() == [("host", "queued", 1), ("work", "queued", 2)]


def test_the_queue_is_read_by_its_index_although_the_future_is_full(bench) -> None:
    bench.sql(
        "INSERT INTO torg_outbox (job, priority, run_at) SELECT 'work.urgent', 0,"
        " now() + make_interval(mins => n) FROM generate_series(1, 20000) AS n"
    )
    bench.sql("INSERT INTO torg_outbox (job) VALUES ('work.note')")
    bench.sql("ANALYZE torg_outbox")
    from torg import job_execution

    claim = str(job_execution._CLAIM).replace(":jobs", "ARRAY['work.note', 'work.urgent']")
    plan = bench.sql("EXPLAIN (ANALYZE, BUFFERS) " + claim.replace(":lowest", "9"))

    removed = [line for each in plan if "Removed by Filter" in (line := each["QUERY PLAN"])]
    assert all(int(line.rsplit(":", 1)[1]) < 10 for line in removed), "\n".join(removed)


def _queue(bench):
    from torg import redis_client

    return doorbell.rq_queue(redis_client.client(bench.app), "default")
