"""The tag of a state that its owner changes: a request that has seen another one is refused."""

from typing import Any

from torg import etag


def attached(row: Any) -> Any:
    """A row that is answered; the answer carries its tag."""
    etag.attach(_tag(row))
    return row


def require_match(row: Any) -> None:
    """Refuse a change by somebody who has not seen this state; read it under its lock.

    Raises:
        PreconditionFailedError: If-Match names other states.
    """
    etag.require_match(_tag(row))


def changed(row: Any) -> tuple[Any, dict[str, str]]:
    """A row after a change, and its tag for the next one."""
    return row, {"ETag": f'"{_tag(row)}"'}


def _tag(row: Any) -> str:
    return etag.of([row.id, row.updated_at])
