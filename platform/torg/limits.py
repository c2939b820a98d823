"""Rate limits: so many calls in so many seconds for each caller.

Owns counting (in Redis, shared by all processes) and the fallback inside the process while Redis is
away: then each process counts for itself, so the gate is wider but never open, and never an error.
Limits that must hold exactly, such as sign-in attempts, are rows in the database of their plugin.
"""

import threading
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any

import flask
from flask import current_app
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisStorage
from redis.exceptions import RedisError
from werkzeug.wrappers import Response as AnyResponse

from torg import identity, redis_client
from torg.blueprint import LimitRule
from torg.config import EXTENSION as CONFIG
from torg.errors import TooManyError

EXTENSION = "torg.limits"
_NONE = frozenset({"", "off"})
# Everybody who tries a demo comes from one address, people and scripts alike.
DEMO_TIMES = 20
_STANDINGS = "torg.standings"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands in the present window."""

    name: str
    amount: int
    window_seconds: int
    remaining: int
    reset_seconds: int


class _Counters:
    """The two places where calls are counted, and the rates that settings change."""

    def __init__(self, app: flask.Flask) -> None:
        settings = app.extensions.get(CONFIG)
        self.rates: dict[str, str] = settings.host.rate_limits if settings is not None else {}
        self.is_demo: bool = settings is not None and settings.host.demo
        self._app = app
        self._lock = threading.Lock()
        self._shared: RedisStorage | None = None
        self._own: MemoryStorage | None = None

    def count(self, key: str, seconds: int) -> int:
        """Count one call; returns how many the window has seen with it."""
        try:
            return self._in_redis().incr(key, seconds)
        except RedisError:
            return self._in_process().incr(key, seconds)

    def read(self, key: str) -> int:
        """How many calls the window has seen."""
        try:
            return self._in_redis().get(key)
        except RedisError:
            return self._in_process().get(key)

    def _in_redis(self) -> RedisStorage:
        client = redis_client.client(self._app)
        client.breaker.check()
        with self._lock:
            if self._shared is None:
                self._shared = _GuardedStorage(client)
            return self._shared

    def _in_process(self) -> MemoryStorage:
        with self._lock:
            if self._own is None:
                self._own = MemoryStorage()
            return self._own


class _GuardedStorage(RedisStorage):
    """The library's storage on the host's client, so that timeouts and breaker are shared."""

    def __init__(self, client: redis_client.GuardedRedis) -> None:
        super().__init__(
            "redis://", connection_pool=client.connection_pool, key_prefix="torg:limit"
        )
        self.storage = client
        self.initialize_storage("")


def init(app: flask.Flask) -> None:
    """Give the application its counters."""
    app.extensions[EXTENSION] = _Counters(app)


def hit(name: str, rate: str, key: object) -> Standing | None:
    """Count a call by `key` under the limit `name`.

    Args:
        name: what the setting `rate_limits` overrides the rate by, such as "auth_login".
        rate: such as "10 per 15 minute"; "off" counts nothing.
        key: whose call it is: an account, an address, anything with a short text form.

    Raises:
        TooManyError: the window is full; says when it ends.
    """
    counters: _Counters = current_app.extensions[EXTENSION]
    window = _window(counters, name, rate, key)
    if window is None:
        return None
    used = counters.count(window.key, window.seconds)
    if used > window.amount:
        raise _too_many(window)
    return window.standing(used)


def look(name: str, rate: str, key: object) -> Standing | None:
    """Where `key` stands under the limit `name`, without counting a call; arguments as of `hit`.

    Raises:
        TooManyError: the window is full, so that the next call would be refused.
    """
    counters: _Counters = current_app.extensions[EXTENSION]
    window = _window(counters, name, rate, key)
    if window is None:
        return None
    used = counters.read(window.key)
    if used >= window.amount:
        raise _too_many(window)
    return window.standing(used)


@dataclass(frozen=True, slots=True)
class _Window:
    """The present window of one key."""

    name: str
    key: str
    amount: int
    seconds: int
    ends_in_seconds: int

    def standing(self, used: int) -> Standing:
        left = max(0, self.amount - used)
        return Standing(self.name, self.amount, self.seconds, left, self.ends_in_seconds)


def _window(counters: _Counters, name: str, rate: str, key: object) -> _Window | None:
    rate = counters.rates.get(name, counters.rates.get("*", rate)).strip()
    if rate.lower() in _NONE:
        return None
    item = _parsed(rate)
    seconds = item.get_expiry()
    # Windows of different keys begin at different moments, or all would be let in at once.
    text = f"{name}:{key}"
    shifted = time.time() + zlib.crc32(text.encode()) % seconds
    number, inside = divmod(shifted, seconds)
    return _Window(
        name=name,
        key=f"{text}:{item.amount}:{seconds}:{int(number)}",
        amount=item.amount,
        seconds=seconds,
        ends_in_seconds=max(1, int(seconds - inside)),
    )


def _too_many(window: _Window) -> TooManyError:
    standing = window.standing(window.amount)
    return TooManyError(
        retry_after=standing.reset_seconds, headers=headers([standing]), limit=standing.name
    )


def check(rules: tuple[LimitRule, ...], operation: str, request: flask.Request) -> None:
    """Count the present request under the rules of its route; the standings go into the answer.

    Raises:
        TooManyError: one of the windows is full.
    """
    if not rules:
        return
    # By rule, because a request that is run again is counted again.
    standings: dict[LimitRule, Standing] = request.environ.setdefault(_STANDINGS, {})
    for rule in rules:
        standing = hit(rule.name or operation, _rate(rule), _caller(rule, request))
        if standing is not None:
            standings[rule] = standing


def headers(standings: list[Standing]) -> dict[str, str]:
    """`RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-11)."""
    if not standings:
        return {}
    policies = [f'"{each.name}";q={each.amount};w={each.window_seconds}' for each in standings]
    present = [f'"{each.name}";r={each.remaining};t={each.reset_seconds}' for each in standings]
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(present)}


def add_headers(response: AnyResponse, environ: Mapping[str, Any]) -> None:
    """Tell in an answer where its caller stands under the limits the request was counted under."""
    standings = environ.get(_STANDINGS)
    if standings:
        response.headers.update(headers(list(standings.values())))


def _rate(rule: LimitRule) -> str:
    """The rate of a rule where settings say nothing of it: wider in a demo, by address."""
    counters: _Counters = current_app.extensions[EXTENSION]
    if not counters.is_demo or rule.by != "address" or rule.rate.lower() in _NONE:
        return rule.rate
    item = _parsed(rule.rate)
    return f"{DEMO_TIMES * item.amount} per {item.get_expiry()} second"


@lru_cache(maxsize=256)
def _parsed(rate: str) -> RateLimitItem:
    return parse(rate)


def is_rate(text: str) -> bool:
    """Whether a text is a rate such as "60 per minute", or "off"."""
    if text.strip().lower() in _NONE:
        return True
    try:
        _parsed(text)
    except ValueError:
        return False
    return True


def _caller(rule: LimitRule, request: flask.Request) -> str:
    if rule.by == "identity":
        caller = identity.current_or_none()
        if caller is not None:
            return f"id-{caller.id}"
    return network_of(request.remote_addr)


def network_of(address: str | None) -> str:
    """Whom an address stands for: itself, or its /64 for IPv6, of which a caller has all."""
    try:
        parsed: Any = ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
    return str(parsed)
