"""Headers that every answer carries: request id, security, other origins, timing.

Owns the request id of a request and the four groups of headers. Ready answers, which never reach
Flask, take theirs from here too.
"""

import re
import secrets
from collections.abc import Callable
from typing import Any

import flask
from flask import current_app, has_request_context, request
from werkzeug.wrappers import Response as AnyResponse

from torg import db
from torg.config import EXTENSION as CONFIG

Environ = dict[str, Any]
Header = tuple[str, str]
StartResponse = Callable[..., Any]

EXPOSED = (
    "X-Request-Id, ETag, Location, Link, Retry-After, Idempotency-Replayed, RateLimit, "
    "RateLimit-Policy, Server-Timing, Allow"
)
_ALLOWED = (
    "Authorization, Content-Type, Accept-Language, Idempotency-Key, If-Match, If-None-Match, "
    "X-Request-Id, X-Api-Key, Last-Event-ID"
)
_KEPT_UNDER = "torg.request_id"
_SANE = re.compile(r"[\x21-\x7e]{1,128}")
_SECURE = tuple(
    (name.lower(), (name, value))
    for name, value in (
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    )
)
NO_CONTENT_POLICY = (
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
PAGE_CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)
_SECURE_TRANSPORT = "max-age=31536000; includeSubDomains"


def request_id() -> str:
    """The id of the present request, or an empty text outside of one."""
    return id_of(request.environ) if has_request_context() else ""


def id_of(environ: Environ) -> str:
    """The caller's X-Request-Id when it is 1..128 visible ASCII characters, else a new one."""
    known: str | None = environ.get(_KEPT_UNDER)
    if known is None:
        given = environ.get("HTTP_X_REQUEST_ID", "")
        known = given if _SANE.fullmatch(given) else secrets.token_hex(16)
        environ[_KEPT_UNDER] = known
    return known


def completing(
    environ: Environ, start_response: StartResponse, allowed: frozenset[str]
) -> StartResponse:
    """A `start_response` that adds what every answer carries; a header that is there stays.

    It works on the plain list that a WSGI server gets: the same through werkzeug's headers would
    cost as much as all of Flask.
    """

    def start(status: str, listed: list[Header], exc_info: Any = None) -> Any:
        complete(listed, is_anonymous=_is_anonymous(environ))
        if environ.get("wsgi.url_scheme") == "https":
            listed.append(("Strict-Transport-Security", _SECURE_TRANSPORT))
        if allowed:
            listed.extend(leave(environ, allowed))
        listed.append(("X-Request-Id", id_of(environ)))
        return start_response(status, listed, exc_info)

    return start


def complete(listed: list[Header], *, is_anonymous: bool) -> None:
    """Add the headers that depend on the answer alone."""
    present = {name.lower(): value for name, value in listed}
    listed.extend([pair for key, pair in _SECURE if key not in present])
    if "content-security-policy" not in present:
        is_page = present.get("content-type", "").startswith("text/html")
        policy = PAGE_CONTENT_POLICY if is_page else NO_CONTENT_POLICY
        listed.append(("Content-Security-Policy", policy))
    if "cache-control" not in present:
        listed.append(("Cache-Control", "no-cache" if is_anonymous else "no-store"))


def _is_anonymous(environ: Environ) -> bool:
    return "HTTP_AUTHORIZATION" not in environ and "HTTP_X_API_KEY" not in environ


def origins() -> frozenset[str]:
    """The pages of other origins that may call, of the current application."""
    return origins_of(current_app)


def origins_of(app: flask.Flask) -> frozenset[str]:
    """The same, of a given application."""
    settings = app.extensions.get(CONFIG)
    return frozenset(settings.host.cors_origins) if settings is not None else frozenset()


def leave(environ: Environ, allowed: frozenset[str]) -> list[Header]:
    """The headers that let the page of a listed origin read the answer, and no other."""
    origin = environ.get("HTTP_ORIGIN")
    if origin is None or not (origin in allowed or "*" in allowed):
        return [("Vary", "Origin")]
    return [
        ("Vary", "Origin"),
        ("Access-Control-Allow-Origin", origin if origin in allowed else "*"),
        ("Access-Control-Expose-Headers", EXPOSED),
    ]


def preflight() -> AnyResponse | None:
    """The answer to a browser's question before a call of another origin, or None if it is none."""
    asked = request.headers.get("Access-Control-Request-Method")
    if request.method != "OPTIONS" or asked is None:
        return None
    response = flask.Response(status=204)
    origin = request.headers.get("Origin")
    allowed = origins()
    if origin in allowed or "*" in allowed:
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH, DELETE"
        response.headers["Access-Control-Allow-Headers"] = _ALLOWED
        response.headers["Access-Control-Max-Age"] = "600"
    return response


def timing(response: AnyResponse, seconds: float) -> None:
    """Tell a developer where the time went (debug only): `Server-Timing` in milliseconds."""
    count = db.statistics()
    response.headers["Server-Timing"] = (
        f"total;dur={seconds * 1000:.1f}, "
        f'db;dur={count.seconds * 1000:.1f};desc="{count.statements} queries"'
    )
