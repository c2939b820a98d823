"""JSON out: one encoder for every answer, fast and strict.

Owns how values become JSON bytes. Reading JSON is `torg.strict_json`'s.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import flask
import orjson
from flask.json.provider import JSONProvider

from torg import clock
from torg.money import Money

_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


def encode(value: Any, *, indented: bool = False) -> bytes:
    """JSON bytes (UTF-8) of a value made of plain types, money, decimals and aware times.

    Raises:
        TypeError: a type that has no JSON form here.
        ValueError: a time without a zone.
    """
    options = _OPTIONS | orjson.OPT_INDENT_2 if indented else _OPTIONS
    return orjson.dumps(value, _plain, options)


def nested(nodes: Iterable[Mapping[str, Any]], branch: str = "children") -> orjson.Fragment:
    """A tree of any depth, ready to be written as part of an answer.

    The encoder itself refuses what is nested more than 254 times.

    Args:
        nodes: the roots; each has other members, too.
        branch: the member that holds the nodes below a node; it is written last.
    """
    return orjson.Fragment(b"".join(_pieces(nodes, branch)))


def _pieces(nodes: Iterable[Mapping[str, Any]], branch: str) -> Iterator[bytes]:
    opening = b"," + encode(branch) + b":["
    levels = [enumerate(nodes)]
    yield b"["
    while levels:
        place, node = next(levels[-1], (0, None))
        if node is None:
            levels.pop()
            yield b"]}" if levels else b"]"
            continue
        own = {name: value for name, value in node.items() if name != branch}
        yield (b"," if place else b"") + encode(own)[:-1] + opening
        levels.append(enumerate(node[branch]))


def _plain(value: Any) -> Any:
    if isinstance(value, Money):
        return {"amount": value.format(), "currency": value.currency}
    if isinstance(value, datetime):
        return clock.format_moment(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, set | frozenset):
        return sorted(value)
    message = f"{type(value).__name__} has no JSON form"
    raise TypeError(message)


class JsonProvider(JSONProvider):
    """Flask's JSON by orjson."""

    def dumps(self, obj: Any, **_options: Any) -> str:
        """JSON text; options of the standard library are not obeyed."""
        return encode(obj).decode()

    def loads(self, s: str | bytes, **_options: Any) -> Any:
        """Values of JSON text, for tests and tools; requests go through the strict reader."""
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> flask.Response:
        """A response with the values as its body."""
        value = self._prepare_response_obj(args, kwargs)
        return flask.Response(encode(value), mimetype="application/json")
