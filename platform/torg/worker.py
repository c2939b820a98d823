"""A worker process: runs due jobs until it is told to stop.

Owns its lanes, signals and signs of life. What running a job means is `torg.job_execution`'s.

    main thread     every job, the most urgent first, each under its time limit
    urgent lane     urgent jobs only, so that they wait for no slow one
    housekeeper     heartbeat, parked jobs, overdue schedules
    ear             waits for rings in Redis and wakes the lanes (`torg.ring_listener`)

Only the ear talks to Redis. The lanes look into the database every second by themselves, so a dead
or hung Redis costs a job at most that second.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Collection
from types import FrameType

import flask
import redis
import structlog

from torg import (
    config,
    db,
    doorbell,
    job_execution,
    jobs,
    outbox,
    plugin_changes,
    redis_client,
    ring_listener,
    schedules,
)
from torg.config import Settings
from torg.process_chores import Chores

LOOK_SECONDS = 1.0
# Long enough that a living scheduler is always the first.
SCHEDULE_GRACE_SECONDS = 3.0
_LONGEST_PAUSE = 2.0
_SAME_SIGNAL_SECONDS = 1.0

_log = structlog.get_logger(__name__)


class Worker:
    """One worker process of an application."""

    def __init__(self, app: flask.Flask, queues: Collection[str] = ()) -> None:
        """Prepare; `run` starts.

        Args:
            app: the application.
            queues: run only jobs of these queues; empty for all.
        """
        self._app = app
        self._queues = tuple(queues)
        self._chores = Chores(app, "worker")
        self._stopping = False
        self._asked_at = 0.0
        self._rings = 0
        self._rung = threading.Condition()

    def run(self) -> int:
        """Work until a signal: the first SIGTERM or SIGINT ends after the present job, the second
        at once. Returns the exit code.
        """
        signal.signal(signal.SIGTERM, self._asked_to_stop)
        signal.signal(signal.SIGINT, self._asked_to_stop)
        _log.info("worker_started", queues=list(self._queues) or "all")
        self._patiently("schedules", lambda: schedules.sync(self._app))
        self._once("plugins", lambda: plugin_changes.note(self._app))
        doorbell.listen(self._wake)
        threads = [
            threading.Thread(target=self._lane, args=(outbox.URGENT, False), name="urgent-lane"),
            threading.Thread(target=self._keep_house, name="housekeeper"),
        ]
        for thread in threads:
            thread.daemon = True
            thread.start()
        if config.of(self._app).host.redis_url:
            threading.Thread(target=self._hear, name="ear", daemon=True).start()
        try:
            self._lane(outbox.BULK, True)
            for thread in threads:
                thread.join()
        finally:
            doorbell.stop_listening(self._wake)
        self._once("leave", self._chores.leave)
        _log.info("worker_stopped")
        return 0

    def _asked_to_stop(self, number: int, _frame: FrameType | None) -> None:
        # No lock may be taken here: this thread may hold it.
        moment = time.monotonic()
        if not self._stopping:
            self._stopping, self._asked_at = True, moment
        elif moment - self._asked_at > _SAME_SIGNAL_SECONDS:
            # A terminal and a supervisor may both pass on the same wish; this is a second one.
            # Whatever is cut off here is rolled back and run again.
            os._exit(128 + number)

    def _wake(self, _job_id: int) -> None:
        with self._rung:
            self._rings += 1
            self._rung.notify_all()

    def _lane(self, lowest_priority: int, time_limited: bool) -> None:
        while not self._stopping:
            heard = self._rings

            def work() -> None:
                job_execution.drain(
                    self._app,
                    jobs.runnable(self._app, self._queues),
                    lowest_priority=lowest_priority,
                    stop=lambda: self._stopping,
                    time_limited=time_limited,
                )

            self._patiently("lane", work)
            with self._rung:
                if self._rings == heard:
                    self._rung.wait(LOOK_SECONDS)

    def _keep_house(self) -> None:
        while not self._stopping:
            self._once("schedules", self._fire_overdue)
            self._once("chores", self._do_chores)
            time.sleep(LOOK_SECONDS)

    def _fire_overdue(self) -> None:
        schedules.fire_overdue(self._app, SCHEDULE_GRACE_SECONDS)

    def _do_chores(self) -> None:
        if self._chores.do_when_due():
            job_execution.settle(self._app)

    def _hear(self) -> None:
        known = jobs.runnable(self._app, self._queues).values()
        queues = sorted({job.queue for job in known} | {"default"})
        url = config.of(self._app).host.redis_url
        while not self._stopping:
            try:
                client = redis_client.blocking_client(url, ring_listener.BLOCK_SECONDS)
                ring_listener.listen(client, queues)
            except (redis.exceptions.RedisError, OSError) as error:
                _log.debug("ear_without_redis", error=type(error).__name__)
            except Exception:
                _log.exception("ear_failed")
            time.sleep(LOOK_SECONDS)

    def _patiently(self, what: str, action: Callable[[], object]) -> None:
        """Do it, again and again while the database is away."""
        pause = 0.25
        while not self._stopping and not self._once(what, action):
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _once(self, what: str, action: Callable[[], object]) -> bool:
        """Do it; whatever goes wrong is said and survived."""
        try:
            action()
        except Exception as error:
            if db.is_retryable(error):
                _log.warning("database_away", doing=what, error=type(error).__name__)
            else:
                _log.exception("worker_trouble", doing=what)
            return False
        return True


def main(settings: Settings | None = None, queues: Collection[str] = ()) -> int:
    """`torg run worker`: build the application and work until a signal. Returns the exit code."""
    from torg.app import create_app

    return Worker(create_app(settings), queues).run()
