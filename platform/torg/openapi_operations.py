"""What the documents say of an operation beyond its arguments and answers.

Owns ids, security, headers, refusals and examples: all that follows from the host's rules and the
declarations of the blueprint, so that no plugin has to write it.
"""

from collections.abc import Iterable
from typing import Any

from torg import etag, idempotency, openapi_examples, problems
from torg.errors import (
    InvalidError,
    MalformedError,
    NotFoundError,
    PreconditionFailedError,
    TooLargeError,
    TooManyError,
    TorgError,
    UnauthorizedError,
    UnavailableError,
    UnsupportedMediaError,
)
from torg.identity import EmailUnverifiedError, PermissionMissingError
from torg.operations import SAFE_METHODS, Operation

_PROBLEM_MEDIA_TYPE = problems.MEDIA_TYPE
_SECURITY = "bearer"

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457. Further members are the facts of the refusal.",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "The page that explains it."},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "The path that was asked for."},
        "code": {"type": "string", "pattern": "^[a-z][a-z0-9_]*$", "description": "Stable."},
        "errors": {
            "type": "array",
            "maxItems": 100,
            "items": {
                "type": "object",
                "required": ["pointer", "code", "message"],
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "JSON pointer into the body, or `?name` of a parameter.",
                    },
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
        "request_id": {"type": "string"},
    },
}

_PARAMETERS: dict[str, dict[str, Any]] = {
    "AcceptLanguage": {
        "in": "header",
        "name": "Accept-Language",
        "description": "Language of titles and details: en or ru.",
        "schema": {"type": "string", "maxLength": 200, "example": "en"},
    },
    "IdempotencyKey": {
        "in": "header",
        "name": idempotency.HEADER,
        "description": "Makes a repeat harmless: the same key gives the first answer again.",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": idempotency.MAX_LENGTH,
            "pattern": "^[!-~]+$",
            "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
        },
    },
    "IfMatch": {
        "in": "header",
        "name": "If-Match",
        "description": "The ETag of the state you have seen; 412 when it is not the present one.",
        "schema": {"type": "string", "maxLength": 200, "example": '"6b7c2f0a9d1e4c3b5a697887"'},
    },
    "IfNoneMatch": {
        "in": "header",
        "name": "If-None-Match",
        "description": "The ETag of the answer you have; 304 when it is still the same.",
        "schema": {"type": "string", "maxLength": 200, "example": '"6b7c2f0a9d1e4c3b5a697887"'},
    },
}

_HEADERS: dict[str, dict[str, Any]] = {
    "RequestId": {"description": "The id of this request.", "schema": {"type": "string"}},
    "ETag": {"description": "Strong tag of this answer.", "schema": {"type": "string"}},
    "RetryAfter": {
        "description": "Seconds to wait before a repeat.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "IdempotencyReplayed": {
        "description": "`true` when this is the kept answer of an earlier request.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "RateLimit": {
        "description": "Calls left (`r`) and seconds until the window ends (`t`).",
        "schema": {"type": "string"},
    },
}
_HEADER_NAMES = {
    "RequestId": "X-Request-Id",
    "ETag": "ETag",
    "RetryAfter": "Retry-After",
    "IdempotencyReplayed": idempotency.REPLAYED,
    "RateLimit": "RateLimit",
}


def add_components(components: dict[str, Any]) -> None:
    """Add what operations refer to."""
    components.setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
    components["parameters"] = dict(_PARAMETERS)
    components["headers"] = dict(_HEADERS)
    components["securitySchemes"] = {
        _SECURITY: {
            "type": "http",
            "scheme": "bearer",
            "description": "A token in the header `Authorization: Bearer <token>`.",
        }
    }


def complete(
    described: dict[str, Any],
    operation: Operation,
    method: str,
    shared: list[dict[str, Any]],
    components: dict[str, Any],
    address: str,
) -> None:
    """Fill in what the host knows of an operation.

    Args:
        described: the operation as flask-smorest describes it; changed in place.
        operation: its declaration.
        method: in lower case.
        shared: parameters of its path.
        components: of the document.
        address: of the deployment.
    """
    declared = operation.declaration
    described["operationId"] = operation.id_for(method)
    described["summary"] = " ".join(described.get("summary", "").split()).rstrip(".")
    described["tags"] = [operation.plugin]
    described["security"] = [{_SECURITY: []}] if declared.access == "restricted" else []
    if declared.permission is not None:
        described["x-permission"] = declared.permission
        sentence = f"Needs the permission `{declared.permission}`."
        described["description"] = "\n\n".join(
            filter(None, [described.get("description"), sentence])
        )
    own = [*shared, *described.get("parameters", [])]
    _add_parameters(described, operation, method)
    _complete_body(described, components)
    refusals = list(_refusals(described, operation, own))
    _complete_answers(described, operation, method, components)
    _add_refusals(described, refusals, address)


def _add_parameters(described: dict[str, Any], operation: Operation, method: str) -> None:
    names = ["AcceptLanguage"]
    if operation.declaration.idempotent:
        names.append("IdempotencyKey")
    if operation.declaration.if_match:
        names.append("IfMatch")
    if method.upper() in SAFE_METHODS:
        names.append("IfNoneMatch")
    parameters = described.setdefault("parameters", [])
    parameters.extend({"$ref": f"#/components/parameters/{name}"} for name in names)


def _complete_body(described: dict[str, Any], components: dict[str, Any]) -> None:
    for content in described.get("requestBody", {}).get("content", {}).values():
        _add_example(content, components, sent=True)


def _complete_answers(
    described: dict[str, Any], operation: Operation, method: str, components: dict[str, Any]
) -> None:
    answers: dict[str, Any] = described.setdefault("responses", {})
    for status in [status for status in answers if not status.startswith(("2", "3"))]:
        del answers[status]
    names = ["RequestId"]
    if operation.by_address or operation.by_identity:
        names.append("RateLimit")
    if operation.declaration.idempotent:
        names.append("IdempotencyReplayed")
    for status, answer in answers.items():
        with_tag = method.upper() in SAFE_METHODS and status == "200"
        refer = _header_references([*names, "ETag"] if with_tag else names)
        answer["headers"] = {**refer, **answer.get("headers", {})}
        if status == "204":
            answer.pop("content", None)
        for content in answer.get("content", {}).values():
            _add_example(content, components, sent=False)
    if method.upper() in SAFE_METHODS and "200" in answers:
        answers["304"] = {
            "description": "You have it already.",
            "headers": _header_references(["ETag"]),
        }


def _add_example(content: dict[str, Any], components: dict[str, Any], *, sent: bool) -> None:
    if "example" in content or "examples" in content or "schema" not in content:
        return
    schemas = components.get("schemas", {})
    content["example"] = openapi_examples.of_schema(content["schema"], schemas, sent=sent)


def _header_references(names: Iterable[str]) -> dict[str, Any]:
    return {_HEADER_NAMES[name]: {"$ref": f"#/components/headers/{name}"} for name in names}


def _refusals(
    described: dict[str, Any], operation: Operation, parameters: list[dict[str, Any]]
) -> Iterable[type[TorgError]]:
    """The errors that the host's rules add to those the plugin declares."""
    declared = operation.declaration
    yield MalformedError
    if declared.access == "restricted":
        yield UnauthorizedError
        if declared.permission is not None:
            yield PermissionMissingError
        if declared.verified:
            yield EmailUnverifiedError
    if any(each.get("in") == "path" for each in parameters):
        yield NotFoundError
    if "requestBody" in described:
        yield from (TooLargeError, UnsupportedMediaError)
    if "requestBody" in described or any(each.get("in") == "query" for each in parameters):
        yield InvalidError
    if declared.idempotent:
        yield idempotency.RequestInProgressError
        yield idempotency.IdempotencyKeyReusedError
        yield idempotency.IdempotencyKeyInvalidError
    if declared.if_match:
        yield from (PreconditionFailedError, etag.PreconditionRequiredError)
    if operation.by_address or operation.by_identity:
        yield TooManyError
    yield UnavailableError
    yield from declared.errors


def _add_refusals(
    described: dict[str, Any], refusals: Iterable[type[TorgError]], address: str
) -> None:
    by_status: dict[int, dict[str, type[TorgError]]] = {}
    for kind in refusals:
        by_status.setdefault(kind.status, {}).setdefault(kind.code, kind)
    for status, kinds in sorted(by_status.items()):
        names = ["RequestId", "RetryAfter"] if status in (409, 429, 503) else ["RequestId"]
        described["responses"][str(status)] = {
            "description": "; ".join(kind.title for kind in kinds.values()),
            "headers": _header_references(names),
            "content": {
                _PROBLEM_MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {
                        code: {
                            "summary": kind.title,
                            "value": openapi_examples.of_error(kind, address),
                        }
                        for code, kind in kinds.items()
                    },
                }
            },
        }
    described["responses"]["default"] = {
        "description": "Any other refusal.",
        "headers": _header_references(["RequestId"]),
        "content": {_PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
