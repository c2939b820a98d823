"""Keys by which programs speak for an account: making, revoking, and accepting them.

A key may do what its scopes name and its owner may do at that moment, whichever is less.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select, update

from torg import plugins
from torg.db import in_transaction, session
from torg.identity import Identity, bump_access
from torg_auth.domain.access import effective
from torg_auth.domain.api_keys import MOST_KEYS, foreign_scopes, new_key, prefix_of
from torg_auth.errors import (
    ApiKeyNotFoundError,
    ApiKeysFullError,
    ScopeNotOwnError,
    SessionNeededError,
    TokenInvalidError,
)
from torg_auth.models import SecurityEventKind, User
from torg_auth.models_personal import ApiKey
from torg_auth.queries import api_keys as queries
from torg_auth.services.callers import Caller
from torg_auth.services.record import record


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: the only time that it is shown."""

    id: int
    name: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    key: str
    last_used_at: datetime | None = None


def create(owner: Identity, name: str, scopes: Sequence[str], days: int, caller: Caller) -> NewKey:
    """Make a key for a program, in the present transaction.

    Args:
        owner: the present caller, signed in by a session.
        name: by which the owner knows it again.
        scopes: permissions that it may use; each has to be the owner's.
        days: until it expires.
        caller: from where.

    Raises:
        SessionNeededError: a key asks: one that leaked must not outlive its revocation by others.
        ScopeNotOwnError: a scope is not the owner's.
        ApiKeysFullError: he has the most that are allowed.
    """
    if owner.session_id is None:
        raise SessionNeededError
    foreign = foreign_scopes(scopes, owner.permissions)
    if foreign:
        raise ScopeNotOwnError(scopes=foreign, wanted=scopes)
    # One at a time for each account, or two at once could both find room.
    session.execute(select(User.id).where(User.id == owner.id).with_for_update(key_share=True))
    if queries.count_usable(owner.id) >= MOST_KEYS:
        raise ApiKeysFullError(most=MOST_KEYS)
    key, kept = new_key(), sorted(set(scopes))
    row = session.execute(
        insert(ApiKey)
        .values(
            user_id=owner.id,
            name=name,
            prefix=prefix_of(key),
            key_hash=_hashed(key),
            scopes=kept,
            expires_at=func.clock_timestamp() + func.make_interval(0, 0, 0, days),
        )
        .returning(ApiKey.id, ApiKey.created_at, ApiKey.expires_at)
    ).one()
    event = SecurityEventKind.API_KEY_CREATED
    record(event, caller, user_id=owner.id, api_key_id=row.id, scopes=kept)
    return NewKey(row.id, name, prefix_of(key), kept, row.created_at, row.expires_at, key)


def revoke(user_id: int, key_id: int, caller: Caller) -> None:
    """Make one of one's own keys worthless, from the next request on.

    Raises:
        ApiKeyNotFoundError: the account has no such key.
    """
    if not _revoke(user_id, only=key_id):
        raise ApiKeyNotFoundError
    bump_access(user_id)
    event = SecurityEventKind.API_KEY_REVOKED
    record(event, caller, user_id=user_id, api_key_id=key_id)


def revoke_all(user_id: int) -> int:
    """Make every key of an account worthless and return how many there were."""
    revoked = len(_revoke(user_id))
    if revoked:
        bump_access(user_id)
    return revoked


def _revoke(user_id: int, only: int | None = None) -> list[int]:
    change = (
        update(ApiKey)
        .where(queries.is_of(user_id))
        .values(revoked_at=func.clock_timestamp())
        .returning(ApiKey.id)
    )
    if only is not None:
        change = change.where(ApiKey.id == only)
    return list(session.scalars(change))


def identity_of(key: str) -> Identity:
    """Who a key speaks for.

    Raises:
        TokenInvalidError: it is none of ours, revoked, too old, or its account is closed.
    """
    found = queries.standing(_hashed(key))
    if found is None:
        raise TokenInvalidError
    if not found.is_noted:
        # A transaction of its own: the request may only read, or fail later on.
        in_transaction(lambda: _note_use(found.key_id))
    return Identity(
        id=found.user_id,
        username=found.username,
        permissions=effective(found.granted & found.scopes, plugins.permissions()),
        email_verified=found.email_verified,
        verification_level=found.verification_level,
        locale=found.locale,
        expires_at=found.expires_at.timestamp(),
        access_version=found.access_version,
    )


def _note_use(key_id: int) -> None:
    recent = func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 1)
    session.execute(
        update(ApiKey)
        .where(ApiKey.id == key_id, func.coalesce(ApiKey.last_used_at <= recent, True))
        .values(last_used_at=func.clock_timestamp())
    )


def _hashed(key: str) -> bytes:
    # A fast hash does: the key has 256 random bits, there is nothing to guess.
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
