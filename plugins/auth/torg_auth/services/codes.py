"""One-time codes: issuing them, and accepting one exactly once.

Every try is counted by the same statement that finds the code, before anything is compared, so
that parallel guesses cannot have more tries than one after another.
"""

import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, insert, select, text, update

from torg.config import plugin_settings
from torg.db import session
from torg_auth.domain.codes import CODE_USE, Purpose, code_of, hash_of, is_same, link_use
from torg_auth.models import OneTimeCode, User
from torg_auth.settings import AuthSettings
from torg_auth.signing import keys, unsigned


@dataclass(frozen=True, slots=True)
class Issued:
    """A new code, as much of it as may wait in a queue: without the key it tells nothing."""

    id: int
    user_id: int
    purpose: Purpose
    key_id: str
    nonce: str

    def payload(self) -> dict[str, Any]:
        """As JSON values, for the mail."""
        return {
            "id": self.id,
            "user_id": self.user_id,
            "purpose": self.purpose.value,
            "key_id": self.key_id,
            "nonce": self.nonce,
        }


def issue(user_id: int, purpose: Purpose) -> Issued:
    """Make a new code in the present transaction; an open one of the same purpose is closed."""
    # One at a time for each account, or two could both find nothing to close.
    session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
    session.execute(
        update(OneTimeCode)
        .where(
            OneTimeCode.user_id == user_id,
            OneTimeCode.purpose == purpose.value,
            OneTimeCode.closed_at.is_(None),
        )
        .values(closed_at=func.clock_timestamp(), closed_because="replaced")
    )
    key, nonce = keys(CODE_USE).newest, secrets.token_hex(16)
    code = code_of(key.secret, purpose, user_id, nonce)
    minutes = plugin_settings("auth", AuthSettings).code_minutes
    code_id: int = session.execute(
        insert(OneTimeCode)
        .values(
            user_id=user_id,
            purpose=purpose.value,
            key_id=key.id,
            nonce=nonce,
            code_hash=hash_of(key.secret, purpose, user_id, nonce, code),
            expires_at=func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, minutes),
        )
        .returning(OneTimeCode.id)
    ).scalar_one()
    return Issued(code_id, user_id, purpose, key.id, nonce)


_TRY = text(
    "UPDATE auth_one_time_code AS c SET tries = tries + 1"
    " FROM auth_user u JOIN torg_identity i ON i.id = u.id"
    " WHERE lower(u.email) = lower(:email) AND i.is_active AND c.user_id = u.id"
    " AND c.purpose = :purpose AND c.closed_at IS NULL AND c.tries < :tries"
    " AND c.expires_at > clock_timestamp()"
    " RETURNING c.id, c.user_id, c.key_id, c.nonce, c.code_hash"
)


_TRY_OWN = text(
    "UPDATE auth_one_time_code AS c SET tries = tries + 1"
    " FROM auth_user u JOIN torg_identity i ON i.id = u.id"
    " WHERE lower(u.username) = lower(:username) AND i.is_active AND c.user_id = u.id"
    " AND (c.id = :code_id OR CAST(:code_id AS bigint) IS NULL)"
    " AND c.purpose = :purpose AND c.closed_at IS NULL AND c.tries < :tries"
    " AND c.expires_at > clock_timestamp()"
    " RETURNING c.id, c.user_id, c.key_id, c.nonce, c.code_hash"
)


def use_code_of(
    username: str, purpose: Purpose, code: str, code_id: int | None = None
) -> tuple[int, int] | None:
    """As `use_code`, for the account of that name, which may have no address.

    Args:
        username: whose code it is, ignoring case.
        purpose: what it has to be for.
        code: the six digits.
        code_id: which one; by default the open one.

    Returns:
        The ids of the account and of the code, or None.
    """
    tries = plugin_settings("auth", AuthSettings).code_tries
    values = {"username": username, "purpose": purpose.value, "tries": tries, "code_id": code_id}
    row = session.execute(_TRY_OWN, values).one_or_none()
    if row is None or not _is_right(row, purpose, code):
        return None
    used = _close(OneTimeCode.id == row.id)
    return None if used is None else (used, row.id)


def void(user_id: int, *purposes: Purpose) -> None:
    """Close the open codes of these purposes: what they were sent for is no longer so."""
    session.execute(
        update(OneTimeCode)
        .where(
            OneTimeCode.user_id == user_id,
            OneTimeCode.purpose.in_([purpose.value for purpose in purposes]),
            OneTimeCode.closed_at.is_(None),
        )
        .values(closed_at=func.clock_timestamp(), closed_because="void")
    )


def use_code(email: str, purpose: Purpose, code: str) -> int | None:
    """Count a try and, when the code is right, use it up; the account's id, or None.

    The caller's transaction has to commit either way, or the try is not counted.
    """
    tries = plugin_settings("auth", AuthSettings).code_tries
    row = session.execute(
        _TRY, {"email": email, "purpose": purpose.value, "tries": tries}
    ).one_or_none()
    if row is None or not _is_right(row, purpose, code):
        return None
    return _close(OneTimeCode.id == row.id)


def _is_right(row: Any, purpose: Purpose, code: str) -> bool:
    key = keys(CODE_USE).find(row.key_id)
    if key is None:
        return False
    return is_same(row.code_hash, hash_of(key.secret, purpose, row.user_id, row.nonce, code))


def use_link(purpose: Purpose, token: str) -> int | None:
    """Use up the code that a signed link belongs to; the account's id, or None.

    A link stays good when its code was tried too often: it cannot be guessed, and a stranger who
    burns the tries must not keep the owner out.
    """
    conditions = _behind_link(purpose, token)
    return None if conditions is None else _close(*conditions)


def is_link_good(purpose: Purpose, token: str) -> bool:
    """Whether a signed link would work; changes nothing."""
    conditions = _behind_link(purpose, token)
    if conditions is None:
        return False
    found = select(OneTimeCode.id).where(OneTimeCode.closed_at.is_(None), *conditions)
    return session.scalar(found) is not None


def _behind_link(purpose: Purpose, token: str) -> list[ColumnElement[bool]] | None:
    seconds = plugin_settings("auth", AuthSettings).code_minutes * 60
    value = unsigned(link_use(purpose), token, seconds)
    if value is None or len(value) != 2:
        return None
    code_id, nonce = value
    return [
        OneTimeCode.id == code_id,
        OneTimeCode.nonce == nonce,
        OneTimeCode.purpose == purpose.value,
        OneTimeCode.expires_at > func.clock_timestamp(),
    ]


def _close(*conditions: Any) -> int | None:
    used: int | None = session.execute(
        update(OneTimeCode)
        .where(OneTimeCode.closed_at.is_(None), *conditions)
        .values(closed_at=func.clock_timestamp(), closed_because="used")
        .returning(OneTimeCode.user_id)
    ).scalar()
    return used
