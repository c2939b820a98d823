"""Cursors: where a page of a list ended, as an opaque text that is bound to its list.

Owns their writing and reading. A cursor is no secret and gives no right: it holds the last item's
sort values, which the client has seen. The digest is there to refuse one of another list, filter
or sort, and damaged ones.
"""

import base64
import datetime as dt
import hashlib
import re
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import orjson

from torg import strict_json
from torg.errors import FieldProblem, InvalidError, MalformedError

MAX_LENGTH = 4096
_DIGEST_BYTES = 9
PATTERN = "[A-Za-z0-9_-]+"
EXAMPLE = "ZQz9bYk8Jm4uWyIyMDI2LTAxLTMxVDEyOjAwOjAwKzAwOjAwIiwiNDIiXQ"
_TEXT = re.compile(PATTERN)
_DECIMAL_TEXT = re.compile(r"-?[0-9]{1,200}(\.[0-9]{1,200})?|NaN")


class InvalidCursorError(InvalidError):
    """The cursor was not made by this list with this filter and sort.

    Send `next_cursor` of the page before unchanged, with the same other parameters; to change
    filter or sort, begin again without a cursor.
    """

    code = "invalid_cursor"
    title = "Invalid cursor"
    detail = "The cursor does not belong to this list with this filter and sort."

    def __init__(self, **facts: Any) -> None:
        """It always points at the parameter."""
        problem = FieldProblem("?cursor", self.code, self.detail)
        super().__init__(**{"errors": [problem], **facts})


def _text(item: Any) -> str:
    if not isinstance(item, str):
        raise TypeError("no text")
    return item


def _aware(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("naive")
    # Beyond the calendar's ends after the shift to UTC, nothing could compare with it.
    return moment.astimezone(dt.UTC)


def _decimal(text: str) -> Decimal:
    if not _DECIMAL_TEXT.fullmatch(text):
        raise ValueError("no decimal")
    return Decimal(text)


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text]


# For each type of a sort column: how a value becomes text, and back.
_FORMS: dict[type, tuple[Callable[[Any], str], Callable[[str], Any]]] = {
    int: (str, lambda text: _bounded(int(text) if len(text) < 21 else 2**64)),
    str: (str, str),
    bool: (lambda value: str(value).lower(), _boolean),
    float: (repr, float),
    Decimal: (lambda value: format(value, "f"), _decimal),
    dt.datetime: (dt.datetime.isoformat, _aware),
    dt.date: (dt.date.isoformat, dt.date.fromisoformat),
    uuid.UUID: (str, uuid.UUID),
}


def _bounded(number: int) -> int:
    if not -(2**63) <= number < 2**63:
        raise ValueError("no BIGINT")
    return number


def can_hold(kind: type) -> bool:
    """Whether values of this type can stand in a cursor."""
    return kind in _FORMS


def encode(values: Sequence[Any], kinds: Sequence[type], scope: bytes) -> str:
    """The cursor of these sort values.

    Args:
        values: of the last item, in the order of the sort; None for NULL.
        kinds: their Python types.
        scope: what the cursor is bound to: list, filter and sort.
    """
    texts = [
        None if value is None else _FORMS[kind][0](value)
        for value, kind in zip(values, kinds, strict=True)
    ]
    body = orjson.dumps(texts)
    return base64.urlsafe_b64encode(_digest(body, scope) + body).rstrip(b"=").decode()


def decode(text: str, kinds: Sequence[type], scope: bytes) -> list[Any]:
    """The sort values in a cursor.

    Raises:
        InvalidCursorError: it is damaged or was made for something else.
    """
    if len(text) > MAX_LENGTH or not _TEXT.fullmatch(text):
        raise InvalidCursorError
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        digest, body = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
        texts = strict_json.loads(body)
        # The last character has bits to spare: without this, several texts were the same cursor.
        if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
            raise InvalidCursorError
        if digest != _digest(body, scope) or not isinstance(texts, list):
            raise InvalidCursorError
        return [
            None if item is None else _FORMS[kind][1](_text(item))
            for item, kind in zip(texts, kinds, strict=True)
        ]
    except (ValueError, TypeError, KeyError, OverflowError, MalformedError, InvalidError):
        raise InvalidCursorError from None


def _digest(body: bytes, scope: bytes) -> bytes:
    return hashlib.blake2b(
        body, digest_size=_DIGEST_BYTES, key=hashlib.sha256(scope).digest()
    ).digest()
