"""Exactly one effect for each Idempotency-Key.

Owns the table `torg_idempotency`: key, effect and answer commit together, so a repeat finds either
nothing at all or the finished answer. Which routes accept a key is declared on their blueprint.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import flask
from sqlalchemy import BigInteger, ForeignKey, LargeBinary, delete, func, insert, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.wrappers import Response as AnyResponse

from torg import identity
from torg.db import Base, committing, session
from torg.errors import ConflictError, FieldProblem, InvalidError
from torg.request_reading import body_of

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
MAX_LENGTH = 255
_ASKED = "torg.keyed"
_KEPT_HEADERS = ("Content-Type", "Location", "ETag", "Content-Language", "Retry-After")


class IdempotencyRecord(Base):
    """One key that was used: what it stood for and what was answered."""

    __tablename__ = "torg_idempotency"

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    identity_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("torg_identity.id", ondelete="CASCADE"), index=True
    )
    status: Mapped[int] = mapped_column()
    headers: Mapped[dict[str, str]] = mapped_column(JSONB)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), index=True)


class RequestInProgressError(ConflictError):
    """A request with this Idempotency-Key is being worked on right now: ask again shortly."""

    code = "request_in_progress"
    title = "Still working on it"
    detail = "A request with this Idempotency-Key is being worked on. Repeat it shortly."


class IdempotencyKeyReusedError(InvalidError):
    """This Idempotency-Key was used for another request: make a new key for each new call."""

    code = "idempotency_key_reused"
    title = "Idempotency-Key used before"
    detail = "This Idempotency-Key was used for another request. Make a new one for each call."


class IdempotencyKeyInvalidError(InvalidError):
    """An Idempotency-Key is 1 to 255 visible ASCII characters, such as a UUID."""

    code = "idempotency_key_invalid"
    title = "Idempotency-Key not usable"
    detail = "An Idempotency-Key is 1 to 255 visible ASCII characters."


@dataclass(frozen=True, slots=True)
class Keyed:
    """A request with a key: whose it is among all others, and what it asks."""

    digest: bytes
    request_hash: bytes
    identity_id: int | None

    @property
    def lock(self) -> int:
        """The number of the advisory lock of this key."""
        return int.from_bytes(self.digest[:8], "big", signed=True)


def key_of(request: flask.Request) -> str | None:
    """The key that the request carries, checked.

    Raises:
        IdempotencyKeyInvalidError: it is empty, too long, or not visible ASCII.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not 0 < len(key) <= MAX_LENGTH or not all("!" <= letter <= "~" for letter in key):
        raise IdempotencyKeyInvalidError(
            errors=[FieldProblem(f"header:{HEADER}", "invalid", IdempotencyKeyInvalidError.detail)]
        )
    return key


def once(
    request: flask.Request, key: str, operation: str, perform: Callable[[], AnyResponse]
) -> AnyResponse:
    """Perform the request unless its key has an answer already; then give that one.

    Runs inside the request's write transaction, after the access check. Only successful answers
    are kept: a refusal rolls back and leaves the key free.

    Raises:
        RequestInProgressError: another process holds the key now.
        IdempotencyKeyReusedError: the key stands for another request.
    """
    keyed = request.environ[_ASKED] = _keyed(request, key, operation)
    kept = _look(keyed)
    if kept is not None:
        if bytes(kept["request_hash"]) != keyed.request_hash:
            raise IdempotencyKeyReusedError
        return _replay(kept)
    response = perform()
    if 200 <= response.status_code < 300 and not response.is_streamed:
        _keep(keyed, response)
    return response


def was_answered_meanwhile() -> bool:
    """Whether the key of the present request, which has just failed, has an answer now.

    Our look at the key may have come a moment before another process committed it; then the
    failure is only the echo of that success, and running the request again gives its answer.
    """
    keyed: Keyed | None = flask.request.environ.pop(_ASKED, None)
    if keyed is None:
        return False
    with committing("read"):
        found = session.execute(_IS_KEPT, {"digest": keyed.digest}).scalar()
    return bool(found)


def prune(older_than: timedelta = timedelta(hours=48)) -> int:
    """Forget keys older than this (never under 24 hours); returns how many. Runs in a unit of work.

    Clients may repeat a request for a day; the second day is for clocks and long outages.
    """
    kept_for = max(older_than, timedelta(hours=24))
    result: Any = session.execute(
        delete(IdempotencyRecord).where(
            IdempotencyRecord.created_at < func.clock_timestamp() - kept_for
        )
    )
    return int(result.rowcount)


def _keyed(request: flask.Request, key: str, operation: str) -> Keyed:
    caller = identity.current_or_none()
    identity_id = caller.id if caller is not None else None
    digest = hashlib.sha256(f"{identity_id}\n{operation}\n{key}".encode()).digest()
    # A last slash means nothing, so a repeat with one asks for the same.
    address = f"{request.path.rstrip('/')}?{request.query_string.decode()}"
    asked = hashlib.sha256(f"{request.method} {address}\n".encode())
    asked.update(body_of(request))
    return Keyed(digest, asked.digest(), identity_id)


# The lock's answer and the row come in one round trip. The row is read as of the statement's
# start, so a key committed just then is not seen: see `was_answered_meanwhile`.
_LOOK = text(
    """
    SELECT pg_try_advisory_xact_lock(:lock) AS is_mine,
           kept.digest, kept.request_hash, kept.status, kept.headers, kept.body
      FROM (SELECT) AS always LEFT JOIN torg_idempotency AS kept ON kept.digest = :digest
    """
)


_IS_KEPT = text("SELECT EXISTS (SELECT FROM torg_idempotency WHERE digest = :digest)")


def _look(keyed: Keyed) -> Any | None:
    row = session.execute(_LOOK, {"lock": keyed.lock, "digest": keyed.digest}).mappings().one()
    if row["digest"] is not None:
        return row
    if not row["is_mine"]:
        raise RequestInProgressError(retry_after=1)
    return None


def _keep(keyed: Keyed, response: AnyResponse) -> None:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    session.execute(
        insert(IdempotencyRecord).values(
            digest=keyed.digest,
            request_hash=keyed.request_hash,
            identity_id=keyed.identity_id,
            status=response.status_code,
            headers=headers,
            body=response.get_data(),
        )
    )


def _replay(kept: Any) -> AnyResponse:
    headers = {**kept["headers"], REPLAYED: "true"}
    return flask.Response(bytes(kept["body"]), kept["status"], headers)
