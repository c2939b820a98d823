"""The kinds of refusal: what every part raises and one translator answers.

Owns the classes and their catalogue. How an error becomes an HTTP answer is `torg.problems`' job;
what is wrong in a plugin's own words is a subclass in that plugin's `errors.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One wrong place in a request.

    `pointer` is a JSON pointer (RFC 6901) into the body, or `?name` for a query parameter.
    """

    pointer: str
    code: str
    message: str


class TorgError(Exception):
    """Something this server could not do, and it is not your mistake.

    A subclass states `status`, a stable `code`, a `title` and a `detail` template whose
    `{facts}` are the keyword arguments it is raised with. Facts are attributes of the error; those
    named in `public` are also part of the answer. The first docstring of a subclass is the page
    that its `type` URL shows, so it speaks to the client.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"
    detail: ClassVar[str] = "Something went wrong here. It has been recorded under the request id."
    public: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        *,
        errors: Sequence[FieldProblem] = (),
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> None:
        """Keep the facts of the refusal.

        Args:
            errors: the wrong places, when they are known.
            retry_after: whole seconds after which a repeat makes sense (sent as `Retry-After`).
            headers: further headers of the answer.
            **facts: what the `detail` template and `public` name.
        """
        self.errors = tuple(errors)
        self.retry_after = retry_after
        self.headers = dict(headers or {})
        self.facts = facts
        for name, value in facts.items():
            setattr(self, name, value)
        super().__init__(self.message())

    def message(self, template: str | None = None) -> str:
        """The detail with its facts filled in; `template` is a translation of `detail`."""
        try:
            return (template or self.detail).format_map(self.facts)
        except (KeyError, IndexError, ValueError):
            return template or self.detail

    def extras(self) -> dict[str, Any]:
        """The facts that the answer carries beside the standard members (RFC 9457, 3.2)."""
        return {name: self.facts[name] for name in self.public if name in self.facts}


class MalformedError(TorgError):
    """The request could not be read: its syntax is broken."""

    status = 400
    code = "malformed_request"
    title = "Malformed request"
    detail = "The request could not be read: {reason}."


class UnauthorizedError(TorgError):
    """This needs a signed-in caller: send `Authorization: Bearer <token>` with a valid token."""

    status = 401
    code = "unauthorized"
    title = "Sign in first"
    detail = "Send a valid token in the header Authorization: Bearer <token>."

    def __init__(self, **facts: Any) -> None:
        """Every 401 names its scheme (RFC 9110, 11.6.1)."""
        super().__init__(**{"headers": {"WWW-Authenticate": "Bearer"}, **facts})


class ForbiddenError(TorgError):
    """You are known, but this is not yours to do."""

    status = 403
    code = "forbidden"
    title = "Not allowed"
    detail = "You may not do this."


class NotFoundError(TorgError):
    """There is nothing here, or nothing that you may see."""

    status = 404
    code = "not_found"
    title = "Not found"
    detail = "There is nothing at this address that you may see."


class ConflictError(TorgError):
    """The state of the thing does not allow this now."""

    status = 409
    code = "conflict"
    title = "Conflict"
    detail = "This contradicts the present state."


class GoneError(TorgError):
    """It was here and is gone for good."""

    status = 410
    code = "gone"
    title = "Gone"
    detail = "This is no longer available."


class PreconditionFailedError(TorgError):
    """The thing has changed since you read it: read it again and repeat with its new ETag."""

    status = 412
    code = "precondition_failed"
    title = "It has changed meanwhile"
    detail = "The ETag in If-Match is not the present one. Read the resource again."


class TooLargeError(TorgError):
    """The body is larger than this route takes."""

    status = 413
    code = "body_too_large"
    title = "Body too large"
    detail = "The body is larger than this route takes."


class UnsupportedMediaError(TorgError):
    """The body is not of a media type that this route reads."""

    status = 415
    code = "unsupported_media_type"
    title = "Unsupported media type"
    detail = "Send the body as application/json."


class InvalidError(TorgError):
    """The request was read, but a value in it cannot be accepted; `errors` points at it."""

    status = 422
    code = "validation_failed"
    title = "Invalid values"
    detail = "One or more values cannot be accepted."


class TooManyError(TorgError):
    """Too many requests in too short a time: wait as long as `Retry-After` says."""

    status = 429
    code = "too_many_requests"
    title = "Too many requests"
    detail = "Too many requests. Try again in {retry_after} seconds."

    def message(self, template: str | None = None) -> str:
        """The detail, with the time to wait among its facts."""
        return (template or self.detail).format_map(
            {**self.facts, "retry_after": self.retry_after or 1}
        )


class UnavailableError(TorgError):
    """A part that this needs is away for the moment: repeat after `Retry-After` seconds."""

    status = 503
    code = "unavailable"
    title = "Temporarily unavailable"
    detail = "A part that this needs is away for the moment. Try again shortly."

    def __init__(self, **facts: Any) -> None:
        """A 503 always says when to come back (RFC 9110, 15.6.4)."""
        super().__init__(**{"retry_after": 1, **facts})


def catalogue() -> dict[str, type[TorgError]]:
    """Every error class that has been imported, by code, sorted; the first class of a code wins."""
    found: dict[str, type[TorgError]] = {}
    for error in _descendants(TorgError):
        found.setdefault(error.code, error)
    return dict(sorted(found.items()))


def _descendants(base: type[TorgError]) -> Iterator[type[TorgError]]:
    yield base
    for child in base.__subclasses__():
        yield from _descendants(child)
