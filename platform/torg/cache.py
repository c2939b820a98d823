"""Values kept in Redis for a while: computed once, forgotten when what they show has changed.

Owns tags, whose versions are part of every key, so that forgetting is one write and nothing old
can be read; the store behind Flask-Caching, which holds JSON and never pickle; and the rule that
one process fills while others wait. Without Redis everything is computed each time.

    rows = cache.remember("notes:top", load_top, tags=("notes",), seconds=60)
    cache.invalidate("notes")             # in the transaction that changes a note
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import flask
import flask_caching
import orjson
import structlog
from flask import current_app
from flask_caching.backends.base import BaseCache
from redis.exceptions import RedisError

from torg import db, metrics, redis_client
from torg.json_answers import encode

EXTENSION = "torg.cache"
_PREFIX = "torg:cache:"
TAG_PREFIX = "torg:tag:"
# Longer than any sound computation: a filler that died frees its place after this.
_FILLING_SECONDS = 10
_WAIT_SECONDS = 2.0
_WAIT_STEP_SECONDS = 0.02
_REPEAT_SECONDS = 0.1

store = flask_caching.Cache()
_log = structlog.get_logger(__name__)


class JsonStore(BaseCache):
    """The backend of Flask-Caching: JSON in Redis, by the host's client, never an exception."""

    def __init__(self, app: flask.Flask, default_timeout: int = 300) -> None:
        super().__init__(default_timeout=default_timeout)
        self._app = app

    @classmethod
    def factory(
        cls, app: flask.Flask, config: dict[str, Any], args: list[Any], kwargs: dict[str, Any]
    ) -> "JsonStore":
        """What Flask-Caching calls to make its backend."""
        del args, kwargs
        return cls(app, config["CACHE_DEFAULT_TIMEOUT"])

    def get(self, key: str) -> Any:
        """The value, or None when there is none or Redis is away."""
        try:
            raw = redis_client.client(self._app).get(_PREFIX + key)
        except RedisError:
            return None
        return None if raw is None else orjson.loads(raw)

    def set(self, key: str, value: Any, timeout: Any = None) -> bool:
        """Keep a JSON value for `timeout` seconds; whether it was kept."""
        return self._write(key, value, timeout, only_new=False)

    def add(self, key: str, value: Any, timeout: Any = None) -> bool:
        """As `set`, but only where nothing is kept yet."""
        return self._write(key, value, timeout, only_new=True)

    def _write(self, key: str, value: Any, timeout: Any, *, only_new: bool) -> bool:
        seconds = self._normalize_timeout(timeout)
        try:
            written = redis_client.client(self._app).set(
                _PREFIX + key, encode(value), ex=seconds or None, nx=only_new
            )
        except RedisError:
            return False
        return bool(written)

    def delete(self, key: str) -> bool:
        """Forget one value."""
        try:
            return bool(redis_client.client(self._app).delete(_PREFIX + key))
        except RedisError:
            return False

    def has(self, key: str) -> bool:
        """Whether a value is kept."""
        try:
            return bool(redis_client.client(self._app).exists(_PREFIX + key))
        except RedisError:
            return False

    def clear(self) -> bool:
        """Nothing is ever cleared as a whole: other deployments may share the server."""
        return False


class Tags:
    """The versions of tags, and the changes of them that Redis has yet to hear of."""

    def __init__(self, app: flask.Flask) -> None:
        self._app = app
        self._unsaid: set[str] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def is_behind(self) -> bool:
        """Whether this process knows of a change that Redis does not: then nothing is trusted."""
        return bool(self._unsaid)

    def read(self, tags: Iterable[str]) -> list[bytes]:
        """The present version of each tag; a tag without one gets one.

        Versions are random, never counted: a counter that starts anew after Redis lost its memory
        would come by an old value again.

        Raises:
            RedisError: Redis is away, or behind.
        """
        if self._unsaid:
            raise redis_client.RedisUnavailable("changes are waiting to be told")
        client = redis_client.client(self._app)
        names = [TAG_PREFIX + tag for tag in tags]
        found: list[Any] = list(client.mget(names)) if names else []
        for index, version in enumerate(found):
            if version is None:
                client.set(names[index], secrets.token_hex(8), nx=True)
                found[index] = client.get(names[index])
        return [bytes(version or b"") for version in found]

    def change(self, tags: Iterable[str]) -> None:
        """Give the tags new versions, now or as soon as Redis is back."""
        names = {TAG_PREFIX + tag for tag in tags}
        try:
            self._say(names)
        except RedisError:
            with self._lock:
                self._unsaid |= names
            self._start()

    def _say(self, names: Iterable[str]) -> None:
        client = redis_client.client(self._app)
        client.mset({name: secrets.token_hex(8) for name in names})

    def _start(self) -> None:
        if not redis_client.client(self._app).breaker.has_server:
            # Without a server nobody caches anything, so there is nobody to tell.
            self._unsaid.clear()
            return
        with self._lock:
            # A fork copies the object but not the thread, so "alive" is asked each time.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._repeat, daemon=True, name="cache-tags")
                self._thread.start()

    def _repeat(self) -> None:
        while self._unsaid:
            time.sleep(_REPEAT_SECONDS)
            with self._lock:
                names = set(self._unsaid)
            try:
                self._say(names)
            except RedisError:
                continue
            with self._lock:
                # One added while we spoke was after the versions were made: it stays.
                self._unsaid -= names
        _log.info("cache_tags_told")


def init(app: flask.Flask) -> None:
    """Give the application its tags and Flask-Caching its backend."""
    app.extensions[EXTENSION] = Tags(app)
    store.init_app(app, {"CACHE_TYPE": "torg.cache.JsonStore"})


def tags(app: flask.Flask | None = None) -> Tags:
    """The tags of this or the current application."""
    found: Tags = (app or current_app).extensions[EXTENSION]
    return found


def versioned(*names: str) -> str:
    """The present versions of tags as one text, to be part of a key of one's own.

    Raises:
        RedisError: Redis is away: compute instead.
    """
    return ".".join(version.decode() for version in tags().read(names))


def invalidate(*names: str) -> None:
    """Forget what carries one of these tags, once the present unit of work has committed.

    The request that changed something is answered after that, so whoever has seen its answer, in
    any process, sees the change.
    """
    keeper = tags()
    db.after_commit(lambda: keeper.change(names))


def remember(
    key: str,
    fill: Callable[[], Any],
    *,
    tags: Iterable[str] = (),
    seconds: int,
) -> Any:
    """The kept value, or that of `fill`, which is then kept for `seconds`.

    Several processes asking at once wait for the one that fills, two seconds at most. Values pass
    through JSON on every way, so they look the same from cache or not.

    Args:
        key: begins with the plugin's name and holds everything the value depends on: who asks
            (unless it is the same for all), and every parameter.
        fill: computes a value of plain types, money and aware times.
        tags: what `invalidate` names.
        seconds: how long it may be kept.
    """
    try:
        suffix = versioned(*tags)
        return _kept_or_filled(f"{key}:{suffix}", fill, seconds)
    except RedisError:
        metrics.count_cache(_owner(key), "away")
        return _plain(encode(fill()))


def _kept_or_filled(key: str, fill: Callable[[], Any], seconds: int) -> Any:
    client = redis_client.client()
    name = _PREFIX + key
    raw = client.get(name)
    if raw is None:
        raw = _wait_or_begin(client, name)
    metrics.count_cache(_owner(key), "miss" if raw is None else "hit")
    if raw is not None:
        return _plain(raw)
    raw = encode(fill())
    try:
        client.set(name, raw, ex=seconds)
        client.delete(f"{name}:filling")
    except RedisError:
        _log.debug("cache_not_kept", key=key)
    return _plain(raw)


def _wait_or_begin(client: redis_client.GuardedRedis, name: str) -> Any | None:
    """The value that another one fills meanwhile, or None when it is ours to fill."""
    until = time.monotonic() + _WAIT_SECONDS
    while True:
        begun = client.set(f"{name}:filling", b"1", nx=True, ex=_FILLING_SECONDS)
        # Asked after the mark: who filled it may have ended between our look and our mark.
        raw = client.get(name)
        if begun and raw is not None:
            client.delete(f"{name}:filling")
        if raw is not None or begun or time.monotonic() > until:
            return raw
        time.sleep(_WAIT_STEP_SECONDS)


def _owner(key: str) -> str:
    return key.partition(":")[0]


def _plain(raw: Any) -> Any:
    return orjson.loads(raw)
