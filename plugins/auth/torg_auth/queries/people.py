"""Finding people and how to reach them."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ARRAY, BigInteger, any_, bindparam, func, select, text

from torg.db import session
from torg.identity import Contact, IdentityRow
from torg.prepared import Prepared
from torg_auth.models import User

_IDS = bindparam("ids", type_=ARRAY(BigInteger))
_NAMES = Prepared(select(User.id, User.username).where(User.id == any_(_IDS)))


def names(ids: Collection[int]) -> dict[int, str]:
    """Usernames by id, of everybody, also of those who left."""
    return dict(_NAMES.rows({"ids": list(ids)}))


_CONTACT = (
    User.id,
    User.username,
    User.email,
    User.locale,
    User.email_verified_at.is_not(None),
)


def contacts(ids: Collection[int]) -> dict[int, Contact]:
    """Contacts by id, of active people who have an address of their own."""
    rows: Any = session.execute(
        select(*_CONTACT)
        .join(IdentityRow, IdentityRow.id == User.id)
        .where(User.id.in_(ids), User.email.is_not(None), IdentityRow.is_active)
    )
    return {row.id: Contact(*row) for row in rows}


def contact_page(after_id: int, limit: int) -> list[Contact]:
    """Active, confirmed people by id who want announcements."""
    rows: Any = session.execute(
        select(*_CONTACT)
        .join(IdentityRow, IdentityRow.id == User.id)
        .where(
            User.id > after_id,
            User.email_verified_at.is_not(None),
            User.wants_announcements,
            IdentityRow.is_active,
        )
        .order_by(User.id)
        .limit(limit)
    )
    return [Contact(*row) for row in rows]


def find(username: str) -> int | None:
    """The id of the account of that name, ignoring case."""
    found: int | None = session.execute(
        select(User.id).where(func.lower(User.username) == username.lower())
    ).scalar()
    return found


def find_by_email(email: str) -> int | None:
    """The id of the active account that owns the address, ignoring case."""
    found: int | None = session.execute(
        select(User.id)
        .join(IdentityRow, IdentityRow.id == User.id)
        .where(func.lower(User.email) == email.lower(), IdentityRow.is_active)
    ).scalar()
    return found


def is_confirmed(user_id: int) -> bool:
    """Whether the account's address is confirmed."""
    return bool(session.scalar(select(User.email_verified_at).where(User.id == user_id)))


_GRANTED = text(
    "SELECT DISTINCT rp.permission FROM auth_user_role ur"
    " JOIN torg_identity i ON i.id = ur.user_id AND i.is_active"
    " JOIN auth_role r ON r.id = ur.role_id AND r.is_active"
    " JOIN auth_role_permission rp ON rp.role_id = r.id AND rp.is_active"
    " WHERE ur.user_id = :user_id AND ur.is_active"
)


def granted(user_id: int) -> frozenset[str]:
    """What an active person's roles carry; nothing of somebody who is gone."""
    return frozenset(session.scalars(_GRANTED, {"user_id": user_id}))
