"""Who is asking: the identity contract that an accounts plugin fills.

Owns the tiny table `torg_identity`, to which every plugin's references to people point, the
memory of decoded tokens, and the rule that no permission means no. It knows neither passwords nor
tokens: the hook `torg_authenticate` does.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, Protocol

import flask
from flask import current_app, has_request_context
from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from torg.db import Base, Fact, session
from torg.errors import ForbiddenError, UnauthorizedError
from torg.prepared import Prepared

_REMEMBERED_TOKENS = 4096
_KEPT_UNDER = "torg.identity"


class IdentityRow(Fact, Base):
    """A person or system as the database knows it; all else about it belongs to some plugin."""

    __tablename__ = "torg_identity"

    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    access_version: Mapped[int] = mapped_column(server_default=text("0"))


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking, as every plugin may know it.

    `access_version` is the one of `torg_identity`, read in the same statement as the rest: a change
    that commits in between is then seen by the next request. Without it nothing is remembered.
    """

    id: int
    username: str
    permissions: frozenset[str]
    email_verified: bool
    verification_level: int = 0
    session_id: int | None = None
    locale: str | None = None
    expires_at: float | None = None
    access_version: int | None = None

    def may(self, permission: str) -> bool:
        """Whether this identity carries the permission."""
        return permission in self.permissions


@dataclass(frozen=True, slots=True)
class Contact:
    """How to reach a person."""

    id: int
    username: str
    email: str
    locale: str | None
    email_verified: bool


class Users(Protocol):
    """The contract `users` 1.1: look people up in batches, one statement a call."""

    def names(self, ids: Iterable[int]) -> Mapping[int, str]:
        """Usernames by id; unknown ids are absent."""

    def contacts(self, ids: Iterable[int]) -> Mapping[int, Contact]:
        """Contacts by id, of active people; unknown ids are absent."""

    def page(self, after_id: int, limit: int) -> list[Contact]:
        """Active, confirmed people with an id above `after_id`, by id, at most `limit`."""

    def find(self, username: str) -> int | None:
        """The id of the person of that name, ignoring case."""

    def permissions(self, identity_id: int) -> frozenset[str]:
        """What an active person may now, for work that is done in his name; since 1.1."""


class PermissionMissingError(ForbiddenError):
    """Your roles do not carry the permission that this needs; it is named in `permission`."""

    code = "permission_denied"
    title = "Permission missing"
    detail = "This needs the permission {permission}."
    public = ("permission",)


class EmailUnverifiedError(ForbiddenError):
    """Confirm your e-mail address first: use the code or the link of the mail you got."""

    code = "email_unverified"
    title = "E-mail not confirmed"
    detail = "Confirm your e-mail address first."


@dataclass(slots=True)
class _Remembered:
    identity: Identity
    access_version: int
    until: float


class _Memory:
    """Decoded tokens by hash, least recently used out first; shared by the process's threads."""

    def __init__(self) -> None:
        self._entries: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._lock = Lock()

    def get(self, key: bytes) -> _Remembered | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry.until < time.time():
                self._entries.pop(key, None)
                return None
            self._entries.move_to_end(key)
            return entry

    def put(self, key: bytes, entry: _Remembered) -> None:
        with self._lock:
            self._entries[key] = entry
            while len(self._entries) > _REMEMBERED_TOKENS:
                self._entries.popitem(last=False)


def init(app: flask.Flask) -> None:
    """Give the application its memory of tokens."""
    app.extensions["torg.identity"] = _Memory()


def current() -> Identity:
    """The identity of the present request.

    Raises:
        UnauthorizedError: nobody is signed in.
    """
    identity = current_or_none()
    if identity is None:
        raise UnauthorizedError
    return identity


def current_or_none() -> Identity | None:
    """The identity of the present request, or None for an anonymous one."""
    if not has_request_context():
        return None
    # Not in `g`: a unit of work inside the request has an application context of its own.
    found: Identity | None = flask.request.environ.get(_KEPT_UNDER)
    return found


def resolve(request: flask.Request, remember_seconds: float = 30.0) -> Identity | None:
    """Find out who is asking and keep it for the request.

    A remembered token costs one read by primary key, so that a deactivated person, an ended
    session or a changed role counts from the very next request on.

    Raises:
        UnauthorizedError: credentials were sent and are not valid.
    """
    credentials = request.headers.get("Authorization") or request.headers.get("X-Api-Key")
    request.environ[_KEPT_UNDER] = None
    if credentials is None:
        return None
    key = hashlib.sha256(credentials.encode("utf-8", "surrogateescape")).digest()
    memory: _Memory = current_app.extensions["torg.identity"]
    remembered = memory.get(key)
    if remembered and _access_version(remembered.identity.id) == remembered.access_version:
        request.environ[_KEPT_UNDER] = remembered.identity
        return remembered.identity
    identity = _authenticate(request)
    if identity.access_version is not None:
        until = min(time.time() + remember_seconds, identity.expires_at or float("inf"))
        memory.put(key, _Remembered(identity, identity.access_version, until))
    request.environ[_KEPT_UNDER] = identity
    return identity


def _authenticate(request: flask.Request) -> Identity:
    from torg import plugins

    identity: Identity | None = plugins.first("torg_authenticate", request=request)
    if identity is None:
        raise UnauthorizedError
    return identity


_ACCESS_VERSION = Prepared(
    text("SELECT access_version FROM torg_identity WHERE id = :id AND is_active"), "access_version"
)


def _access_version(identity_id: int) -> int | None:
    found: int | None = _ACCESS_VERSION.scalar({"id": identity_id})
    return found


def check_access(permission: str | None, *, verified: bool) -> None:
    """Refuse the present caller unless he carries the permission; deny is the default.

    Raises:
        UnauthorizedError: nobody is signed in.
        PermissionMissingError: the permission is missing.
        EmailUnverifiedError: `verified` is asked and the e-mail is not confirmed.
    """
    identity = current()
    if permission is not None and not identity.may(permission):
        raise PermissionMissingError(permission=permission)
    if verified and not identity.email_verified:
        raise EmailUnverifiedError


def create_identity() -> int:
    """Add a row for a new person in the present transaction and return its id."""
    created: int = session.execute(insert(IdentityRow).returning(IdentityRow.id)).scalar_one()
    return created


def bump_access(identity_id: int) -> None:
    """Make every remembered token of this person be looked at anew, from the commit on.

    To be called in the transaction that changes roles, sessions or the right to sign in.
    """
    session.execute(
        update(IdentityRow)
        .where(IdentityRow.id == identity_id)
        .values(access_version=IdentityRow.access_version + 1)
    )


def set_active(identity_id: int, *, active: bool) -> None:
    """Let a person in or keep him out, from the commit on."""
    session.execute(
        update(IdentityRow)
        .where(IdentityRow.id == identity_id)
        .values(is_active=active, access_version=IdentityRow.access_version + 1)
    )


def created_at(identity_id: int) -> datetime | None:
    """When this identity came into being, by the database's clock."""
    moment: Any = session.execute(
        select(IdentityRow.created_at).where(IdentityRow.id == identity_id)
    ).scalar()
    return None if moment is None else moment
