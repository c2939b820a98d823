"""The one translator: whatever was raised becomes RFC 9457 `application/problem+json`.

Owns the table from exceptions to the host's kinds and the shape of the answer. The kinds are
`torg.errors`', the pages that explain them `torg.problem_pages`'.
"""

from collections.abc import Callable
from typing import Any

import flask
import marshmallow
import structlog
from flask import current_app, request
from redis.exceptions import RedisError
from sqlalchemy import exc as sqlalchemy_errors
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Response as AnyResponse

from torg import db, problem_pages
from torg.errors import (
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    MalformedError,
    NotFoundError,
    PreconditionFailedError,
    TooLargeError,
    TooManyError,
    TorgError,
    UnauthorizedError,
    UnavailableError,
    UnsupportedMediaError,
)
from torg.field_problems import field_problems
from torg.headers import request_id
from torg.i18n import gettext
from torg.json_answers import encode

MEDIA_TYPE = "application/problem+json"
_log = structlog.get_logger(__name__)


class MethodNotAllowedError(TorgError):
    """This address knows other methods; the header `Allow` lists them."""

    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"
    detail = "This address takes: {allowed}."


class NotAcceptableError(TorgError):
    """None of the media types that your `Accept` header names can be answered here."""

    status = 406
    code = "not_acceptable"
    title = "Not acceptable"
    detail = "This cannot be answered in a media type that you accept."


class HttpError(TorgError):
    """The request breaks a rule of HTTP; the status says which."""

    status = 400
    code = "http_error"
    title = "HTTP error"
    detail = "The request cannot be served: {reason}."


class ValueRefusedError(InvalidError):
    """A value does not fit what is stored for it: too long, too large or of another form."""

    code = "value_refused"
    title = "Value refused"
    detail = "A value does not fit what can be stored for it."


class DatabaseAwayError(UnavailableError):
    """The database did not answer. If you sent an Idempotency-Key, repeat with the same key."""

    code = "database_unavailable"
    title = "Database unavailable"
    detail = "The database did not answer in time. Nothing is known to be lost; try again shortly."


_BY_STATUS: dict[int, type[TorgError]] = {
    kind.status: kind
    for kind in (
        UnauthorizedError,
        ForbiddenError,
        NotFoundError,
        NotAcceptableError,
        ConflictError,
        GoneError,
        PreconditionFailedError,
        TooLargeError,
        UnsupportedMediaError,
        InvalidError,
        TooManyError,
        UnavailableError,
    )
}


def init(app: flask.Flask) -> None:
    """Answer every error of this application by the translator, and explain the codes."""
    app.register_error_handler(Exception, answer)
    problem_pages.init(app)


def answer(error: Exception) -> AnyResponse:
    """The response to an error; what nobody expected is logged with its traceback."""
    if isinstance(error, RequestRedirect):
        return error.get_response()
    refusal = translate(error)
    if refusal.status >= 500:
        _record(error, refusal)
    return respond(refusal)


def translate(error: Exception) -> TorgError:
    """The refusal that stands for an exception."""
    if isinstance(error, TorgError):
        return error
    if isinstance(error, HTTPException):
        return _from_http(error)
    for kinds, make in _TABLE:
        if isinstance(error, kinds):
            return make(error)
    return TorgError()


def body(refusal: TorgError) -> dict[str, Any]:
    """The members of the problem document, in the language of the request."""
    members: dict[str, Any] = {
        "type": problem_pages.url(refusal.code),
        "title": gettext(refusal.title),
        "status": refusal.status,
        "detail": refusal.message(gettext(refusal.detail)),
        "instance": request.path,
        "code": refusal.code,
    }
    if refusal.errors:
        members["errors"] = [
            {"pointer": each.pointer, "code": each.code, "message": gettext(each.message)}
            for each in refusal.errors
        ]
    members["request_id"] = request_id()
    # RFC 9457 keeps its own members' names to itself.
    return {**refusal.extras(), **members}


def respond(refusal: TorgError) -> AnyResponse:
    """The finished response to a refusal."""
    headers = Headers(refusal.headers)
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(max(1, int(refusal.retry_after)))
    return flask.Response(encode(body(refusal)), refusal.status, headers, mimetype=MEDIA_TYPE)


def _record(error: Exception, refusal: TorgError) -> None:
    if isinstance(error, TorgError) and type(error) is not TorgError:
        _log.warning("request_refused", code=refusal.code, path=request.path)
    elif refusal.status == 503:
        _log.warning("part_unavailable", code=refusal.code, path=request.path, error=repr(error))
    else:
        current_app.extensions.get("torg.problems.count", lambda: None)()
        _log.error("request_failed", path=request.path, method=request.method, exc_info=error)


def _from_http(error: HTTPException) -> TorgError:
    status = error.code or 500
    if status == 405:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        return MethodNotAllowedError(allowed=allowed, headers={"Allow": allowed})
    if status == 400:
        return MalformedError(reason="the server could not understand it")
    kind = _BY_STATUS.get(status)
    if kind is not None:
        return kind()
    if status >= 500:
        return TorgError()
    refusal = HttpError(reason=error.name.lower())
    refusal.status = status  # type: ignore[misc]  # of this one answer
    return refusal


def _from_validation(error: Exception) -> TorgError:
    assert isinstance(error, marshmallow.ValidationError)
    return InvalidError(errors=field_problems(error.messages))


def _from_integrity(error: Exception) -> TorgError:
    assert isinstance(error, sqlalchemy_errors.IntegrityError)
    # The constraint is for the operator; to a client it would tell the shape of the database.
    diagnosis = getattr(error.orig, "diag", None)
    constraint = getattr(diagnosis, "constraint_name", None)
    _log.info("constraint_refused", constraint=constraint, path=request.path)
    return ConflictError()


_TABLE: tuple[tuple[tuple[type[Exception], ...], Callable[[Exception], TorgError]], ...] = (
    ((marshmallow.ValidationError,), _from_validation),
    ((sqlalchemy_errors.IntegrityError,), _from_integrity),
    ((sqlalchemy_errors.DataError,), lambda _: ValueRefusedError()),
    (
        (
            db.CommitUnknownError,
            sqlalchemy_errors.OperationalError,
            sqlalchemy_errors.InterfaceError,
            sqlalchemy_errors.TimeoutError,
        ),
        lambda _: DatabaseAwayError(),
    ),
    ((RedisError,), lambda _: UnavailableError()),
)
