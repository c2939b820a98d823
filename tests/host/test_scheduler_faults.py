"""Real schedulers under faults: paused, killed, without Redis; every tick comes exactly once."""

import os
import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import redis

pytest_plugins = ("work_bench",)

# A pause that outlives rq-scheduler's lock (11 s); the long run pauses for 90 s.
PAUSE_SECONDS = float(os.environ.get("TORG_TEST_PAUSE_SECONDS", "15"))


class TestProcesses:
    """Real schedulers and workers. A tick is due each second; each must come exactly once."""

    def ticks(self, bench, name: str = "work.each_second") -> list[datetime]:
        rows = bench.sql(
            "SELECT due_at FROM torg_schedule_tick WHERE schedule = %s ORDER BY due_at", name
        )
        return [row["due_at"] for row in rows]

    def check(self, bench, farm, started: datetime, ended: datetime) -> None:
        """Every second between the two has one tick and one job."""
        farm.close()
        due = self.ticks(bench)
        doubles = [moment for moment, count in Counter(due).items() if count > 1]
        assert doubles == []
        inside = [moment for moment in due if started <= moment <= ended]
        wanted = int((ended - started).total_seconds())
        assert wanted - 1 <= len(inside) <= wanted + 1
        made = bench.sql(
            "SELECT payload->>'due_at' AS due, count(*) AS n FROM torg_outbox"
            " WHERE business_key LIKE 'work.each_second@%%' GROUP BY 1"
        )
        assert {row["n"] for row in made} == {1}
        assert len(made) == len(due)

    def test_two_schedulers_one_of_them_paused_fire_every_tick_once(self, bench) -> None:
        farm = bench.farm("schedules")
        first, _second = farm.start("scheduler"), farm.start("scheduler")
        bench.until(lambda: len(self.ticks(bench)) >= 3)
        started = datetime.now(UTC)

        os.kill(first, signal.SIGSTOP)
        time.sleep(PAUSE_SECONDS)
        os.kill(first, signal.SIGCONT)
        time.sleep(3)
        ended = datetime.now(UTC) - timedelta(seconds=2)

        self.check(bench, farm, started, ended)

    def test_a_killed_scheduler_and_a_wiped_redis_cost_no_tick(self, bench) -> None:
        farm = bench.farm("schedules")
        first, _second = farm.start("scheduler"), farm.start("scheduler")
        bench.until(lambda: len(self.ticks(bench)) >= 3)
        started = datetime.now(UTC)

        farm.kill(first)
        time.sleep(2)
        with redis.Redis.from_url(bench.redis_url) as store:
            store.flushall()
        time.sleep(3)
        farm.start("scheduler")
        time.sleep(3)
        ended = datetime.now(UTC) - timedelta(seconds=2)

        self.check(bench, farm, started, ended)

    def test_without_redis_the_schedulers_go_by_the_database(self, bench, fault_proxy) -> None:
        proxy = fault_proxy(bench.redis_path)
        farm = bench.farm("schedules", redis_url="redis://{}:{}".format(*proxy.address))
        farm.start("scheduler")
        bench.until(lambda: len(self.ticks(bench)) >= 2)
        started = datetime.now(UTC)

        proxy.mode("hang")
        time.sleep(4)
        proxy.mode("refuse")
        time.sleep(4)
        ended = datetime.now(UTC) - timedelta(seconds=3)

        self.check(bench, farm, started, ended)

    def test_workers_fire_overdue_ticks_when_no_scheduler_lives(self, bench) -> None:
        farm = bench.farm("schedules")
        farm.start("worker")

        bench.until(lambda: len(self.ticks(bench, "work.each_two_seconds")) >= 2)
        bench.until(lambda: any(each["note"] == "two" for each in bench.effects()))

    def test_a_scheduler_that_is_asked_to_stop_ends_in_order(self, bench) -> None:
        farm = bench.farm("schedules")
        child = farm.start("scheduler")
        bench.until(lambda: bench.sql("SELECT 1 FROM torg_heartbeat WHERE kind = 'scheduler'"))

        os.kill(child, signal.SIGTERM)

        farm.wait_for_end(child)
        assert bench.sql("SELECT 1 FROM torg_heartbeat") == []
