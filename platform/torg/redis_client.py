"""The one client of Redis in a process: short waits, no retries, a breaker.

Owns the connection that cache, rate limits and the doorbell share. Redis decides nothing here, so
every caller must go on without it: while it is away or hangs, a command fails at once with
`RedisUnavailable` instead of waiting. Connections that block on purpose (the worker's ear) are
`blocking_client`'s.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import flask
import redis
import structlog
from flask import current_app
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.retry import Retry

from torg import config

EXTENSION = "torg.redis"
PROBE_SECONDS = 0.5

_log = structlog.get_logger(__name__)
Client = TypeVar("Client", bound=redis.Redis)
_BROKEN = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError)


class RedisUnavailable(redis.exceptions.ConnectionError):
    """Redis is not configured, or the breaker is open: do without it. Also a `RedisError`."""


class Breaker:
    """Remembers that Redis is away, so that nobody else waits for it.

    The first failed command opens it; from then on a thread of its own asks Redis twice a second
    and closes it again. Requests never do the asking, so none of them waits for a hung server.
    """

    def __init__(self, probe: Callable[[], object] | None) -> None:
        """Start closed, or open for good when there is nothing to probe."""
        self._probe = probe
        self._is_open = probe is None
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._thread: threading.Thread | None = None

    @property
    def is_open(self) -> bool:
        """Whether commands are refused now."""
        return self._is_open

    @property
    def has_server(self) -> bool:
        """Whether a Redis is configured, which may be back some time."""
        return self._probe is not None

    def check(self) -> None:
        """Let a command through, or refuse it.

        Raises:
            RedisUnavailable: Redis is away.
        """
        if not self._is_open:
            return
        if self._probe is None:
            raise RedisUnavailable("no redis_url is set")
        self._watch()
        raise RedisUnavailable("Redis is away")

    def failed(self, error: BaseException) -> None:
        """A command got no answer: refuse the next ones until a probe succeeds."""
        if not self._is_open:
            _log.warning("redis_away", error=type(error).__name__)
        self._is_open = True
        self._watch()

    def _watch(self) -> None:
        if self._process != os.getpid():
            # Forked: a thread of the parent may hold the lock for ever in this copy.
            self._lock, self._process = threading.Lock(), os.getpid()
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            self._thread = threading.Thread(target=self._ask, name="redis-probe", daemon=True)
            self._thread.start()

    def _ask(self) -> None:
        assert self._probe is not None
        while True:
            time.sleep(PROBE_SECONDS)
            try:
                self._probe()
            except Exception as error:
                _log.debug("redis_still_away", error=type(error).__name__)
                continue
            self._is_open = False
            _log.info("redis_back")
            return


class _GuardedPipeline(Pipeline):
    """A pipeline behind the breaker of its client."""

    breaker: Breaker

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        self.breaker.check()
        try:
            return super().execute(raise_on_error)
        except _BROKEN as error:
            self.breaker.failed(error)
            raise

    def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        self.breaker.check()
        try:
            return super().immediate_execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except _BROKEN as error:
            self.breaker.failed(error)
            raise


class GuardedRedis(redis.Redis):
    """redis-py's client behind a breaker. It is safe to share between threads and after a fork."""

    breaker: Breaker

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run one command.

        Raises:
            RedisUnavailable: the breaker is open; nothing was sent.
            redis.exceptions.RedisError: Redis did not answer in time, or refused.
        """
        self.breaker.check()
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except _BROKEN as error:
            self.breaker.failed(error)
            raise

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """A pipeline behind the same breaker."""
        guarded = _GuardedPipeline(
            self.connection_pool, self.response_callbacks, transaction, shard_hint
        )
        guarded.breaker = self.breaker
        return guarded


def connect(url: str, timeout_seconds: float = 0.25) -> GuardedRedis:
    """A guarded client; without a URL every command is refused at once.

    Args:
        url: redis://, rediss:// or unix://; empty for none.
        timeout_seconds: longest wait for connecting and for each answer, at most 0.5.
    """
    waiting = min(timeout_seconds, 0.5)
    client = _open(GuardedRedis, url or "unix:///nonexistent", waiting)
    probing = _open(redis.Redis, url, waiting) if url else None
    client.breaker = Breaker(probing.ping if probing is not None else None)
    return client


def blocking_client(url: str, block_seconds: float) -> redis.Redis:
    """A client for one thread that waits on purpose, such as the worker listening for rings.

    Args:
        url: as for `connect`, not empty.
        block_seconds: the longest wait that a command asks for by itself.
    """
    return _open(redis.Redis, url, block_seconds + 5, connect_seconds=2)


def _open(
    kind: type[Client], url: str, timeout_seconds: float, connect_seconds: float | None = None
) -> Client:
    # Both differ from redis-py's defaults on purpose: those retry ten times, 5 s each.
    opened: Client = kind.from_url(  # type: ignore[assignment]  # it returns what it is called on
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=connect_seconds or timeout_seconds,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
    )
    return opened


def init(app: flask.Flask) -> None:
    """Give the application its client; nothing is sent before the first command."""
    client(app)


def client(app: flask.Flask | None = None) -> GuardedRedis:
    """The shared client of this or the current application; answers are bytes."""
    application = app or current_app
    found: GuardedRedis | None = application.extensions.get(EXTENSION)
    if found is None:
        host = config.of(application).host
        made = connect(host.redis_url, host.redis_timeout_seconds)
        # Two threads may both get here; the first one's client stays.
        found = application.extensions.setdefault(EXTENSION, made)
    return found


def is_away(app: flask.Flask | None = None) -> bool:
    """Whether a command would be refused right now."""
    return client(app).breaker.is_open
