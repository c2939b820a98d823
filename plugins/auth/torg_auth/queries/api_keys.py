"""API keys as their owners see them, and what a key presented with a request is worth."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, text

from torg.db import session
from torg_auth.models_personal import ApiKey
from torg_auth.queries.levels import LEVEL_NOW


def is_of(user_id: int) -> ColumnElement[bool]:
    """The object rule: a person has the keys that are his and not revoked, and sees no other."""
    return and_(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))


def keys_of(user_id: int) -> Any:
    """The keys of an account that are not revoked, as their owner sees them: never the keys."""
    return select(
        ApiKey.id,
        ApiKey.name,
        ApiKey.prefix,
        ApiKey.scopes,
        ApiKey.created_at,
        ApiKey.expires_at,
        ApiKey.last_used_at,
    ).where(is_of(user_id))


def count_usable(user_id: int) -> int:
    """How many keys of an account still open something."""
    statement = select(func.count()).where(
        is_of(user_id), ApiKey.expires_at > func.clock_timestamp()
    )
    return session.execute(statement).scalar_one()


@dataclass(frozen=True, slots=True)
class KeyStanding:
    """What a key and the account behind it are worth at this moment.

    `is_noted` says that its last use was written down less than a minute ago.
    """

    key_id: int
    is_noted: bool
    user_id: int
    username: str
    email_verified: bool
    verification_level: int
    locale: str | None
    access_version: int
    expires_at: datetime
    scopes: frozenset[str]
    granted: frozenset[str]


_STANDING = text(
    "SELECT k.id AS key_id, u.id, u.username, u.email_verified_at IS NOT NULL AS email_verified,"  # noqa: S608 - a constant of ours
    f" {LEVEL_NOW},"
    " u.locale, i.access_version, k.expires_at, k.scopes,"
    " coalesce(k.last_used_at > clock_timestamp() - interval '1 minute', false) AS is_noted, ARRAY("
    "  SELECT DISTINCT rp.permission FROM auth_user_role ur"
    "  JOIN auth_role r ON r.id = ur.role_id AND r.is_active"
    "  JOIN auth_role_permission rp ON rp.role_id = r.id AND rp.is_active"
    "  WHERE ur.user_id = u.id AND ur.is_active) AS granted"
    " FROM auth_api_key k JOIN auth_user u ON u.id = k.user_id"
    " JOIN torg_identity i ON i.id = u.id"
    " WHERE k.key_hash = :key_hash AND i.is_active"
    " AND k.revoked_at IS NULL AND k.expires_at > clock_timestamp()"
)


def standing(key_hash: bytes) -> KeyStanding | None:
    """The account behind a key, in one statement; None when the key opens nothing."""
    row = session.execute(_STANDING, {"key_hash": key_hash}).one_or_none()
    if row is None:
        return None
    return KeyStanding(
        key_id=row.key_id,
        is_noted=row.is_noted,
        user_id=row.id,
        username=row.username,
        email_verified=row.email_verified,
        verification_level=row.verification_level,
        locale=row.locale,
        access_version=row.access_version,
        expires_at=row.expires_at,
        scopes=frozenset(row.scopes),
        granted=frozenset(row.granted),
    )
