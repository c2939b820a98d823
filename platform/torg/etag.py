"""Entity tags: answer 304 to what the client has, refuse to change what the client has not seen.

Owns tags made from the bytes of an answer, and the comparison with If-None-Match and If-Match
(RFC 9110, 8.8 and 13.1). All tags are strong.
"""

import hashlib
from typing import Any

from flask import request
from werkzeug.http import parse_etags
from werkzeug.wrappers import Response as AnyResponse

from torg.errors import PreconditionFailedError, TorgError
from torg.json_answers import encode

_CHECKED = "torg.if_match_checked"
_ATTACHED = "torg.etag"


class PreconditionRequiredError(TorgError):
    """Changing this needs the ETag of the state you have seen: send it as `If-Match`."""

    status = 428
    code = "precondition_required"
    title = "If-Match is missing"
    detail = "Send the ETag of the state that you are changing in the header If-Match."


def of(value: Any) -> str:
    """The tag, without quotes, of bytes or of a JSON value as it would be answered.

    For a body that shows the time of the server, make the tag from what matters instead, such as
    `etag.of([note.id, note.updated_at])`, and send it with `attach`.
    """
    raw = value if isinstance(value, bytes) else encode(value)
    # Processors have instructions for this one, which makes it the fastest.
    return hashlib.sha256(raw).hexdigest()[:24]


def attach(tag: str) -> None:
    """Use this tag for the answer of the present request instead of one made from its bytes."""
    request.environ[_ATTACHED] = tag


def require_match(current: Any, *, required: bool = False) -> None:
    """Refuse a change by a client who has not seen the present state.

    Args:
        current: the tag of the present state, or the JSON value whose GET answer carries it.
            Read that state under the lock that the change takes.
        required: whether a request without If-Match is refused too (428).

    Raises:
        PreconditionFailedError: If-Match names other states.
        PreconditionRequiredError: there is no If-Match, and it is required.
    """
    request.environ[_CHECKED] = True
    given = request.headers.get("If-Match")
    if given is None:
        if required:
            raise PreconditionRequiredError
        return
    tag = current if isinstance(current, str) else of(current)
    if not parse_etags(given).contains(tag):
        raise PreconditionFailedError(headers={"ETag": f'"{tag}"'})


def was_checked() -> bool:
    """Whether the present request has gone through `require_match`."""
    return _CHECKED in request.environ


def apply(response: AnyResponse) -> None:
    """Tag a complete 200 answer to GET, and empty it to a 304 when the client has it already."""
    if response.status_code != 200 or response.is_streamed or response.direct_passthrough:
        return
    header = response.headers.get("ETag")
    if header is None:
        tag = request.environ.get(_ATTACHED) or of(response.get_data())
        header = response.headers["ETag"] = f'"{tag}"'
    if is_known(header, request.environ.get("HTTP_IF_NONE_MATCH")):
        response.status_code = 304
        response.set_data(b"")
        # A 304 repeats no header that describes the missing body (RFC 9110, 15.4.5).
        for name in ("Content-Type", "Content-Length"):
            response.headers.pop(name, None)


def is_known(tag: str, if_none_match: str | None) -> bool:
    """Whether If-None-Match names the quoted tag; compared weakly, as RFC 9110 13.1.2 asks."""
    if if_none_match is None:
        return False
    if if_none_match == tag:
        return True
    return parse_etags(if_none_match).contains_weak(tag.strip('"'))
