"""Requests for verification by documents: sent by their owners, decided by staff, run out in time.

The level that follows is worked out by `torg_auth.services.levels`; what a level is worth is
`torg_auth.services.worth`'s. Documents lie in the host's storage and are deleted in time.
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from sqlalchemy import func, insert, select, text, update

from torg import outbox, storage
from torg.clock import format_moment
from torg.config import plugin_settings
from torg.db import session
from torg.identity import Identity
from torg.mail import queue_mail
from torg_auth.change_emails import VERIFICATION_DECIDED
from torg_auth.change_errors import (
    DocumentTooLargeError,
    DocumentTypeError,
    OwnRequestError,
    ReasonMissingError,
    VerificationDecidedError,
    VerificationPendingError,
    VerificationRequestNotFoundError,
)
from torg_auth.domain.verification import BY_DOCUMENTS, Status, content_type_of
from torg_auth.models import SecurityEventKind, User
from torg_auth.models_verification import VerificationDocument, VerificationRequest
from torg_auth.queries import verification as queries
from torg_auth.services.callers import Caller
from torg_auth.services.levels import renew_level
from torg_auth.services.record import record
from torg_auth.settings import AuthSettings

LARGEST_BYTES = 5 * 1024 * 1024
LINK_SECONDS = 300
EXPIRE = "auth.expire_verifications"
REMOVE = "auth.remove_document"
_AREA = "auth.document"
_AT_ONCE = 500


def ask(user_id: int, files: Mapping[str, IO[bytes]], caller: Caller) -> Any:
    """Ask for the highest level by documents.

    Args:
        user_id: who asks.
        files: opened uploads by the kind of document, one or more.
        caller: from where.

    Returns:
        The request as its owner sees it.

    Raises:
        DocumentTypeError: not an image or a PDF, whatever it is called.
        DocumentTooLargeError: above `LARGEST_BYTES`.
        VerificationPendingError: an earlier request waits.
    """
    contents = {kind: _read(kind, file) for kind, file in files.items()}
    session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
    waiting = session.scalar(
        select(VerificationRequest.id).where(
            VerificationRequest.user_id == user_id,
            VerificationRequest.status == Status.PENDING.value,
        )
    )
    if waiting is not None:
        raise VerificationPendingError
    request_id: int = session.execute(
        insert(VerificationRequest)
        .values(user_id=user_id, level=BY_DOCUMENTS)
        .returning(VerificationRequest.id)
    ).scalar_one()
    record(SecurityEventKind.VERIFICATION_ASKED, caller, user_id=user_id, request=request_id)
    for kind, (content, content_type) in contents.items():
        _keep(request_id, kind, content, content_type)
    return queries.one_own(user_id, request_id)


def _read(kind: str, file: IO[bytes]) -> tuple[bytes, str]:
    # Large uploads lie in a temporary file, which goes when it is closed.
    with closing(file):
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise DocumentTooLargeError(most_bytes=LARGEST_BYTES)
    content_type = content_type_of(content)
    if content_type is None:
        raise DocumentTypeError(kind)
    return content, content_type


def _keep(request_id: int, kind: str, content: bytes, content_type: str) -> None:
    # Put before the commit: a row never points to a file that is not there.
    key = storage.put(content, content_type, _AREA)
    session.execute(
        insert(VerificationDocument).values(
            request_id=request_id,
            kind=kind,
            content_type=content_type,
            size_bytes=len(content),
            storage_key=key,
        )
    )


@dataclass(frozen=True, slots=True)
class ReviewedDocument:
    """A document with a link that works for minutes; None once it was deleted."""

    id: int
    kind: str
    content_type: str
    size_bytes: int
    url: str | None


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A request with its documents, as staff sees it."""

    request: queries.Request
    documents: list[ReviewedDocument]

    def __getattr__(self, name: str) -> Any:
        """All that the request says."""
        return getattr(self.request, name)


def show(request_id: int) -> Reviewed:
    """A request with links to its documents.

    Raises:
        VerificationRequestNotFoundError: there is none.
    """
    found = queries.request(request_id)
    if found is None:
        raise VerificationRequestNotFoundError
    documents = [
        ReviewedDocument(
            each.id,
            each.kind,
            each.content_type,
            each.size_bytes,
            None if each.storage_key is None else storage.url(each.storage_key, LINK_SECONDS),
        )
        for each in queries.documents(request_id)
    ]
    return Reviewed(found, documents)


def decide(
    request_id: int,
    status: Status,
    reason: str,
    valid_days: int | None,
    actor: Identity,
    caller: Caller,
) -> Reviewed:
    """Approve or refuse a request, once; the owner is told, and it counts from the next request.

    Args:
        request_id: which.
        status: `APPROVED` or `REFUSED`.
        reason: for the owner to read; a refusal needs one.
        valid_days: how long an approval lasts; None for what the deployment sets.
        actor: who decides.
        caller: from where.

    Raises:
        VerificationRequestNotFoundError: there is none.
        OwnRequestError: it is the actor's own.
        VerificationDecidedError: decided before.
        ReasonMissingError: a refusal without a reason.
    """
    found = _undecided(request_id, actor)
    if status is Status.REFUSED and not reason:
        raise ReasonMissingError
    until = _written(request_id, status, reason, valid_days, actor)
    renew_level(found.user_id)
    if until is not None:
        outbox.enqueue(EXPIRE, key=f"end:{request_id}", run_at=until)
    record(
        SecurityEventKind.VERIFICATION_DECIDED,
        caller,
        user_id=found.user_id,
        actor_id=actor.id,
        request=request_id,
        status=status.value,
    )
    _tell(found.user_id, request_id, status, found.level, reason, until)
    return show(request_id)


def _undecided(request_id: int, actor: Identity) -> Any:
    """The request under its lock, when the actor may decide it."""
    found = queries.request(request_id, lock=True)
    if found is None:
        raise VerificationRequestNotFoundError
    if found.user_id == actor.id:
        raise OwnRequestError
    if found.status != Status.PENDING:
        raise VerificationDecidedError
    return found


def _written(
    request_id: int, status: Status, reason: str, valid_days: int | None, actor: Identity
) -> datetime | None:
    """Until when the decision holds, once it is written; None for a refusal."""
    days = valid_days or plugin_settings("auth", AuthSettings).document_valid_days
    ends_at = func.clock_timestamp() + func.make_interval(0, 0, 0, days)
    until: datetime | None = session.execute(
        update(VerificationRequest)
        .where(VerificationRequest.id == request_id)
        .values(
            status=status.value,
            reason=reason,
            decided_at=func.clock_timestamp(),
            decided_by=actor.id,
            expires_at=ends_at if status is Status.APPROVED else None,
        )
        .returning(VerificationRequest.expires_at)
    ).scalar_one()
    return until


def _tell(
    user_id: int,
    request_id: int,
    status: Status,
    level: int,
    reason: str = "",
    until: datetime | None = None,
) -> None:
    facts = {
        "decision": {
            "status": status.value,
            "until": None if until is None else format_moment(until),
        },
        "level": level,
        "reason": reason,
    }
    queue_mail(VERIFICATION_DECIDED.name, user_id, facts, key=f"{request_id}:{status.value}")


_EXPIRE = text(
    "UPDATE auth_verification_request SET status = 'expired' WHERE id IN ("
    " SELECT id FROM auth_verification_request WHERE status = 'approved'"
    " AND expires_at <= clock_timestamp() ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED)"
    " RETURNING id, user_id, level"
)


def expire_due(caller: Caller) -> int:
    """Let approvals whose time is over run out, and tell their owners; how many there were."""
    expired = session.execute(_EXPIRE, {"limit": _AT_ONCE}).all()
    for row in expired:
        renew_level(row.user_id)
        record(SecurityEventKind.VERIFICATION_EXPIRED, caller, user_id=row.user_id, request=row.id)
        present = session.scalar(select(User.verification_level).where(User.id == row.user_id))
        # A newer approval may have taken its place: then nothing is lost.
        if present is not None and present < row.level:
            _tell(row.user_id, row.id, Status.EXPIRED, row.level)
    return len(expired)


_OLD_DOCUMENTS = text(
    "UPDATE auth_verification_document d SET storage_key = NULL FROM ("
    " SELECT d.id, d.storage_key FROM auth_verification_document d"
    " JOIN auth_verification_request r ON r.id = d.request_id"
    " WHERE d.storage_key IS NOT NULL"
    " AND r.decided_at < clock_timestamp() - make_interval(days => :days)"
    " ORDER BY d.id LIMIT :limit FOR UPDATE OF d SKIP LOCKED) old"
    " WHERE d.id = old.id RETURNING old.storage_key"
)


def forget_documents() -> int:
    """Delete the contents of documents that have served; how many there were.

    Each file goes by a job of its own, so that none is left behind when storage is away.
    """
    days = plugin_settings("auth", AuthSettings).document_kept_days
    keys = session.scalars(_OLD_DOCUMENTS, {"days": days, "limit": _AT_ONCE}).all()
    for key in keys:
        outbox.enqueue(REMOVE, {"key": key}, key=key)
    return len(keys)


def remove_file(key: str) -> None:
    """Delete one file of a document that no row points to any more."""
    storage.delete(key)
