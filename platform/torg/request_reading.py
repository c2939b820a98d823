"""What comes in: the address, the query and the body, read strictly or refused with a 4xx.

Owns the webargs parser of every blueprint, the check of raw addresses and the path converters.
The JSON grammar itself is `torg.strict_json`'s, the meaning of values the schemas'.
"""

from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

import flask
import marshmallow
from webargs.flaskparser import FlaskParser
from werkzeug.routing import IntegerConverter, Map

from torg import strict_json
from torg.errors import (
    FieldProblem,
    InvalidError,
    MalformedError,
    TooLargeError,
    UnsupportedMediaError,
)
from torg.field_problems import field_problems

MAX_ID = 2**63 - 1
_REMEMBERED = 256
_REMEMBERED_LENGTH = 256


class BodyMissingError(MalformedError):
    """This route needs a JSON body and got none."""

    code = "body_required"
    title = "Body missing"
    detail = "This route needs a JSON body."


class RequestParser(FlaskParser):
    """The webargs parser with a strict body reader and no tolerance for unknown parameters.

    A refusal is always raised: webargs reads a parser error whose document is empty as "no body"
    and would let it pass.
    """

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {  # noqa: RUF012 - as webargs reads it
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        "query": marshmallow.RAISE,
        "querystring": marshmallow.RAISE,
        "form": marshmallow.RAISE,
        "files": marshmallow.RAISE,
    }

    def __init__(self, *, body_required: bool = True) -> None:
        """Say whether an empty JSON body is refused (400) or read as an empty object."""
        super().__init__()
        self._body_required = body_required
        self._multiple: set[str] | None = None  # of the one schema it reads
        self._read: dict[str, dict[str, Any]] = {}

    def parse(
        self,
        argmap: Any,
        req: flask.Request | None = None,
        *,
        location: str | None = None,
        **options: Any,
    ) -> Any:
        """As webargs does; what a query string says is remembered, for lists ask the same again.

        Schemas of query strings depend on nothing but the text. The values are shared between
        requests, so views change the dict that they get and never what is in it.
        """
        if location != "query":
            return super().parse(argmap, req, location=location, **options)
        query = (req or flask.request).environ.get("QUERY_STRING", "")
        found = self._read.get(query)
        if found is None:
            found = super().parse(argmap, req, location=location, **options)
            if len(query) <= _REMEMBERED_LENGTH and isinstance(found, dict):
                if len(self._read) >= _REMEMBERED:
                    self._read.clear()
                self._read[query] = found
        return dict(found)

    def load_json(self, req: flask.Request, schema: marshmallow.Schema) -> Any:
        """The body's values.

        Raises:
            BodyMissingError: it is empty and required.
            UnsupportedMediaError: it is not plain `application/json`.
            MalformedError, InvalidError: it breaks the strict grammar.
        """
        del schema
        raw = body_of(req)
        if not raw:
            if self._body_required:
                raise BodyMissingError
            return {}
        if req.mimetype != "application/json" or req.content_encoding:
            raise UnsupportedMediaError
        return strict_json.loads(raw)

    def load_querystring(self, req: flask.Request, schema: marshmallow.Schema) -> Any:
        """The query parameters; one that takes a single value may be given once only."""
        if self._multiple is None:
            self._multiple = self._makeproxy(req.args, schema).multiple_keys
        multiple = self._multiple
        given = dict(req.args.lists())
        _refuse_repeated(given, multiple)
        # A plain dict: marshmallow asks for every field, and a MultiDict raises for an absent one.
        return {name: values if name in multiple else values[0] for name, values in given.items()}

    def handle_error(
        self,
        error: marshmallow.ValidationError,
        req: flask.Request,
        schema: marshmallow.Schema,
        *,
        error_status_code: int | None,
        error_headers: Mapping[str, str] | None,
    ) -> NoReturn:
        """Turn marshmallow's messages into the host's refusal with pointers."""
        del req, error_status_code, error_headers
        messages = error.messages
        location = ""
        # webargs wraps the messages in the location they came from.
        if isinstance(messages, dict) and len(messages) == 1:
            ((location, messages),) = messages.items()
        raise InvalidError(errors=field_problems(messages, str(location), schema)) from error


def _refuse_repeated(given: Mapping[str, list[str]], multiple: set[str]) -> None:
    repeated = [name for name, values in given.items() if len(values) > 1 and name not in multiple]
    if repeated:
        raise InvalidError(
            errors=[
                FieldProblem(f"?{name}", "repeated", "This parameter may be given once only.")
                for name in repeated
            ]
        )


def check_address(environ: Mapping[str, Any]) -> None:
    """Refuse a path or query with NUL or with bytes that are not UTF-8, before any routing.

    Raises:
        MalformedError: naming the part.
    """
    path: str = environ.get("PATH_INFO", "")
    # A WSGI path holds the decoded bytes as latin-1 characters (PEP 3333).
    if not path.isascii() or "\0" in path:
        _check_text(path.encode("latin-1", "replace"), "path")
    query: str = environ.get("QUERY_STRING", "")
    if not query.isascii() or "%" in query:
        _check_text(unquote_to_bytes(query.encode("latin-1", "replace")), "query")


def _check_text(raw: bytes, part: str) -> None:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedError(reason=f"the {part} is not UTF-8") from None
    if "\0" in text:
        raise MalformedError(reason=f"the {part} contains a NUL character")


def check_length(request: flask.Request, limit_bytes: int) -> None:
    """Bound the body, declared or streamed; call it before anything is read.

    Raises:
        TooLargeError: the declared length is above the limit. A streamed body that grows past it
            fails with the same answer where it is read.
    """
    environ = request.environ
    if "CONTENT_LENGTH" not in environ and "HTTP_TRANSFER_ENCODING" not in environ:
        return
    # werkzeug cuts a streamed body at the maximum without a word: one byte more shows the cut.
    request.max_content_length = limit_bytes + 1
    request.max_form_memory_size = limit_bytes
    if (request.content_length or 0) > limit_bytes:
        raise TooLargeError(limit_bytes=limit_bytes)


def body_of(request: flask.Request) -> bytes:
    """The whole body as bytes; it can be read again.

    Raises:
        TooLargeError: it was streamed and grew past the limit.
    """
    raw = request.get_data(cache=True)
    limit = request.max_content_length
    if limit is not None and len(raw) >= limit:
        raise TooLargeError(limit_bytes=limit - 1)
    return raw


class IdConverter(IntegerConverter):
    """`<int:…>`: ASCII digits without leading zeros, at most what a BIGINT holds; else 404."""

    regex = r"(?:0|[1-9][0-9]{0,18})"

    def __init__(self, map: Map, *args: Any, **options: Any) -> None:  # noqa: A002 - werkzeug's name
        """Take werkzeug's options with an upper bound unless one is given."""
        super().__init__(map, *args, **{"max": MAX_ID, **options})
