"""Finished answers, sent again before Flask is even asked.

Owns a WSGI layer in front of the application that keeps the bytes of anonymous GET answers in the
process. One is sent again only while the versions of all its tags, read from Redis for every
request, are those under which it was made: what was invalidated before the request came is never
seen again, in any process. Without Redis there are no ready answers. Which routes take part is
declared on their blueprint; rate limits do not count what is answered here.
"""

import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import flask
from flask import request
from redis.exceptions import RedisError
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header
from werkzeug.wrappers import Response as AnyResponse

from torg import cache, headers, i18n, metrics, redis_client
from torg.blueprint import ReadyRule
from torg.etag import is_known

EXTENSION = "torg.ready_answers"
_MOST_BYTES = 64 * 1024 * 1024
_MOST_BYTES_EACH = 512 * 1024
_WAIT_FOR_FILLER_SECONDS = 0.5
_OF_ONE_REQUEST = frozenset(
    {
        "x-request-id",
        "server-timing",
        "access-control-allow-origin",
        "date",
        "age",
        "vary",
        "access-control-expose-headers",
        "ratelimit",
        "ratelimit-policy",
        "set-cookie",
    }
)
_RUN = re.compile(rb"run_id:(\w+)")
_VALID_FOR = "torg.valid_for"
FILLING = "torg.filling"  # in the environment of a request
_VARY = "Accept-Language, Authorization, X-Api-Key"

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One finished answer and the versions under which it is true."""

    command: list[bytes]
    versions: list[bytes]
    headers: list[tuple[str, str]]
    body: bytes
    etag: str
    made: float
    until: float
    plugin: str
    route: str


@dataclass(frozen=True, slots=True)
class Filling:
    """An answer in the making: the versions were read before its first query."""

    key: Key
    tags: tuple[str, ...]
    versions: list[bytes]
    seconds: float
    started: float


class _Versions:
    """Reads versions by the shortest way: idle connections of its own and a command ready to go."""

    def __init__(self, app: flask.Flask, on_new_server: Callable[[], object]) -> None:
        self._app = app
        self._on_new_server = on_new_server
        self._server: bytes | None = None
        self._idle: deque[Any] = deque()
        self._process = os.getpid()

    def read(self, command: list[bytes]) -> list[bytes] | None:
        """The versions, or None when Redis is away."""
        client = redis_client.client(self._app)
        if client.breaker.is_open:
            return None
        try:
            connection = self._take(client)
            connection.send_packed_command(command, check_health=False)
            found: list[bytes] = connection.read_response(disable_decoding=True)
        except (RedisError, OSError) as error:
            # The connection is dropped: a late answer to this question must never be read as the
            # answer to the next one.
            client.breaker.failed(error)
            return None
        self._idle.append(connection)
        return found

    def _take(self, client: redis_client.GuardedRedis) -> Any:
        if self._process != os.getpid():
            # Connections of the parent are the parent's.
            self._process, self._idle = os.getpid(), deque()
        try:
            return self._idle.pop()
        except IndexError:
            pass
        pool: Any = client.connection_pool
        connection = pool.connection_class(**pool.connection_kwargs)
        connection.connect()
        connection.send_command("INFO", "server")
        found = _RUN.search(connection.read_response(disable_decoding=True))
        if found is None or found[1] != self._server:
            # Another server, or the same one started anew, may have forgotten changes.
            self._server = found[1] if found is not None else None
            self._on_new_server()
        return connection


class ReadyAnswers:
    """The WSGI layer."""

    def __init__(self, app: flask.Flask, following: WsgiApp) -> None:
        self._app = app
        self._following = following
        self._entries: dict[Key, _Entry] = {}
        self._bytes = 0
        self._lock = threading.Lock()
        self._filling: dict[Key, threading.Event] = {}
        self._versions = _Versions(app, self.clear)
        self._tags = cache.tags(app)
        self._origins = headers.origins_of(app)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Send the ready answer if there is one that is true, else go on to Flask."""
        if environ["REQUEST_METHOD"] == "GET" and is_anonymous(environ):
            key = key_of(environ)
            entry = self._entries.get(key)
            if entry is None and key in self._filling:
                self._filling[key].wait(_WAIT_FOR_FILLER_SECONDS)
                entry = self._entries.get(key)
            if entry is not None:
                started = time.monotonic()
                if self._is_true(entry, started):
                    return self._send(entry, environ, start_response, started)
                self._drop(key)
        return self._following(environ, start_response)

    def _is_true(self, entry: _Entry, now: float) -> bool:
        if entry.until <= now or self._tags.is_behind:
            return False
        found = self._versions.read(entry.command)
        if found is None:
            # While it was away Redis may have forgotten changes: nothing from before is trusted.
            self.clear()
        return found == entry.versions

    def _send(
        self, entry: _Entry, environ: Environ, start_response: StartResponse, started: float
    ) -> Iterable[bytes]:
        known = is_known(entry.etag, environ.get("HTTP_IF_NONE_MATCH"))
        listed = [*entry.headers, ("X-Request-Id", headers.id_of(environ))]
        listed.append(("Age", str(int(started - entry.made))))
        if self._origins:
            listed.extend(headers.leave(environ, self._origins))
        if known:
            start_response("304 Not Modified", listed)
        else:
            listed.append(("Content-Type", "application/json"))
            listed.append(("Content-Length", str(len(entry.body))))
            start_response("200 OK", listed)
        status = 304 if known else 200
        metrics.observe_request(
            entry.plugin, entry.route, "GET", status, time.monotonic() - started
        )
        return [] if known else [entry.body]

    def begin(self, key: Key, tags: tuple[str, ...], seconds: float) -> Filling | None:
        """Read the versions before the view reads anything else; None without Redis."""
        started = time.monotonic()
        versions = None if self._tags.is_behind else self._versions.read(_command(tags))
        if versions is None:
            return None
        if None in versions:
            try:
                versions = self._tags.read(tags)
            except RedisError:
                return None
        self._filling.setdefault(key, threading.Event())
        return Filling(key, tags, versions, seconds, started)

    def keep(self, filling: Filling, response: AnyResponse, plugin: str, route: str) -> None:
        """Take the finished answer in."""
        body = response.get_data()
        tag = response.headers.get("ETag")
        if tag is None or len(body) > _MOST_BYTES_EACH or "Set-Cookie" in response.headers:
            return
        kept = [
            (name, value)
            for name, value in response.headers.items()
            if name.lower() not in _OF_ONE_REQUEST | {"content-type", "content-length"}
        ]
        kept.append(("Vary", _VARY))
        headers.complete(kept, is_anonymous=True)
        entry = _Entry(
            command=_command(filling.tags),
            versions=filling.versions,
            headers=kept,
            body=body,
            etag=tag,
            made=filling.started,
            until=filling.started
            + min(filling.seconds, request.environ.get(_VALID_FOR, filling.seconds)),
            plugin=plugin,
            route=route,
        )
        with self._lock:
            self._forget(filling.key)
            self._entries[filling.key] = entry
            self._bytes += len(body)
            while self._bytes > _MOST_BYTES:
                self._forget(next(iter(self._entries)))

    def end(self, filling: Filling) -> None:
        """Let those go on who waited for this answer, whether it was kept or not."""
        event = self._filling.pop(filling.key, None)
        if event is not None:
            event.set()

    def clear(self) -> None:
        """Forget every ready answer of this process."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    def _drop(self, key: Key) -> None:
        with self._lock:
            self._forget(key)

    def _forget(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= len(entry.body)


def init(app: flask.Flask) -> None:
    """Put the layer in front of the application; after `cache.init`."""
    layer = ReadyAnswers(app, app.wsgi_app)
    app.extensions[EXTENSION] = layer
    app.wsgi_app = layer  # type: ignore[method-assign]  # Flask's own way to add a layer


def layer_of(app: flask.Flask) -> ReadyAnswers | None:
    """The layer of an application, if it has one."""
    found: ReadyAnswers | None = app.extensions.get(EXTENSION)
    return found


def valid_for(seconds: float) -> None:
    """Keep the present answer no longer than this: what it says ends then by itself.

    A view whose body depends on the time (something that ends) calls it with the seconds left.
    """
    environ = request.environ
    environ[_VALID_FOR] = min(seconds, environ.get(_VALID_FOR, seconds))


def is_filling() -> bool:
    """Whether the present answer is going to be kept, so that it matters how long it is true."""
    return FILLING in request.environ and request.environ[FILLING] is not None


def is_anonymous(environ: Environ) -> bool:
    """Whether the answer cannot depend on who asks."""
    return not (
        "HTTP_AUTHORIZATION" in environ or "HTTP_X_API_KEY" in environ or "HTTP_COOKIE" in environ
    )


def key_of(environ: Environ) -> Key:
    """All that an anonymous answer depends on: address, query and language."""
    return (
        environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"],
        environ.get("QUERY_STRING", ""),
        _locale(environ.get("HTTP_ACCEPT_LANGUAGE", "")),
    )


@lru_cache(maxsize=1024)
def _locale(accepted: str) -> str:
    languages = parse_accept_header(accepted, LanguageAccept)
    return languages.best_match(i18n.LOCALES, default="") or ""


def tags_of(rule: ReadyRule, arguments: dict[str, Any]) -> tuple[str, ...]:
    """The rule's tags with the route's arguments filled in."""
    return tuple(tag.format_map(arguments) for tag in rule.tags)


def _command(tags: tuple[str, ...]) -> list[bytes]:
    # The Redis protocol, ready to be sent; the same for every request that asks for these tags.
    names = [b"MGET", *(cache.TAG_PREFIX.encode() + tag.encode() for tag in tags)]
    parts = b"".join(b"$%d\r\n%s\r\n" % (len(name), name) for name in names)
    return [b"*%d\r\n%s" % (len(names), parts)]
