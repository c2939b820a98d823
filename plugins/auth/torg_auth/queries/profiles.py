"""Accounts as their owners, everybody and staff see them, and the roles."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ARRAY, String, func, select

from torg import storage
from torg.db import session
from torg.identity import IdentityRow
from torg_auth.models import Role, RolePermission, User, UserRole

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Profile:
    """An account as its owner sees it."""

    id: int
    username: str
    email: str | None
    email_verified: bool
    phone: str | None
    display_name: str
    about: str
    country: str | None
    locale: str | None
    time_zone: str | None
    verification_level: int
    wants_announcements: bool
    roles: list[str]
    avatar_key: str | None
    status_text: str
    created_at: datetime
    updated_at: datetime

    @property
    def avatar_url(self) -> str | None:
        """A link to the picture that works for an hour or two."""
        return _link(self.avatar_key)


_ROLES = func.array(
    select(Role.name)
    .join(UserRole, UserRole.role_id == Role.id)
    .where(UserRole.user_id == User.id, UserRole.is_active, Role.is_active)
    .order_by(Role.name)
    .correlate(User)
    .scalar_subquery(),
    type_=ARRAY(String),
)
_EMAIL = func.coalesce(User.email, User.claimed_email)


def profile(user_id: int) -> Profile | None:
    """The account as its owner sees it, or None."""
    rows = session.execute(
        select(
            User.id,
            User.username,
            _EMAIL.label("email"),
            User.email_verified_at.is_not(None).label("email_verified"),
            User.phone,
            User.display_name,
            User.about,
            User.country,
            User.locale,
            User.time_zone,
            User.verification_level,
            User.wants_announcements,
            _ROLES.label("roles"),
            User.avatar_key,
            User.status_text,
            User.created_at,
            User.updated_at,
        ).where(User.id == user_id)
    )
    return _one(Profile, rows)


@dataclass(frozen=True, slots=True)
class PublicProfile:
    """What everybody may see of an account."""

    id: int
    username: str
    display_name: str
    about: str
    country: str | None
    avatar_key: str | None
    status_text: str
    created_at: datetime

    @property
    def avatar_url(self) -> str | None:
        """A link to the picture that works for an hour or two."""
        return _link(self.avatar_key)


def public_profile(username: str) -> PublicProfile | None:
    """An active account by its name, ignoring case, or None."""
    rows = session.execute(
        select(
            User.id,
            User.username,
            User.display_name,
            User.about,
            User.country,
            User.avatar_key,
            User.status_text,
            User.created_at,
        )
        .join(IdentityRow, IdentityRow.id == User.id)
        .where(func.lower(User.username) == username.lower(), IdentityRow.is_active)
    )
    return _one(PublicProfile, rows)


@dataclass(frozen=True, slots=True)
class Account:
    """An account as staff sees it."""

    id: int
    username: str
    email: str | None
    email_verified: bool
    phone: str | None
    display_name: str
    country: str | None
    locale: str | None
    verification_level: int
    is_active: bool
    roles: list[str]
    created_at: datetime
    updated_at: datetime


def accounts() -> Any:
    """The columns of `Account`, for lists and for one."""
    return select(
        User.id,
        User.username,
        _EMAIL.label("email"),
        User.email_verified_at.is_not(None).label("email_verified"),
        User.phone,
        User.display_name,
        User.country,
        User.locale,
        User.verification_level,
        IdentityRow.is_active,
        _ROLES.label("roles"),
        User.created_at,
        User.updated_at,
    ).join(IdentityRow, IdentityRow.id == User.id)


def account(user_id: int) -> Account | None:
    """An account as staff sees it, or None."""
    return _one(Account, session.execute(accounts().where(User.id == user_id)))


def is_active(user_id: int) -> bool:
    """Whether the account may be used."""
    return bool(session.scalar(select(IdentityRow.is_active).where(IdentityRow.id == user_id)))


@dataclass(frozen=True, slots=True)
class RoleEntry:
    """A role with the permissions written for it, by name."""

    id: int
    name: str
    permissions: list[str]
    users: int


def role(name: str) -> RoleEntry | None:
    """The active role of that name, or None."""
    return _one(RoleEntry, session.execute(roles().where(Role.name == name)))


def roles() -> Any:
    """The columns of `RoleEntry`, of active roles."""
    carried = func.array(
        select(RolePermission.permission)
        .where(RolePermission.role_id == Role.id, RolePermission.is_active)
        .order_by(RolePermission.permission)
        .correlate(Role)
        .scalar_subquery(),
        type_=ARRAY(String),
    )
    users = (
        select(func.count())
        .select_from(UserRole)
        .where(UserRole.role_id == Role.id, UserRole.is_active)
        .correlate(Role)
        .scalar_subquery()
    )
    return select(Role.id, Role.name, carried.label("permissions"), users.label("users")).where(
        Role.is_active
    )


def _link(key: str | None) -> str | None:
    return None if key is None else storage.url(key)


def _one(kind: type[Entry], rows: Any) -> Entry | None:
    row = rows.one_or_none()
    return None if row is None else kind(*row)
