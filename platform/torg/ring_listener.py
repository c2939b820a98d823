"""A worker's ear: RQ's worker, reduced to hearing rings.

Owns what may come out of Redis into a worker: one function name, one integer, as JSON. Whoever can
write to Redis can at most wake workers up. No pickle is read, no name out of Redis is imported, no
callback, webhook or remote command of RQ is followed. Running jobs is `torg.worker`'s.
"""

from __future__ import annotations

import json
import logging
import zlib
from typing import Any

import redis
import structlog
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.utils import now
from rq.worker import SimpleWorker
from rq.worker_registration import clean_worker_registry

from torg import doorbell

_LARGEST_RING = 1000
# RQ waits this much less 15 s for a ring before it shows itself in Redis again.
_LIFE_SECONDS = 20
BLOCK_SECONDS = 5

_log = structlog.get_logger(__name__)
_rq_log = logging.getLogger("torg.rq")
_rq_log.setLevel(logging.WARNING)


class RefusedRingError(Exception):
    """Something in Redis is not a ring; it was dropped."""


class Ring(Job):
    """An RQ job of which only the payload is believed."""

    def __init__(
        self,
        id: str | None = None,  # noqa: A002 - the name is RQ's
        connection: redis.Redis | None = None,
        serializer: Any = None,
    ) -> None:
        """Whatever serializer is asked for, it is JSON."""
        del serializer
        super().__init__(id, connection=connection, serializer=JSONSerializer)

    @classmethod
    def fetch(
        cls,
        id: str,  # noqa: A002 - the name is RQ's
        connection: redis.Redis | None = None,
        serializer: Any = None,
    ) -> Job:
        """Read a ring; one whose name RQ would not accept does not exist."""
        try:
            return super().fetch(id, connection, serializer)
        except (ValueError, TypeError) as error:
            raise NoSuchJobError(str(error)) from None

    def restore(self, raw_data: dict[bytes, bytes]) -> None:
        """Take the payload and ignore every other field, callbacks and webhooks among them."""
        payload = raw_data.get(b"data")
        if payload is None:
            raise NoSuchJobError("no payload")
        # Compressed by RQ; a ring that unpacks to more is none.
        unpacking = zlib.decompressobj()
        try:
            self.data = unpacking.decompress(payload, _LARGEST_RING)
        except zlib.error:
            self.data = payload[:_LARGEST_RING]

    def outbox_id(self) -> int:
        """The row that the ring speaks of.

        Raises:
            RefusedRingError: it is no ring.
        """
        try:
            parts = json.loads(self.data)
        except ValueError:  # UnicodeDecodeError is one, too
            raise RefusedRingError("its payload is not JSON") from None
        match parts:
            # A mapping pattern of {} would match every mapping, so emptiness is asked for.
            case [doorbell.RING, None, [int(number)], named] if named == {}:
                return number
        raise RefusedRingError("it asks for something else than a ring")


class RingListener(SimpleWorker):
    """RQ's loop around one thing: answer the ring and forget it."""

    job_class = Ring
    max_connection_wait_time = 4.0

    def __init__(self, queues: list[str], connection: redis.Redis) -> None:
        """Listen to the rings of these queues of the outbox."""
        super().__init__(
            [doorbell.rq_queue(connection, queue, Ring) for queue in queues],
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=_LIFE_SECONDS,
            log_job_description=False,
        )
        self.log = _rq_log  # RQ tells of every ring; only its troubles are worth a line

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Check the ring, wake this process's lanes, and remove every trace of it."""
        try:
            assert isinstance(job, Ring)
            doorbell.answer(job.outbox_id())
        except RefusedRingError as error:
            _log.error("ring_refused", ring=job.id, reason=str(error))
        with self.connection.pipeline(transaction=False) as pipeline:
            pipeline.delete(job.key)
            pipeline.lrem(queue.intermediate_queue_key, 0, job.id)
            pipeline.execute()

    def bootstrap(self, *_args: Any, **_options: Any) -> None:
        """Show this worker in Redis. RQ would set up log handlers and a channel for commands."""
        self.register_birth()  # type: ignore[no-untyped-call]

    def unsubscribe(self) -> None:
        """Nothing was subscribed: only signals of the system command this process."""

    def check_for_suspension(self, burst: bool) -> None:
        """A key in Redis must not stop workers."""

    def clean_registries(self) -> None:
        """Forget rings that a dead listener took; their jobs are in the outbox."""
        for queue in self.queues:
            self.connection.delete(queue.intermediate_queue_key)
            clean_worker_registry(queue)
        self.last_cleaned_at = now()  # type: ignore[assignment]

    def run_maintenance_tasks(self) -> None:
        """Only the above."""
        self.clean_registries()

    def _install_signal_handlers(self) -> None:
        """Signals belong to the worker process's main thread."""

    def procline(self, message: str) -> None:
        """Leave the process's title alone."""


def listen(connection: redis.Redis, queues: list[str]) -> None:
    """Answer rings until Redis goes away or hangs; the caller starts anew."""
    RingListener(queues, connection).work(logging_level=None)
