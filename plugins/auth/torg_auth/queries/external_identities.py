"""Sign-ins at other providers as their owner sees them, and whether another way in is left."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, or_, select

from torg.db import session
from torg_auth.models import User
from torg_auth.models_personal import ExternalIdentity


@dataclass(frozen=True, slots=True)
class LinkedIdentity:
    """An account elsewhere that signs in here; the provider's own name of it stays inside."""

    id: int
    provider: str
    email: str
    created_at: datetime


def is_of(user_id: int) -> ColumnElement[bool]:
    """The object rule: a person has his own links and sees no other."""
    return ExternalIdentity.user_id == user_id


def linked_to(user_id: int) -> list[LinkedIdentity]:
    """The links of an account, newest first."""
    rows = session.execute(
        select(
            ExternalIdentity.id,
            ExternalIdentity.provider,
            ExternalIdentity.email,
            ExternalIdentity.created_at,
        )
        .where(is_of(user_id))
        .order_by(ExternalIdentity.id.desc())
        .limit(100)
    )
    return [LinkedIdentity(*row) for row in rows]


def has_another_way(user_id: int, linked_id: int) -> bool:
    """Whether an account can be entered, or its password set anew, without this link."""
    other = exists().where(is_of(User.id), ExternalIdentity.id != linked_id)  # type: ignore[arg-type]
    statement = select(func.count()).where(
        User.id == user_id,
        or_(User.email_verified_at.is_not(None), User.phone.is_not(None), other),
    )
    return session.execute(statement).scalar_one() > 0
