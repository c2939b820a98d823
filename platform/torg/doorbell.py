"""The doorbell: tells workers, through RQ, that a committed job is waiting.

Owns the thread that rings and the form of a ring. A ring is only a hint, so this may drop, repeat
or delay it: workers look into the outbox by themselves every second. What must never happen is
that a request waits for Redis; therefore `Doorbell.ring` only notes the ring and returns.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import flask
import redis
import structlog
from flask import current_app
from rq.job import Job as RingJob
from rq.queue import Queue
from rq.serializers import JSONSerializer

from torg import redis_client

EXTENSION = "torg.doorbell"
# The only function a worker accepts from Redis; its one argument is the id of a row in the outbox.
RING = "torg.doorbell.answer"
QUEUE_PREFIX = "torg_"
_RING_SECONDS = 60
_RINGS_AT_ONCE = 8
_RINGS_WAITING = 64
_IDLE_SECONDS = 30.0
_PAUSE_SECONDS = 0.02

_log = structlog.get_logger(__name__)
_listeners: list[Callable[[int], object]] = []


class Doorbell:
    """Rings for one application, from a thread of its own that starts with the first ring."""

    def __init__(self, connection: Callable[[], redis.Redis]) -> None:
        """Keep how to reach Redis; nothing is sent yet."""
        self._connection = connection
        self._start_over()

    def _start_over(self) -> None:
        self._process = os.getpid()
        self._noted: dict[str, dict[int, None]] = {}
        self._is_ringing = False
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    def ring(self, queue: str, job_id: int) -> None:
        """Note a ring and return at once. Rings noted while another is under way go together."""
        if self._process != os.getpid():
            self._start_over()  # forked: the parent's thread does not exist here
        with self._change:
            noted = self._noted.setdefault(queue, {})
            if len(noted) < _RINGS_AT_ONCE:
                noted[job_id] = None
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
                self._thread.start()
            self._change.notify()

    def flush(self, timeout_seconds: float = 2.0) -> bool:
        """Wait until everything noted was rung or dropped. For short-lived processes and tests."""
        until = time.monotonic() + timeout_seconds
        while (self._noted or self._is_ringing) and time.monotonic() < until:
            time.sleep(0.005)
        return not (self._noted or self._is_ringing)

    def _run(self) -> None:
        while True:
            with self._change:
                self._is_ringing = False
                if not self._change.wait_for(self._has_rings, _IDLE_SECONDS):
                    self._thread = None  # the next ring starts a new thread
                    return
                taken, self._noted = self._noted, {}
                self._is_ringing = True
            for queue, noted in taken.items():
                try:
                    _push(self._connection(), queue, list(noted))
                except redis.exceptions.RedisError as error:
                    # Workers look by themselves every second: a lost ring is late, not lost work.
                    _log.debug("ring_dropped", queue=queue, error=type(error).__name__)
            # A ring through RQ takes as long as a small request. In a rush one is enough for all
            # the jobs of the next moment, of which the worker takes every due one.
            time.sleep(_PAUSE_SECONDS)

    def _has_rings(self) -> bool:
        return bool(self._noted)


def _push(connection: redis.Redis, queue: str, job_ids: list[int]) -> None:
    """Leave the rings in Redis, unless plenty are waiting already.

    A ring wakes a worker that then takes every due job, so a few rings serve any number of jobs;
    without workers they must not pile up.
    """
    line = rq_queue(connection, queue)
    if line.count >= _RINGS_WAITING:
        return
    line.enqueue_many(
        Queue.prepare_data(
            RING,
            args=(job_id,),
            job_id=f"ring_{job_id}",
            description=f"ring {job_id}",
            ttl=_RING_SECONDS,
            result_ttl=0,
            failure_ttl=0,
            timeout=_RING_SECONDS,
        )
        for job_id in job_ids
    )


def rq_queue(connection: redis.Redis, queue: str, job_class: type[RingJob] = RingJob) -> Queue:
    """The RQ queue through which workers of `queue` are woken: JSON, never pickle."""
    return Queue(
        QUEUE_PREFIX + queue,
        connection=connection,
        serializer=JSONSerializer,
        job_class=job_class,
    )


def answer(job_id: int) -> None:
    """What a ring calls in a worker: whoever listens in this process looks into the outbox."""
    for listener in tuple(_listeners):
        listener(job_id)


def listen(listener: Callable[[int], object]) -> None:
    """Call `listener` at each ring that this process answers."""
    _listeners.append(listener)


def stop_listening(listener: Callable[[int], object]) -> None:
    """Undo `listen`."""
    with contextlib.suppress(ValueError):
        _listeners.remove(listener)


def init(app: flask.Flask) -> Doorbell:
    """Give the application its doorbell."""

    def connection() -> Any:
        return redis_client.client(app)

    found: Doorbell = app.extensions.setdefault(EXTENSION, Doorbell(connection))
    return found


def bell() -> Doorbell:
    """The doorbell of the current application."""
    found: Doorbell = current_app.extensions[EXTENSION]
    return found
