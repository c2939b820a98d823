"""What signing in, a token and the list of sessions need to know."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, text

from torg.db import session
from torg.identity import IdentityRow
from torg_auth.models import Session, User
from torg_auth.queries.levels import LEVEL_NOW


@dataclass(frozen=True, slots=True)
class LoginAccount:
    """What a sign-in needs to know of an account."""

    id: int
    password_hash: str
    is_active: bool
    knows_place: bool
    has_proved_email: bool


def login_accounts(name: str, place: str, known_for_days: int) -> list[LoginAccount]:
    """The accounts that a username, an address or a confirmed number may mean, ignoring case.

    Only an address may mean two: the account that has proved it, and the newest one that has not.
    Who registers with an address signs in by it whether or not it has an account already;
    otherwise signing in would tell what registering keeps to itself. Of several that only claim an
    address no older one is meant, whether or not it was the first, for the same reason.

    Args:
        name: one of them; only an address holds `@`, only a number begins with `+`.
        place: where the sign-in comes from.
        known_for_days: how long a place is remembered after a session there was last used.
    """
    known = exists().where(
        Session.user_id == User.id,
        Session.place == place,
        Session.last_used_at > func.clock_timestamp() - func.make_interval(0, 0, 0, known_for_days),
    )
    rows = session.execute(
        select(
            User.id,
            User.password_hash,
            IdentityRow.is_active,
            known,
            User.email_verified_at.is_not(None),
        )
        .join(IdentityRow, IdentityRow.id == User.id)
        .where(_is_meant_by(name))
    )
    return [LoginAccount(*row) for row in rows]


def _is_meant_by(name: str) -> ColumnElement[bool]:
    if is_address(name):
        has_it = func.lower(User.email) == name.lower()
        proved, unproved = User.email_verified_at.is_not(None), User.email_verified_at.is_(None)
        newest = func.greatest(
            select(User.id).where(has_it, unproved).scalar_subquery(),
            select(func.max(User.id))
            .where(func.lower(User.claimed_email) == name.lower())
            .scalar_subquery(),
        )
        return or_(User.id == newest, and_(has_it, proved))
    if name.startswith("+"):
        return User.phone == name
    return func.lower(User.username) == name.lower()


def is_address(name: str) -> bool:
    """Whether somebody gave an e-mail address as his name."""
    return "@" in name


@dataclass(frozen=True, slots=True)
class Standing:
    """What an access token's session and account are worth at this moment."""

    username: str
    email_verified: bool
    verification_level: int
    locale: str | None
    access_version: int
    granted: frozenset[str]


_STANDING = text(
    "SELECT u.username, u.email_verified_at IS NOT NULL AS email_verified,"  # noqa: S608 - a constant of ours
    f" {LEVEL_NOW},"
    " u.locale, i.access_version, ARRAY("
    "  SELECT DISTINCT rp.permission FROM auth_user_role ur"
    "  JOIN auth_role r ON r.id = ur.role_id AND r.is_active"
    "  JOIN auth_role_permission rp ON rp.role_id = r.id AND rp.is_active"
    "  WHERE ur.user_id = u.id AND ur.is_active) AS granted"
    " FROM auth_session s JOIN auth_user u ON u.id = s.user_id"
    " JOIN torg_identity i ON i.id = u.id"
    " WHERE s.id = :session_id AND u.id = :user_id AND i.is_active"
    " AND s.revoked_at IS NULL AND s.expires_at > clock_timestamp()"
)


def standing(user_id: int, session_id: int) -> Standing | None:
    """The account behind a live session, in one statement; None when it has ended."""
    row = session.execute(_STANDING, {"user_id": user_id, "session_id": session_id}).one_or_none()
    if row is None:
        return None
    return Standing(
        username=row.username,
        email_verified=row.email_verified,
        verification_level=row.verification_level,
        locale=row.locale,
        access_version=row.access_version,
        granted=frozenset(row.granted),
    )


def live_sessions(user_id: int, current_id: int | None) -> Any:
    """The object rule of sessions: those of an account that are live; and which is the present."""
    return select(
        Session.id,
        Session.device_label,
        Session.address,
        Session.created_at,
        Session.last_used_at,
        Session.expires_at,
        (Session.id == (current_id or 0)).label("is_current"),
    ).where(
        Session.user_id == user_id,
        Session.revoked_at.is_(None),
        Session.expires_at > func.clock_timestamp(),
    )
