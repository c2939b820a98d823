"""The rules that every documented operation keeps (CI fails on any of them).

Owns the list of rules; the documents themselves are made in `torg.openapi_document`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

METHODS = ("get", "put", "post", "delete", "patch")


def operations_of(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of every operation."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def problems_of(document: dict[str, Any]) -> list[str]:
    """What is missing, one sentence each."""
    found = []
    ids: Counter[str] = Counter()
    for path, method, described in operations_of(document):
        ids[described.get("operationId", "")] += 1
        found += [f"{method.upper()} {path} {problem}" for problem in _of_operation(described)]
    found += [
        f"operationId {name!r} is used {count} times" for name, count in ids.items() if count > 1
    ]
    return found


def _of_operation(described: dict[str, Any]) -> Iterable[str]:
    for key in ("operationId", "summary", "tags"):
        if not described.get(key):
            yield f"has no {key}"
    if "security" not in described:
        yield "says nothing of security"
    answers = described.get("responses", {})
    if not any(status.startswith(("2", "3")) for status in answers):
        yield "describes no success"
    if not any(status.startswith("4") for status in answers):
        yield "describes no refusal"
    bodies = [answers[status] for status in answers if status.startswith("2") and status != "204"]
    for body in [*bodies, described.get("requestBody", {})]:
        for kind, content in body.get("content", {}).items():
            if not _has_example(content):
                yield f"has no example of {kind}"
            if "schema" not in content:
                yield f"has no schema of {kind}"


def _has_example(content: dict[str, Any]) -> bool:
    return "example" in content or bool(content.get("examples"))
