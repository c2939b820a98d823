"""Signing in, refreshing and ending sessions.

A session is the family of all refresh tokens that came out of one sign-in. At most one of them is
unused; using one is one conditional UPDATE, so that of many callers with the same token one wins.
Any later use of it ends the whole session (RFC 9700, 4.14.2).
"""

import hashlib
from dataclasses import dataclass

from sqlalchemy import func, insert, select, text, update

from torg.config import plugin_settings
from torg.db import in_transaction, session
from torg.errors import TorgError
from torg.identity import IdentityRow, bump_access
from torg_auth.emails import TOKEN_REUSED
from torg_auth.errors import (
    CredentialsWrongError,
    RefreshTokenInvalidError,
    SessionNotFoundError,
)
from torg_auth.models import RefreshToken, SecurityEventKind, Session, User
from torg_auth.queries.sign_in import LoginAccount
from torg_auth.services import devices, tokens
from torg_auth.services.callers import Caller
from torg_auth.services.mailing import tell_owner
from torg_auth.services.outcomes import leaving_traces
from torg_auth.services.passwords import hasher
from torg_auth.services.recognising import recognise
from torg_auth.services.record import record
from torg_auth.settings import AuthSettings


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sign-in or a refresh hands out.

    `device` is the mark that the device should keep, None when it has one already.
    """

    user_id: int
    session_id: int
    token: str
    refresh_token: str
    expires_in: int
    token_type: str = "Bearer"  # noqa: S105 - the name of the scheme (RFC 6750)
    device: str | None = None


def log_in(name: str, password: str, caller: Caller) -> Tokens:
    """Sign in by username or e-mail address.

    Opens transactions of its own.

    Raises:
        CredentialsWrongError: unknown name, wrong password or deactivated account, after the same
            work in each case.
        TooManyError: too many wrong passwords for this account.
    """
    for _ in range(_CHECKS):
        opened = _try_to_log_in(name, password, caller)
        if opened is not None:
            return opened
    raise CredentialsWrongError


# A second look, when the hash that was checked is replaced meanwhile: by a new password, or by a
# sign-in at the same moment that renewed the hash of the same one.
_CHECKS = 2


def _try_to_log_in(name: str, password: str, caller: Caller) -> Tokens | None:
    account = recognise(name, password, caller)
    outdated = hasher().is_outdated(account.password_hash)
    new_hash = hasher().hash(password) if outdated else None
    return in_transaction(lambda: _admit(account, new_hash, caller))


def _admit(account: LoginAccount, new_hash: str | None, caller: Caller) -> Tokens | None:
    # The lock and the comparison make sure that a password that was changed, or an account that
    # was deactivated, while the old one was being checked, opens no session.
    admitted = session.execute(
        select(User.id)
        .join(IdentityRow, IdentityRow.id == User.id)
        .where(
            User.id == account.id,
            User.password_hash == account.password_hash,
            IdentityRow.is_active,
        )
        .with_for_update(of=User, key_share=True)
    ).scalar()
    if admitted is None:
        return None
    if new_hash is not None:
        session.execute(update(User).where(User.id == account.id).values(password_hash=new_hash))
    is_new_device = devices.is_new(account.id, caller)
    opened = open_session(account.id, caller)
    record(SecurityEventKind.LOGGED_IN, caller, user_id=account.id, session_id=opened.session_id)
    if is_new_device:
        devices.tell(account.id, opened.session_id, caller)
    return opened


def open_session(user_id: int, caller: Caller) -> Tokens:
    """Begin a session, in the present transaction, for somebody who has proved who he is."""
    chosen = plugin_settings("auth", AuthSettings)
    session_id: int = session.execute(
        insert(Session)
        .values(
            user_id=user_id,
            device_label=caller.device_label,
            address=caller.address,
            place=caller.place,
            expires_at=func.clock_timestamp() + func.make_interval(0, 0, 0, chosen.refresh_days),
        )
        .returning(Session.id)
    ).scalar_one()
    device = tokens.read_device(caller.device)
    is_known = device is not None and device[0] == user_id
    return _hand_out(user_id, session_id, None if is_known else tokens.write_device(user_id))


def _hand_out(user_id: int, session_id: int, device: str | None = None) -> Tokens:
    refresh_token = tokens.new_refresh_token()
    session.execute(
        insert(RefreshToken).values(session_id=session_id, token_hash=_hashed(refresh_token))
    )
    return Tokens(
        user_id=user_id,
        session_id=session_id,
        token=tokens.write_access(user_id, session_id),
        refresh_token=refresh_token,
        expires_in=plugin_settings("auth", AuthSettings).access_minutes * 60,
        device=device,
    )


_USE = text(
    "UPDATE auth_refresh_token AS t SET used_at = clock_timestamp()"
    " FROM auth_session s JOIN torg_identity i ON i.id = s.user_id"
    " WHERE t.token_hash = :token_hash AND t.used_at IS NULL AND s.id = t.session_id"
    " AND s.revoked_at IS NULL AND s.expires_at > clock_timestamp() AND i.is_active"
    " RETURNING s.id, s.user_id"
)
_PROLONG = text(
    "UPDATE auth_session SET last_used_at = clock_timestamp(),"
    " expires_at = clock_timestamp() + make_interval(days => :days)"
    " WHERE id = :id AND revoked_at IS NULL RETURNING id"
)


@leaving_traces
def refresh(refresh_token: str, caller: Caller) -> Tokens | TorgError:
    """Exchange a refresh token for new tokens, in a transaction of its own.

    There is no grace period: of two calls with one token the second ends the session, because
    nobody can tell an impatient client from a thief.

    Raises:
        RefreshTokenInvalidError: it is unknown or over, or was used before; then the session is
            ended and its owner told.
    """
    used = session.execute(_USE, {"token_hash": _hashed(refresh_token)}).one_or_none()
    if used is None:
        _end_if_reused(refresh_token, caller)
        return RefreshTokenInvalidError()
    days = plugin_settings("auth", AuthSettings).refresh_days
    if session.execute(_PROLONG, {"id": used.id, "days": days}).scalar() is None:
        return RefreshTokenInvalidError()
    return _hand_out(used.user_id, used.id)


def _end_if_reused(refresh_token: str, caller: Caller) -> None:
    family = session.execute(
        select(Session.id, Session.user_id)
        .join(RefreshToken, RefreshToken.session_id == Session.id)
        .where(RefreshToken.token_hash == _hashed(refresh_token), RefreshToken.used_at.is_not(None))
    ).one_or_none()
    if family is None or not _revoke(family.user_id, "refresh_reused", only=family.id):
        return
    bump_access(family.user_id)
    record(SecurityEventKind.REFRESH_REUSED, caller, user_id=family.user_id, session_id=family.id)
    tell_owner(TOKEN_REUSED, family.user_id, caller, key=str(family.id))


def end_session(user_id: int, session_id: int, because: str, caller: Caller) -> None:
    """End one session of an account; its access tokens stop working at once.

    Raises:
        SessionNotFoundError: the account has no such live session.
    """
    if not _revoke(user_id, because, only=session_id):
        raise SessionNotFoundError
    bump_access(user_id)
    record(
        SecurityEventKind.SESSION_ENDED,
        caller,
        user_id=user_id,
        session_id=session_id,
        because=because,
    )


def end_all_sessions(user_id: int, because: str, caller: Caller, *, keep: int | None = None) -> int:
    """End every session of an account, but for `keep`, and return how many there were."""
    ended = _revoke(user_id, because, keep=keep)
    bump_access(user_id)
    if ended:
        record(
            SecurityEventKind.SESSION_ENDED,
            caller,
            user_id=user_id,
            sessions=len(ended),
            because=because,
        )
    return len(ended)


def _revoke(
    user_id: int, because: str, only: int | None = None, keep: int | None = None
) -> list[int]:
    change = (
        update(Session)
        .where(Session.user_id == user_id, Session.revoked_at.is_(None))
        .values(revoked_at=func.clock_timestamp(), revoked_because=because)
        .returning(Session.id)
    )
    if only is not None:
        change = change.where(Session.id == only)
    if keep is not None:
        change = change.where(Session.id != keep)
    return list(session.scalars(change))


def _hashed(refresh_token: str) -> bytes:
    # A fast hash does: the token has 256 random bits, there is nothing to guess.
    return hashlib.sha256(refresh_token.encode("utf-8", "surrogatepass")).digest()
