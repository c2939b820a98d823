"""How a plugin declares its routes: flask-smorest's blueprint plus the host's rules.

Owns the declarations (who may call, which transaction, which errors, limits, replay, ready
answers) and hangs them on the view function. Obeying them is `torg.http`'s, documenting them
`torg.openapi`'s.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar, cast

import flask
import flask_smorest
from flask_smorest.arguments import ArgumentsMixin
from flask_smorest.utils import resolve_schema_instance, unpack_tuple_response
from werkzeug.wrappers import Response as AnyResponse

from torg.db import Mode
from torg.errors import TorgError
from torg.json_answers import encode
from torg.request_reading import RequestParser
from torg.schemas import Schema

View = TypeVar("View", bound=Callable[..., Any])
Access = Literal["undeclared", "public", "restricted"]
CountedBy = Literal["address", "identity"]
_KEPT_UNDER = "torg_declaration"


@dataclass(frozen=True, slots=True)
class LimitRule:
    """At most `rate` calls for each caller; `name` is what settings override it by."""

    rate: str
    by: CountedBy
    name: str = ""


@dataclass(frozen=True, slots=True)
class ReadyRule:
    """The finished bytes may be sent again while no tag was invalidated, for `seconds` at most."""

    tags: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Declaration:
    """Everything the host needs to know about a view."""

    access: Access = "undeclared"
    permission: str | None = None
    verified: bool = False
    mode: Mode | None = None
    idempotent: bool = False
    if_match: bool = False
    upload: bool = False
    errors: tuple[type[TorgError], ...] = ()
    limits: tuple[LimitRule, ...] = ()
    ready: ReadyRule | None = None


def declaration_of(view: Callable[..., Any]) -> Declaration:
    """What the decorators of this view have declared so far."""
    found: Declaration = getattr(view, _KEPT_UNDER, Declaration())
    return found


def _declare(view: View, **changes: Any) -> View:
    # functools.wraps copies function attributes, so decorators above see what those below said.
    setattr(view, _KEPT_UNDER, replace(declaration_of(view), **changes))
    return view


class _Reading(ArgumentsMixin):  # type: ignore[misc]  # flask-smorest ships no types
    """The argument decorator of flask-smorest around a reader of our own."""

    def __init__(self, parser: RequestParser) -> None:
        self.ARGUMENTS_PARSER = parser


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]  # flask-smorest ships no types
    """The routes of one plugin, below the prefix or at the root paths that its manifest claims.

    Every view states `public` or `requires(...)`; one that states neither stops the start.
    """

    def __init__(
        self, name: str, import_name: str = "torg", *, at_root: bool = False, **options: Any
    ) -> None:
        """Take flask-smorest's options; `description` is shown above the operations.

        Args:
            name: unique in its plugin.
            import_name: as in Flask.
            at_root: its rules are whole addresses, such as `/products/`, and not below the
                plugin's prefix; each has to be at or below one of the manifest's `root_paths`.
            **options: of flask-smorest.
        """
        super().__init__(name, import_name, **options)
        self.at_root = at_root

    def route(self, rule: str, **options: Any) -> Callable[[View], View]:
        """Serve the rule by the view; put it above all other decorators."""
        return cast("Callable[[View], View]", super().route(rule, **options))

    def add_url_rule(self, rule: str, *args: Any, **options: Any) -> None:
        """As in Flask; "/" means the prefix itself, so that no address ends in a slash."""
        super().add_url_rule("" if rule == "/" else rule, *args, **options)

    def arguments(
        self, schema: Any, *, location: str = "json", required: bool = True, **options: Any
    ) -> Callable[[View], View]:
        """Load and check the body (or query, files, headers) and hand it to the view, first.

        Args:
            schema: marshmallow schema, class or instance.
            location: "json", "query", "form", "files" or "headers".
            required: whether an empty body is refused.
            **options: as in flask-smorest (`description`, `example`, `as_kwargs`, ...).
        """
        # An instance is made once here; webargs would make one of a class for every request.
        instance = resolve_schema_instance(schema)
        reading = _Reading(RequestParser(body_required=required))
        decorate = reading.arguments(instance, location=location, required=required, **options)

        def decorator(view: View) -> View:
            if location == "files":
                _declare(view, upload=True)
            return cast("View", decorate(view))

        return decorator

    def _prepare_arguments_doc(self, *args: Any, **options: Any) -> Any:
        """Describe a body that may come in several forms: flask-smorest takes the first alone."""
        described = super()._prepare_arguments_doc(*args, **options)
        forms = self.DEFAULT_LOCATION_CONTENT_TYPE_MAPPING
        parameters = described.get("parameters", [])
        for further in [each for each in parameters if each.get("in") in forms]:
            parameters.remove(further)
            kept = {name: further[name] for name in ("schema", "example") if name in further}
            kind = further.get("content_type") or forms[further["in"]]
            described["requestBody"]["content"][kind] = kept
        return described

    def response(
        self, status_code: int, schema: Any = None, **options: Any
    ) -> Callable[[View], View]:
        """Dump what the view returns by the schema and answer with this status.

        A view may return the object, `(object, headers)`, `(object, status)`,
        `(object, status, headers)` or a finished response, which passes through.
        """
        dumper = resolve_schema_instance(schema)
        document = super().response(status_code, dumper, **options)

        def decorator(view: View) -> View:
            @functools.wraps(document(view))
            def answer(*args: Any, **kwargs: Any) -> AnyResponse:
                return _answer(view(*args, **kwargs), status_code, dumper)

            return cast("View", answer)

        return decorator

    def alt_response(
        self, status_code: int, response: Any = None, **options: Any
    ) -> Callable[[View], View]:
        """Describe another answer than the usual one: what its body is, under its status."""
        described = super().alt_response(status_code, response, **options)
        return cast("Callable[[View], View]", described)

    @staticmethod
    def public(view: View) -> View:
        """Anybody may call this view."""
        return _declare(view, access="public")

    @staticmethod
    def requires(
        permission: str | None = None, *, verified: bool = False
    ) -> Callable[[View], View]:
        """Only a signed-in caller with this permission may call the view.

        Args:
            permission: its name in the manifest; None asks for a signed-in caller only.
            verified: whether the e-mail address must be confirmed, too.
        """
        return lambda view: _declare(
            view, access="restricted", permission=permission, verified=verified
        )

    @staticmethod
    def transaction(mode: Mode) -> Callable[[View], View]:
        """Choose the transaction: "write" (default but for GET), "read" or "statement".

        "statement" is for a view that does all its work in ONE statement: it is its own
        transaction, which saves two round trips. With an Idempotency-Key it becomes "write",
        because effect and kept answer must commit together.
        """
        return lambda view: _declare(view, mode=mode)

    @staticmethod
    def idempotent(view: View) -> View:
        """Accept an Idempotency-Key: a repeat with the same key gets the first answer again."""
        return _declare(view, idempotent=True)

    @staticmethod
    def if_match(view: View) -> View:
        """Accept If-Match; the view calls `etag.require_match`, and must when it was sent."""
        return _declare(view, if_match=True)

    @staticmethod
    def fails(*errors: type[TorgError]) -> Callable[[View], View]:
        """Name the refusals that this view may answer with, for the documents."""
        return lambda view: _declare(view, errors=(*declaration_of(view).errors, *errors))

    @staticmethod
    def limit(rate: str, *, by: CountedBy = "address", name: str = "") -> Callable[[View], View]:
        """Answer 429 to a caller that is faster than this. May be given more than once.

        Args:
            rate: such as "60 per minute" or "5 per 10 second".
            by: "address" counts per network address; "identity" per signed-in caller, and per
                address for an anonymous one.
            name: what the setting `rate_limits` overrides it by; the operation id by default.
        """
        rule = LimitRule(rate, by, name)
        return lambda view: _declare(view, limits=(*declaration_of(view).limits, rule))

    @staticmethod
    def ready_answer(*, tags: tuple[str, ...], seconds: float) -> Callable[[View], View]:
        """Keep the finished answer to anonymous callers and send it again without Flask.

        Args:
            tags: what `cache.invalidate` names when something the answer shows has changed; may
                use the route's arguments: "note:{note_id}".
            seconds: longest life of an answer; `ready_answers.valid_for` shortens it for one.
        """
        return lambda view: _declare(view, ready=ReadyRule(tags, seconds))


def _answer(result: Any, status_code: int, dumper: Any) -> AnyResponse:
    body, status, headers = unpack_tuple_response(result)
    if isinstance(body, AnyResponse):
        if status is not None:
            body.status_code = int(status)
        body.headers.extend(headers or {})
        return body
    code = status_code if status is None else int(status)
    if body is None and dumper is None:
        return flask.Response(status=code, headers=headers)
    return flask.Response(_bytes(body, dumper), code, headers, mimetype="application/json")


def _bytes(body: Any, dumper: Any) -> bytes:
    if isinstance(dumper, Schema):
        return dumper.dump_bytes(body)
    return encode(body if dumper is None else dumper.dump(body))
