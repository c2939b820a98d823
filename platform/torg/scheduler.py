"""The scheduler process: rq-scheduler as the clock of the schedules.

Owns the loop that notices when a schedule is due. Redis keeps the due times under fixed ids, the
database decides: a tick that was fired already is not fired again, whoever rings. So any number of
schedulers may run, be paused or be killed, and Redis may be wiped or away; then the loop asks the
database alone.
"""

from __future__ import annotations

import signal
import time
import warnings
from collections.abc import Callable
from datetime import datetime
from types import FrameType
from typing import Any

import flask
import redis
import structlog
from rq_scheduler import Scheduler

from torg import config, db, doorbell, redis_client, schedules
from torg.config import Settings
from torg.process_chores import Chores
from torg.ring_listener import Ring

INTERVAL_SECONDS = 1
# A tick that the clock in Redis has not brought by now is taken from the database.
OVERDUE_SECONDS = 1.5
RECONCILE_SECONDS = 5.0

_log = structlog.get_logger(__name__)


class Clock(Scheduler):  # type: ignore[misc]  # the library ships no types
    """rq-scheduler's loop over our due times.

    It differs in what its own version does unsafely: a due job is not moved from Redis to a queue
    (a crash in between loses it for ever) but fired through the database and then given its next
    time; and there is no lock in Redis (a paused holder doubles every job), because each tick is
    claimed in the database.
    """

    redis_scheduler_namespace_prefix = "torg:scheduler:"
    scheduler_key = "torg:scheduler"
    scheduled_jobs_key = "torg:scheduler:due"
    job_class = Ring

    def __init__(self, keeper: Timekeeper, connection: redis.Redis) -> None:
        """Prepare; `run` starts."""
        super().__init__(
            queue_name=f"{doorbell.QUEUE_PREFIX}default",
            interval=INTERVAL_SECONDS,
            connection=connection,
        )
        self._keeper = keeper
        self._app = keeper.app
        self._names: dict[str, str] = {}
        self._reconciled_at = 0.0

    def acquire_lock(self) -> bool:
        """Always: see the class."""
        return True

    def remove_lock(self) -> None:
        """Nothing to remove."""

    def _install_signal_handlers(self) -> None:
        """The process has its own, see `main`."""

    def enqueue_jobs(self) -> None:
        """One look at the clock."""
        if time.monotonic() - self._reconciled_at > RECONCILE_SECONDS:
            self.reconcile()
        for job in self.get_jobs_to_queue():
            self.enqueue_job(job)
        self._keeper.look()

    def enqueue_job(self, job: Ring) -> None:
        """Fire the schedule of this entry, and set the entry to its next time."""
        name = self._names.get(job.id)
        following = None if name is None else schedules.fire(self._app, name)
        if following is None:
            self.cancel(job)
        else:
            self.connection.zadd(self.scheduled_jobs_key, {job.id: following.timestamp()})

    def reconcile(self) -> None:
        """Make the entries in Redis what the database says: all of them, and nothing else."""
        upcoming = schedules.upcoming(self._app)
        self._names = {entry_id(name): name for name in upcoming}
        for found in self.connection.zrange(self.scheduled_jobs_key, 0, -1):
            if found.decode("utf-8", "replace") not in self._names:
                self.connection.zrem(self.scheduled_jobs_key, found)
        for name, due_at in upcoming.items():
            self._set(name, due_at)
        self._reconciled_at = time.monotonic()

    def _set(self, name: str, due_at: datetime) -> None:
        self.schedule(due_at, doorbell.RING, args=[0], id=entry_id(name), result_ttl=-1)


def entry_id(name: str) -> str:
    """The fixed id of a schedule in Redis; RQ allows neither dots nor colons."""
    return f"schedule_{name.replace('.', '-')}"


class Timekeeper:
    """The process around the clock: what it does with Redis, without it, and at the end."""

    def __init__(self, app: flask.Flask) -> None:
        """Prepare; `run` starts."""
        self.app = app
        self._is_synced = False
        self._chores = Chores(app, "scheduler")

    def run(self) -> int:
        """Be the clock until SIGTERM or SIGINT; returns the exit code."""
        signal.signal(signal.SIGTERM, _stop)
        signal.signal(signal.SIGINT, _stop)
        # How rq-scheduler reads the time is deprecated by Python 3.12, and its parser of cron warns
        # of a default that we do not use. These two are silenced, nothing else.
        utc = r"datetime\.datetime\.utc.*"
        warnings.filterwarnings("ignore", utc, DeprecationWarning, "rq_scheduler")
        warnings.filterwarnings("ignore", category=FutureWarning, module="crontab")
        try:
            while True:
                self._survive(self._keep_time)
                time.sleep(INTERVAL_SECONDS)
        except SystemExit:
            self._survive(self._chores.leave)
            _log.info("scheduler_stopped")
            return 0

    def look(self) -> None:
        """What every turn does without Redis: overdue ticks, and a sign of life."""
        schedules.fire_overdue(self.app, OVERDUE_SECONDS)
        self._chores.do_when_due()

    def _keep_time(self) -> None:
        if not self._is_synced:
            upcoming = schedules.sync(self.app)
            self._is_synced = True
            _log.info("scheduler_started", schedules=len(upcoming))
        if config.of(self.app).host.redis_url:
            try:
                Clock(self, redis_client.client(self.app)).run()
            except redis.exceptions.RedisError as error:
                _log.debug("clock_without_redis", error=type(error).__name__)
        self.look()

    def _survive(self, action: Callable[[], object]) -> None:
        """Do it; whatever goes wrong is said, and tried again with the next turn."""
        try:
            action()
        except Exception as error:
            if db.is_retryable(error):
                _log.warning("database_away", error=type(error).__name__)
            else:
                _log.exception("scheduler_trouble")


def _stop(_number: int, _frame: FrameType | None) -> None:
    # May come anywhere: nothing is left half done, for a tick is one statement.
    raise SystemExit(0)


def main(settings: Settings | None = None) -> int:
    """`torg run scheduler`: build the application and keep the time until a signal."""
    from torg.app import create_app

    return Timekeeper(create_app(settings)).run()


def entries(connection: Any) -> list[str]:
    """The ids that stand in the clock now, sorted. For tests and for looking."""
    return sorted(found.decode() for found in connection.zrange(Clock.scheduled_jobs_key, 0, -1))
