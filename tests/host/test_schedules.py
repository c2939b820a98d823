"""Schedules: due on the right moment of every calendar, each tick made once."""

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from torg import jobs, schedules
from torg.scheduler import Clock, Timekeeper, entries, entry_id
from torg.schedules import Schedule, ScheduleDeclarationError, check, latest_due, next_due

pytest_plugins = ("work_bench",)


def cron(text: str, zone: str = "UTC") -> Schedule:
    return Schedule("work.x", "work.note", cron=text, zone=zone)


def walk(schedule: Schedule, start: datetime, count: int) -> list[datetime]:
    found = []
    for _ in range(count):
        start = next_due(schedule, start)
        found.append(start)
    return found


class TestNextDue:
    def test_an_interval_keeps_its_beat_whenever_it_is_asked(self) -> None:
        schedule = Schedule("work.x", "work.note", every_seconds=90)

        assert next_due(schedule, datetime(2026, 1, 1, 0, 0, 1, 5, UTC)).second == 30
        assert next_due(schedule, datetime(2026, 1, 1, 0, 1, 30, 0, UTC)).minute == 3

    def test_a_daily_time_is_read_in_its_zone(self) -> None:
        [due] = walk(cron("30 9 * * *", "Europe/Moscow"), datetime(2026, 1, 1, tzinfo=UTC), 1)

        assert due == datetime(2026, 1, 1, 6, 30, tzinfo=UTC)

    def test_a_time_that_spring_skips_is_due_once_at_the_change(self) -> None:
        days = walk(cron("30 2 * * *", "Europe/Berlin"), datetime(2026, 3, 27, 12, tzinfo=UTC), 3)

        assert days[:3] == [
            datetime(2026, 3, 28, 1, 30, tzinfo=UTC),
            datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
            datetime(2026, 3, 30, 0, 30, tzinfo=UTC),
        ]

    def test_a_time_that_autumn_repeats_is_due_once(self) -> None:
        days = walk(cron("30 2 * * *", "Europe/Berlin"), datetime(2026, 10, 24, 12, tzinfo=UTC), 2)

        assert days == [
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
            datetime(2026, 10, 26, 1, 30, tzinfo=UTC),
        ]

    @pytest.mark.parametrize(
        "day", [datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 10, 24, 22, tzinfo=UTC)]
    )
    def test_an_open_hour_keeps_its_real_distance_when_the_clocks_change(
        self, day: datetime
    ) -> None:
        found = walk(cron("*/15 * * * *", "Europe/Berlin"), day, 40)

        steps = {later - earlier for earlier, later in pairwise(found)}
        assert steps == {timedelta(minutes=15)}

    @given(
        st.sampled_from(["0 0 * * *", "30 2 * * *", "15 3 * * *", "59 23 * * *"]),
        st.sampled_from(
            ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo"]
        ),
        st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    )
    def test_a_daily_job_is_due_once_on_every_local_day(
        self, text: str, zone: str, start: datetime
    ) -> None:
        found = walk(cron(text, zone), start, 40)

        days = [moment.astimezone(ZoneInfo(zone)).date() for moment in found]
        assert {later - earlier for earlier, later in pairwise(days)} == {timedelta(days=1)}

    @given(
        st.sampled_from(
            ["* * * * *", "*/7 * * * *", "5 */3 * * *", "0 9 * * mon-fri", "0 0 1 * *"]
        ),
        st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    )
    def test_it_is_always_later_and_at_a_whole_minute(self, text: str, start: datetime) -> None:
        due = next_due(cron(text, "Europe/Berlin"), start)

        assert due > start
        assert (due.second, due.microsecond, due.tzinfo) == (0, 0, UTC)


class TestLatestDue:
    @given(
        st.sampled_from(["*/5 * * * *", "0 * * * *", "30 2 * * *", "0 0 1 * *"]),
        st.integers(0, 200_000),
    )
    def test_nothing_is_due_between_it_and_now(self, text: str, minutes: int) -> None:
        schedule = cron(text, "Europe/Berlin")
        first = next_due(schedule, datetime(2026, 1, 1, tzinfo=UTC))
        now = first + timedelta(minutes=minutes)

        latest = latest_due(schedule, first, now)

        assert first <= latest <= now
        assert next_due(schedule, latest) > now

    def test_a_year_of_missed_minutes_is_found_quickly(self) -> None:
        first = datetime(2025, 1, 1, tzinfo=UTC)

        started = time.process_time()
        latest = latest_due(cron("* * * * *"), first, datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC))

        assert latest == datetime(2026, 1, 1, tzinfo=UTC)
        assert time.process_time() - started < 2


class TestDeclaration:
    @pytest.mark.parametrize("text", ["* * * * * *", "*/5 * * * * * *", "@daily", "* * * *", ""])
    def test_anything_but_five_fields_is_refused(self, text: str) -> None:
        with pytest.raises(ScheduleDeclarationError, match="five of crontab"):
            check(cron(text))

    @pytest.mark.parametrize("text", ["61 * * * *", "a b c d e", "0 0 31 2 *", "*/0 * * * *"])
    def test_a_cron_that_never_comes_is_refused(self, text: str) -> None:
        with pytest.raises(ScheduleDeclarationError, match="cannot be read"):
            check(cron(text))

    @pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "", "/etc/localtime"])
    def test_an_unknown_zone_is_refused(self, zone: str) -> None:
        with pytest.raises(ScheduleDeclarationError, match="IANA"):
            check(cron("0 0 * * *", zone))

    @pytest.mark.parametrize(
        "rhythm",
        [{}, {"cron": "* * * * *", "every_seconds": 5}, {"every_seconds": 0}],
    )
    def test_one_rhythm_is_needed(self, rhythm: dict[str, object]) -> None:
        with pytest.raises(ScheduleDeclarationError):
            check(Schedule("work.x", "work.note", **rhythm))

    def test_the_job_must_be_the_plugins_own(self, bench) -> None:
        with pytest.raises(ScheduleDeclarationError, match="declares no job"):
            schedules.register(
                bench.app, "work", Schedule("work.x", "host.prune_outbox", every_seconds=5)
            )


class TestSync:
    def test_a_schedule_is_first_due_after_it_is_met(self, bench) -> None:
        app = bench.build(with_schedules=True)

        upcoming = schedules.sync(app)

        assert set(upcoming) == {
            "host.prune_kept_answers",
            "host.prune_outbox",
            "host.prune_ticks",
            "work.each_second",
            "work.each_two_seconds",
        }
        assert all(due > datetime.now(UTC) - timedelta(seconds=5) for due in upcoming.values())

    def test_a_restart_keeps_a_missed_due_time(self, bench) -> None:
        app = bench.build(with_schedules=True)
        schedules.sync(app)
        past = _set_back(bench, "work.each_second", 600)

        assert schedules.sync(app)["work.each_second"] == past

    def test_a_changed_rhythm_starts_from_now(self, bench) -> None:
        app = bench.build(with_schedules=True)
        schedules.sync(app)
        _set_back(bench, "work.each_second", 600)
        known = app.extensions[schedules.EXTENSION]
        known["work.each_second"] = Schedule("work.each_second", "work.note", every_seconds=3600)

        due = schedules.sync(app)["work.each_second"]
        assert due > datetime.now(UTC) - timedelta(seconds=5)
        assert due.timestamp() % 3600 == 0

    def test_a_plugin_that_is_off_has_no_schedules_and_misses_none_when_it_is_back(
        self, bench
    ) -> None:
        app = bench.build(with_schedules=True)
        schedules.sync(app)
        schedules.sync(bench.build(with_plugin=False))

        active = bench.sql("SELECT name FROM torg_schedule WHERE is_active ORDER BY name")
        assert [row["name"] for row in active] == [
            "host.prune_kept_answers",
            "host.prune_outbox",
            "host.prune_ticks",
        ]

        _set_back(bench, "work.each_second", 600)
        due = schedules.sync(app)["work.each_second"]
        assert due > datetime.now(UTC) - timedelta(seconds=5)


class TestFire:
    def test_a_due_tick_is_one_job_with_its_due_time(self, bench) -> None:
        app = bench.build()
        hourly = Schedule("work.hourly", "work.note", every_seconds=3600, payload={"note": "hour"})
        schedules.register(app, "work", hourly)
        schedules.sync(app)
        due = _set_back(bench, "work.hourly", 1)

        schedules.fire(app, "work.hourly")
        schedules.fire(app, "work.hourly")

        [row] = bench.sql("SELECT * FROM torg_outbox")
        assert row["payload"]["note"] == "hour"
        assert datetime.fromisoformat(row["payload"]["due_at"]) == due
        [tick] = bench.sql("SELECT * FROM torg_schedule_tick")
        assert (tick["job_id"], tick["due_at"]) == (row["id"], due)

    def test_what_was_missed_is_made_up_for_by_one_run(self, bench) -> None:
        app = bench.build(with_schedules=True)
        schedules.sync(app)
        _set_back(bench, "work.each_second", 3600)

        schedules.fire(app, "work.each_second")

        assert len(bench.sql("SELECT 1 FROM torg_outbox")) == 1
        [tick] = bench.sql(
            "SELECT due_at, now() - due_at < interval '30 s' AS fresh FROM torg_schedule_tick"
        )
        assert tick["fresh"]

    def test_one_that_is_not_due_stays(self, bench) -> None:
        app = bench.build(with_schedules=True)
        schedules.sync(app)

        following = schedules.fire(app, "host.prune_ticks")

        assert following > datetime.now(UTC)
        assert bench.sql("SELECT 1 FROM torg_outbox") == []

    def test_a_clock_that_wakes_up_late_changes_nothing(self, bench) -> None:
        app = bench.build(with_schedules=True)
        schedules.sync(app)
        _set_back(bench, "work.each_second", 10)
        schedules.fire(app, "work.each_second")
        # What a process does that read the row before its pause and writes after it.
        [row] = bench.sql("SELECT * FROM torg_schedule WHERE name = 'work.each_second'")
        stale = row["next_due_at"] - timedelta(seconds=7)
        values = {
            "name": "work.each_second",
            "expected": stale,
            "due": stale,
            "following": row["next_due_at"],
            "job": "work.note",
            "payload": "{}",
            "key": "stale",
            "priority": 5,
            "attempts": 1,
        }
        from torg import db

        with db.unit_of_work("statement", app) as session:
            assert session.execute(schedules._FIRE, values).first() is None
        assert len(bench.sql("SELECT 1 FROM torg_outbox")) == 1

    def test_ticks_are_forgotten_after_a_month(self, bench) -> None:
        app = bench.build(with_schedules=True)
        schedules.sync(app)
        _set_back(bench, "work.each_second", 1)
        schedules.fire(app, "work.each_second")
        bench.sql("UPDATE torg_schedule_tick SET due_at = due_at - interval '31 days'")

        bench.enqueue("host.prune_ticks")
        jobs.run_due(app)

        assert bench.sql("SELECT 1 FROM torg_schedule_tick") == []


class TestClock:
    def test_it_holds_exactly_the_schedules_of_the_active_plugins(self, bench) -> None:
        app = bench.build(with_schedules=True)
        schedules.sync(app)
        store = redis.Redis.from_url(bench.redis_url)
        store.zadd(Clock.scheduled_jobs_key, {"schedule_gone-plugin": 1, b"\xff\xfe": 2})

        Clock(Timekeeper(app), store).reconcile()

        assert entries(store) == sorted(entry_id(name) for name in schedules.upcoming(app))
        store.close()

    def test_a_forged_entry_is_dropped_and_runs_nothing(self, bench, tmp_path) -> None:
        app = bench.build(with_schedules=True)
        schedules.sync(app)
        store = redis.Redis.from_url(bench.redis_url)
        clock = Clock(Timekeeper(app), store)
        clock.reconcile()
        marker = tmp_path / "owned"
        _forge(store, "evil", f'["os.system", null, ["touch {marker}"], {{}}]'.encode())
        store.zadd(Clock.scheduled_jobs_key, {"evil": 1})

        clock.enqueue_jobs()

        assert not marker.exists()
        assert "evil" not in entries(store)
        store.close()

    def test_a_due_entry_is_fired_and_gets_its_next_time(self, bench) -> None:
        app = bench.build(with_schedules=True)
        schedules.sync(app)
        store = redis.Redis.from_url(bench.redis_url)
        clock = Clock(Timekeeper(app), store)
        _set_back(bench, "work.each_two_seconds", 2)
        clock.reconcile()

        clock.enqueue_jobs()

        assert bench.sql(
            "SELECT 1 FROM torg_schedule_tick WHERE schedule = 'work.each_two_seconds'"
        )
        score = store.zscore(Clock.scheduled_jobs_key, entry_id("work.each_two_seconds"))
        assert score > time.time() - 1
        store.close()


def _set_back(bench, name: str, seconds: int) -> datetime:
    [row] = bench.sql(
        "UPDATE torg_schedule SET next_due_at = date_trunc('second', now())"
        " - make_interval(secs => %s) WHERE name = %s RETURNING next_due_at",
        seconds,
        name,
    )
    return row["next_due_at"]


def _forge(store: redis.Redis, job_id: str, data: bytes) -> None:
    import zlib

    store.hset(f"rq:job:{job_id}", mapping={"data": zlib.compress(data), "created_at": "x"})
