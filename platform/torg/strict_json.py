"""Reads JSON so that nothing odd gets past: one place for what Python's reader lets through.

Owns the rules of a body's syntax (RFC 8259 in the strict reading of I-JSON, RFC 7493). What the
values mean is the schemas' matter; media type, size and the empty body are `torg.http`'s.
"""

import json
import math
import re
from collections.abc import Iterator
from json import JSONDecodeError
from typing import Any, NoReturn

from torg.errors import FieldProblem, InvalidError, MalformedError

MAX_DEPTH = 32
# What PostgreSQL's BIGINT and every JSON encoder hold; nothing here takes or stores more.
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1
MAX_NUMBER_LENGTH = 40
_MAX_PROBLEMS = 20

# Escapes that may stand for a NUL or half of a surrogate pair; raw ones cannot get this far.
_SUSPICIOUS_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_SURROGATE = re.compile("[\ud800-\udfff]")
# A string that never ends reaches to the end of the body; otherwise every quote in it would start
# a new search and the time would grow with the square of the length.
_STRING_OR_BRACKET = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)

_MESSAGES = {
    "too_deep": f"Nested more than {MAX_DEPTH} levels deep.",
    "duplicate_key": "The name appears twice in one object.",
    "number_too_long": f"A number may have at most {MAX_NUMBER_LENGTH} characters.",
    "number_out_of_range": "The number is too large.",
    "forbidden_character": "Text may hold neither NUL nor half of a surrogate pair.",
}


class MalformedJsonError(MalformedError):
    """The body is not JSON in UTF-8 (RFC 8259). The answer says where reading it stopped."""

    code = "malformed_json"
    title = "Malformed JSON"
    detail = "The body is not valid JSON: {reason}."


class _Refused(Exception):  # noqa: N818 - a signal inside this module, not an error of its own
    """The quick reading met something that the thorough one has to point at."""


class _Mark:
    """Stands in the thorough reading's result where a refused value was."""

    __slots__ = ("code",)

    def __init__(self, code: str) -> None:
        self.code = code


def loads(raw: bytes) -> Any:
    """The value of a JSON text.

    Integers become `int` and fit BIGINT, other numbers become finite `float`s; one whose text is
    longer than `MAX_NUMBER_LENGTH` is refused before anything is computed from it.

    Raises:
        MalformedJsonError: the text is no JSON, or not UTF-8; NaN and Infinity are no JSON.
        InvalidError: it is JSON, but nested too deep, with a name twice in an object, with a
            number too long or too large, or with a NUL or a lone surrogate in a text. `errors`
            points at the places (RFC 6901).
    """
    if _is_too_deep(raw):
        raise InvalidError(errors=[_problem("", "too_deep")])
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedJsonError(reason=f"byte {error.start} is not UTF-8") from None
    try:
        value = _QUICK.decode(text)
    except JSONDecodeError as error:
        raise _malformed(error) from None
    except _Refused:
        raise InvalidError(errors=_find_problems(text)) from None
    if _SUSPICIOUS_ESCAPE.search(raw) and (problems := list(_walk(value, ""))):
        raise InvalidError(errors=problems[:_MAX_PROBLEMS])
    return value


def pointer_token(name: str | int) -> str:
    """One step of a JSON pointer, escaped (RFC 6901, 3)."""
    return "/" + str(name).replace("~", "~0").replace("/", "~1")


def _is_too_deep(raw: bytes) -> bool:
    # Counted before parsing: the parser's own limit differs by version and ends in RecursionError.
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return False
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(raw):
        token = match.group()
        if token in (b"{", b"["):
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif token in (b"}", b"]"):
            depth -= 1
    return False


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Refused
    return value


def _integer(digits: str) -> int:
    if len(digits) > MAX_NUMBER_LENGTH:
        raise _Refused
    value = int(digits)
    if not MIN_INTEGER <= value <= MAX_INTEGER:
        raise _Refused
    return value


def _real(digits: str) -> float:
    if len(digits) > MAX_NUMBER_LENGTH:
        raise _Refused
    value = float(digits)
    if math.isinf(value):
        raise _Refused
    return value


def _constant(name: str) -> NoReturn:
    raise MalformedJsonError(reason=f"{name} is no JSON value")


def _marked_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, item in pairs:
        value[name] = _Mark("duplicate_key") if name in value else item
    return value


def _marked_integer(digits: str) -> int | _Mark:
    if len(digits) > MAX_NUMBER_LENGTH:
        return _Mark("number_too_long")
    value = int(digits)
    return value if MIN_INTEGER <= value <= MAX_INTEGER else _Mark("number_out_of_range")


def _marked_real(digits: str) -> float | _Mark:
    if len(digits) > MAX_NUMBER_LENGTH:
        return _Mark("number_too_long")
    value = float(digits)
    return _Mark("number_out_of_range") if math.isinf(value) else value


# Made once: building a decoder costs as much as reading a small body.
_QUICK = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_real, parse_constant=_constant
)
_THOROUGH = json.JSONDecoder(
    object_pairs_hook=_marked_object,
    parse_int=_marked_integer,
    parse_float=_marked_real,
    parse_constant=_constant,
)


def _find_problems(text: str) -> list[FieldProblem]:
    try:
        value = _THOROUGH.decode(text)
    except JSONDecodeError as error:
        # The quick reading stopped before the place where the syntax breaks.
        raise _malformed(error) from None
    return list(_walk(value, ""))[:_MAX_PROBLEMS]


def _walk(value: Any, pointer: str) -> Iterator[FieldProblem]:
    """The refused places below `pointer`; not deeper than MAX_DEPTH, so recursion is safe."""
    if isinstance(value, str):
        if not _is_storable(value):
            yield _problem(pointer, "forbidden_character")
    elif isinstance(value, dict):
        for name, item in value.items():
            if _is_storable(name):
                yield from _walk(item, pointer + pointer_token(name))
            else:
                yield _problem(pointer, "forbidden_character")
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _walk(item, pointer + pointer_token(position))
    elif isinstance(value, _Mark):
        yield _problem(pointer, value.code)


def _is_storable(text: str) -> bool:
    return "\x00" not in text and not _SURROGATE.search(text)


def _problem(pointer: str, code: str) -> FieldProblem:
    return FieldProblem(pointer, code, _MESSAGES[code])


def _malformed(error: JSONDecodeError) -> MalformedJsonError:
    return MalformedJsonError(
        reason=f"{error.msg.lower()} at line {error.lineno}, column {error.colno}"
    )
