"""The web server's own refusals (a broken request line, headers too large) as problem+json.

gunicorn answers these before the application sees the request, and as HTML. Owns only those
answers; every other problem is `problems`'. The proxy does the same for its own refusals
(`deploy/nginx.conf`).
"""

from __future__ import annotations

import secrets
import socket

import orjson
from gunicorn import util

_CODES = {400: "malformed_request", 413: "body_too_large", 503: "unavailable"}


def install(base_url: str) -> None:
    """Let this process and its future children answer so.

    Args:
        base_url: The address users see; links to the pages of error codes begin with it.
    """

    def write_error(client: socket.socket, status: int, reason: str, message: str) -> None:
        del message  # gunicorn's repeats what was sent, which may be anything
        util.write_nonblock(client, answer(base_url, status, reason))

    # The one place gunicorn has for it: a worker's `handle_error` ends there and offers no setting.
    util.write_error = write_error


def answer(base_url: str, status: int, reason: str) -> bytes:
    """The whole HTTP answer; the connection ends with it."""
    request_id = secrets.token_hex(16)
    code = _CODES.get(status, "http_error")
    body = orjson.dumps(
        {
            "type": f"{base_url}/errors/{code}",
            "title": reason,
            "status": status,
            "detail": "The request breaks a rule of HTTP, so it was not read.",
            "code": code,
            "request_id": request_id,
        }
    )
    head = (
        f"HTTP/1.1 {status} {reason}\r\n"
        "Content-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        f"X-Request-Id: {request_id}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("latin-1") + body
