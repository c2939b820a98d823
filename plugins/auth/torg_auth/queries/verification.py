"""Requests for verification: one's own, those that staff pages through, and one with documents."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import func, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB

from torg.db import session
from torg.filters import Filter, equals, one_of
from torg.listing import Listing
from torg.schemas import Enum, Id
from torg_auth.domain.verification import Status
from torg_auth.models import User
from torg_auth.models_verification import VerificationDocument, VerificationRequest

_STATUS = one_of(Enum([status.value for status in Status]), VerificationRequest.status)


class OwnRequests(Listing):
    """One's own requests, newest first; the statement is `own()`."""

    key = VerificationRequest.id
    sorts: ClassVar[dict[str, Any]] = {"created_at": VerificationRequest.created_at}
    default_sort = "-id"
    filters: ClassVar[dict[str, Filter]] = {"status": _STATUS}


class Requests(Listing):
    """Everybody's requests, oldest first; the statement is `everybodys()`."""

    key = VerificationRequest.id
    sorts: ClassVar[dict[str, Any]] = {"created_at": VerificationRequest.created_at}
    default_sort = "id"
    filters: ClassVar[dict[str, Filter]] = {
        "status": _STATUS,
        "user_id": equals(Id(), VerificationRequest.user_id),
    }


_DOCUMENTS = (
    select(
        func.coalesce(
            func.jsonb_agg(
                func.jsonb_build_object(
                    "id",
                    VerificationDocument.id,
                    "kind",
                    VerificationDocument.kind,
                    "content_type",
                    VerificationDocument.content_type,
                    "size_bytes",
                    VerificationDocument.size_bytes,
                ),
                type_=JSONB,
            ),
            literal_column("'[]'::jsonb"),
            type_=JSONB,
        )
    )
    .where(VerificationDocument.request_id == VerificationRequest.id)
    .correlate(VerificationRequest)
    .scalar_subquery()
    .label("documents")
)


def own(user_id: int) -> Any:
    """The columns of one's own requests, with their documents."""
    return select(
        VerificationRequest.id,
        VerificationRequest.level,
        VerificationRequest.status,
        VerificationRequest.reason,
        VerificationRequest.created_at,
        VerificationRequest.decided_at,
        VerificationRequest.expires_at,
        _DOCUMENTS,
    ).where(VerificationRequest.user_id == user_id)


def everybodys() -> Any:
    """The columns of a request as staff sees it."""
    return select(
        VerificationRequest.id,
        VerificationRequest.user_id,
        User.username,
        VerificationRequest.level,
        VerificationRequest.status,
        VerificationRequest.reason,
        VerificationRequest.created_at,
        VerificationRequest.decided_at,
        VerificationRequest.decided_by,
        VerificationRequest.expires_at,
    ).join(User, User.id == VerificationRequest.user_id)


def one_own(user_id: int, request_id: int) -> Any:
    """One of one's own requests."""
    return session.execute(own(user_id).where(VerificationRequest.id == request_id)).one()


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is kept; `storage_key` is None once its content was deleted."""

    id: int
    kind: str
    content_type: str
    size_bytes: int
    storage_key: str | None


@dataclass(frozen=True, slots=True)
class Request:
    """A request as staff sees it."""

    id: int
    user_id: int
    username: str
    level: int
    status: str
    reason: str
    created_at: datetime
    decided_at: datetime | None
    decided_by: int | None
    expires_at: datetime | None


def request(request_id: int, *, lock: bool = False) -> Request | None:
    """A request, kept as it is until the transaction ends when it is locked."""
    statement = everybodys().where(VerificationRequest.id == request_id)
    if lock:
        statement = statement.with_for_update(of=VerificationRequest)
    row = session.execute(statement).one_or_none()
    return None if row is None else Request(*row)


def documents(request_id: int) -> list[Document]:
    """The documents of a request, in the order in which they came."""
    rows = session.execute(
        select(
            VerificationDocument.id,
            VerificationDocument.kind,
            VerificationDocument.content_type,
            VerificationDocument.size_bytes,
            VerificationDocument.storage_key,
        )
        .where(VerificationDocument.request_id == request_id)
        .order_by(VerificationDocument.id)
    )
    return [Document(*row) for row in rows]
