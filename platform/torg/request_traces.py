"""What the last requests cost, with every statement they sent: for a demo and for development.

Owns the record, shared by all processes of a deployment through Redis, which may lose it. It holds
no values: paths come without their queries, statements without their parameters.
"""

from dataclasses import asdict, dataclass
from typing import Any

import flask
import orjson
import structlog
from redis.exceptions import RedisError

from torg import redis_client
from torg.db import Statistics

MOST = 200
_KEY = "torg:requests"
_KEPT_SECONDS = 24 * 3600
# One that sends more is understood by its first ones.
_MOST_STATEMENTS = 500
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Trace:
    """One request: times in milliseconds, statements with the milliseconds each took."""

    request_id: str
    method: str
    path: str
    status: int
    total_ms: float
    database_ms: float
    statements: list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Summed:
    """The same statement, as often as a request sent it."""

    sql: str
    times: int
    milliseconds: float


def keep(app: flask.Flask, trace: Trace) -> None:
    """Remember the request; without Redis it is forgotten."""
    kept = {**asdict(trace), "statements": trace.statements[:_MOST_STATEMENTS]}
    try:
        with redis_client.client(app).pipeline(transaction=False) as pipeline:
            pipeline.lpush(_KEY, orjson.dumps(kept))
            pipeline.ltrim(_KEY, 0, MOST - 1)
            pipeline.expire(_KEY, _KEPT_SECONDS)
            pipeline.execute()
    except RedisError as error:
        _log.debug("request_not_traced", error=type(error).__name__)


def recent(app: flask.Flask) -> list[Trace]:
    """The last requests, the newest first."""
    try:
        found: Any = redis_client.client(app).lrange(_KEY, 0, MOST - 1)
    except RedisError:
        return []
    return [_read(each) for each in found]


def find(app: flask.Flask, request_id: str) -> Trace | None:
    """The newest request of that id."""
    return next((each for each in recent(app) if each.request_id == request_id), None)


def statements_of(count: Statistics) -> list[tuple[str, float]]:
    """What was noted of each statement, in milliseconds."""
    return [(sql, seconds * 1000) for sql, seconds in count.noted or ()]


def summed(trace: Trace) -> list[Summed]:
    """Its statements, equal ones together, in the order of their first time."""
    times: dict[str, list[float]] = {}
    for sql, milliseconds in trace.statements:
        times.setdefault(sql, []).append(milliseconds)
    return [Summed(sql, len(each), sum(each)) for sql, each in times.items()]


def _read(raw: bytes) -> Trace:
    facts = orjson.loads(raw)
    return Trace(**{**facts, "statements": [(sql, each) for sql, each in facts["statements"]]})
