"""Headers that every answer carries: request id, security, other origins, timing.

Owns the request id of a request and the four groups of headers. Ready answers, which never reach
Flask, take theirs from here too.
"""

import re
import secrets
from collections.abc import Mapping
from typing import Any

import flask
from flask import current_app, has_request_context, request
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response as AnyResponse

from torg import db
from torg.config import EXTENSION as CONFIG

EXPOSED = (
    "X-Request-Id, ETag, Location, Retry-After, Idempotency-Replayed, RateLimit, RateLimit-Policy, "
    "Server-Timing, Allow"
)
_ALLOWED = (
    "Authorization, Content-Type, Accept-Language, Idempotency-Key, If-Match, If-None-Match, "
    "X-Request-Id, X-Api-Key, Last-Event-ID"
)
_KEPT_UNDER = "torg.request_id"
_SANE = re.compile(r"[\x21-\x7e]{1,128}")
_SECURE = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
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


def id_of(environ: dict[str, Any]) -> str:
    """The caller's X-Request-Id when it is 1..128 visible ASCII characters, else a new one."""
    known: str | None = environ.get(_KEPT_UNDER)
    if known is None:
        given = environ.get("HTTP_X_REQUEST_ID", "")
        known = given if _SANE.fullmatch(given) else secrets.token_hex(16)
        environ[_KEPT_UNDER] = known
    return known


def finish(response: AnyResponse) -> None:
    """Add what is missing; a header that a view has set stays."""
    headers = response.headers
    for name, value in _SECURE:
        headers.setdefault(name, value)
    page = response.mimetype == "text/html"
    headers.setdefault(
        "Content-Security-Policy", PAGE_CONTENT_POLICY if page else NO_CONTENT_POLICY
    )
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", _SECURE_TRANSPORT)
    if "Authorization" in request.headers or "X-Api-Key" in request.headers:
        headers.setdefault("Cache-Control", "no-store")
    else:
        headers.setdefault("Cache-Control", "no-cache")
    allow_origin(request.environ, headers, origins())
    headers["X-Request-Id"] = id_of(request.environ)


def origins() -> frozenset[str]:
    """The pages of other origins that may call, of the current application."""
    return origins_of(current_app)


def origins_of(app: flask.Flask) -> frozenset[str]:
    """The same, of a given application."""
    settings = app.extensions.get(CONFIG)
    return frozenset(settings.host.cors_origins) if settings is not None else frozenset()


def allow_origin(environ: Mapping[str, Any], headers: Headers, allowed: frozenset[str]) -> None:
    """Let the page of a listed origin read the answer, and no other."""
    if not allowed:
        return
    headers.add("Vary", "Origin")
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and (origin in allowed or "*" in allowed):
        headers["Access-Control-Allow-Origin"] = origin if origin in allowed else "*"
        headers["Access-Control-Expose-Headers"] = EXPOSED


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
