"""What changes need to know: how an account is reached, which names are free, what waits."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, or_, select

from torg.db import session
from torg.identity import IdentityRow
from torg_auth.domain.changes import Kind, Reach
from torg_auth.models import OneTimeCode, User
from torg_auth.models_changes import PendingChange


@dataclass(frozen=True, slots=True)
class Changing:
    """An account that is about to be changed."""

    id: int
    username: str
    email: str | None
    email_verified: bool
    phone: str | None
    locale: str | None
    password_hash: str

    @property
    def reach(self) -> Reach:
        """How it is reached."""
        return Reach(self.email, self.email_verified, self.phone)

    def value(self, kind: Kind) -> str | None:
        """What stands there today; an address that is not confirmed counts as none."""
        if kind is Kind.USERNAME:
            return self.username
        if kind is Kind.EMAIL:
            return self.reach.confirmed_email
        return self.phone if kind is Kind.PHONE else None


def changing(user_id: int, *, lock: bool = False, only_active: bool = True) -> Changing | None:
    """An account, kept as it is until the transaction ends when it is locked."""
    statement = (
        select(
            User.id,
            User.username,
            User.email,
            User.email_verified_at.is_not(None),
            User.phone,
            User.locale,
            User.password_hash,
        )
        .join(IdentityRow, IdentityRow.id == User.id)
        .where(User.id == user_id)
    )
    if only_active:
        statement = statement.where(IdentityRow.is_active)
    if lock:
        statement = statement.with_for_update(of=User, key_share=True)
    row = session.execute(statement).one_or_none()
    return None if row is None else Changing(*row)


def is_username_free(username: str, but_for: int | None = None) -> bool:
    """Whether nobody else has the name, nor could still take it back.

    Args:
        username: looked at ignoring case.
        but_for: an account that may have it.
    """
    wanted = username.lower()
    kept = exists().where(
        func.lower(PendingChange.old_value) == wanted,
        PendingChange.kind == Kind.USERNAME.value,
        PendingChange.undo_until > func.clock_timestamp(),
        PendingChange.undone_at.is_(None),
        PendingChange.user_id != (but_for or 0),
    )
    had = exists().where(func.lower(User.username) == wanted, User.id != (but_for or 0))
    return not session.scalar(select(or_(kept, had)))


def change_of_code(code_id: int) -> Any:
    """The change that a code confirms: `id`, `user_id`, `kind`, `new_value`."""
    return session.execute(
        select(
            PendingChange.id, PendingChange.user_id, PendingChange.kind, PendingChange.new_value
        ).where(PendingChange.code_id == code_id, PendingChange.applied_at.is_(None))
    ).one_or_none()


def open_changes(user_id: int) -> list[Any]:
    """One's own changes whose codes still work, newest first.

    Rows of `id`, `kind`, `new_value`, `created_at`, `expires_at`.
    """
    rows: list[Any] = list(
        session.execute(
            select(
                PendingChange.id,
                PendingChange.kind,
                PendingChange.new_value,
                PendingChange.created_at,
                OneTimeCode.expires_at,
            )
            .join(OneTimeCode, OneTimeCode.id == PendingChange.code_id)
            .where(
                PendingChange.user_id == user_id,
                PendingChange.applied_at.is_(None),
                OneTimeCode.closed_at.is_(None),
                OneTimeCode.expires_at > func.clock_timestamp(),
            )
            .order_by(PendingChange.id.desc())
            .limit(len(Kind))
        )
    )
    return rows


def own_change(user_id: int, change_id: int) -> Any:
    """One's own change: `kind`, `code_id`."""
    return session.execute(
        select(PendingChange.kind, PendingChange.code_id).where(
            PendingChange.id == change_id, PendingChange.user_id == user_id
        )
    ).one_or_none()


def waiting_phone(username: str) -> Any:
    """The last number that an account without one waits to confirm: `id`, `user_id`, `phone`."""
    return session.execute(
        select(PendingChange.id, PendingChange.user_id, PendingChange.new_value.label("phone"))
        .join(User, User.id == PendingChange.user_id)
        .join(IdentityRow, IdentityRow.id == User.id)
        .where(
            func.lower(User.username) == username.lower(),
            User.phone.is_(None),
            IdentityRow.is_active,
            PendingChange.kind == Kind.PHONE.value,
            PendingChange.applied_at.is_(None),
        )
        .order_by(PendingChange.id.desc())
        .limit(1)
    ).one_or_none()


def code_ends_at(code_id: int) -> datetime:
    """Until when a code works."""
    ends_at: datetime = session.execute(
        select(OneTimeCode.expires_at).where(OneTimeCode.id == code_id)
    ).scalar_one()
    return ends_at
