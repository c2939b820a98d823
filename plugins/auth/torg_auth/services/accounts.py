"""Registering and confirming an address."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from torg import outbox
from torg.db import session
from torg.errors import TorgError
from torg.identity import bump_access, create_identity
from torg_auth.domain.access import USER
from torg_auth.domain.codes import Purpose
from torg_auth.errors import (
    CodeInvalidError,
    EmailTakenError,
    LinkInvalidError,
    UsernameTakenError,
)
from torg_auth.models import SecurityEventKind, User
from torg_auth.queries.changes import is_username_free
from torg_auth.services import access, codes
from torg_auth.services.callers import Caller
from torg_auth.services.limiting import may_mail
from torg_auth.services.outcomes import leaving_traces
from torg_auth.services.passwords import hasher, require_strength
from torg_auth.services.record import record
from torg_auth.services.statuses import welcome

_USERNAME_TAKEN = "uq_auth_user_username"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What somebody registers with; `email` as `torg_auth.domain.names` accepts it, or empty."""

    username: str
    email: str
    password: str
    country: str | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """A new account, as whoever registered it may know it."""

    id: int
    username: str
    email: str
    created_at: datetime
    email_verified: bool = False


def register(new: NewAccount, caller: Caller) -> Registered:
    """Make an account and have the address's owner told, by a job.

    An address that belongs to an account already gives a working account too, which can never be
    confirmed: nothing that a stranger can see tells the two apart. The owner of the address gets
    another mail then.

    Raises:
        UsernameTakenError: usernames are public, so this is said openly.
        PasswordRefusedError: the password is too short or too common.
    """
    require_strength(new.password, new.username, new.email)
    password_hash = hasher().hash(new.password)
    registered = add_user(new, password_hash)
    access.add_roles(registered.id, [USER])
    record(SecurityEventKind.REGISTERED, caller, user_id=registered.id)
    if may_mail("register", new.email):
        outbox.enqueue("auth.greet", {"user_id": registered.id})
    return registered


def add_user(new: NewAccount, password_hash: str, *, verified: bool = False) -> Registered:
    """Add the rows of an account, in the present transaction.

    Args:
        new: its values; its password is not looked at.
        password_hash: as `torg_auth.services.passwords` makes it.
        verified: the address is known to be the owner's; it must be free then.

    Raises:
        UsernameTakenError: ignoring case.
        EmailTakenError: `verified`, and an account has the address, ignoring case.
    """
    if not is_username_free(new.username):
        raise UsernameTakenError(username=new.username)
    user_id = create_identity()
    values = {
        "id": user_id,
        "username": new.username,
        "password_hash": password_hash,
        "country": new.country,
        "locale": new.locale,
    }
    try:
        created_at = _insert(values, new.email or None, verified=verified)
    except IntegrityError as error:
        if _constraint(error) == _USERNAME_TAKEN:
            raise UsernameTakenError(username=new.username) from error
        raise
    return Registered(user_id, new.username, new.email, created_at, verified)


def _insert(values: dict[str, Any], email: str | None, *, verified: bool) -> datetime:
    confirmation = (
        {"email_verified_at": func.clock_timestamp(), "verification_level": 1} if verified else {}
    )
    created_at: datetime | None = session.scalar(
        insert(User)
        .values(**values, email=email, **confirmation)
        .on_conflict_do_nothing(index_elements=[text("lower(email)")])
        .returning(User.created_at)
    )
    if created_at is not None:
        return created_at
    if verified or email is None:
        raise EmailTakenError(email=email)
    claim = insert(User).values(**values, claimed_email=email).returning(User.created_at)
    claimed_at: datetime = session.scalars(claim).one()
    return claimed_at


def _constraint(error: IntegrityError) -> str | None:
    diagnostics = getattr(error.orig, "diag", None)
    return getattr(diagnostics, "constraint_name", None)


def ask_for_code(email: str, purpose: Purpose, caller: Caller) -> None:
    """Have a code mailed, if the address belongs to an account that can use one.

    All that depends on the account is a job's work, so that the answer is the same, and takes the
    same time, for every address.
    """
    if may_mail(purpose.value, email):
        outbox.enqueue(
            "auth.send_code",
            {
                "email": email,
                "purpose": purpose.value,
                "address": caller.address,
                "device_label": caller.device_label,
            },
        )


@leaving_traces
def confirm_by_code(email: str, code: str, caller: Caller) -> TorgError | None:
    """Confirm an address by the mailed code, in a transaction of its own.

    Raises:
        CodeInvalidError: wrong, used, replaced, too old or tried too often, or no such account.
    """
    user_id = codes.use_code(email, Purpose.CONFIRM_EMAIL, code)
    if user_id is None:
        return CodeInvalidError()
    confirm_address(user_id, caller)
    return None


@leaving_traces
def confirm_by_link(token: str, caller: Caller) -> TorgError | None:
    """Confirm an address by the link of the mail, in a transaction of its own.

    Raises:
        LinkInvalidError: not one of ours, used, replaced or too old.
    """
    user_id = codes.use_link(Purpose.CONFIRM_EMAIL, token)
    if user_id is None:
        return LinkInvalidError()
    confirm_address(user_id, caller)
    return None


def look_at_link(token: str) -> None:
    """Say whether the link of the mail would confirm an address; changes nothing.

    Raises:
        LinkInvalidError: not one of ours, used, replaced or too old.
    """
    if not codes.is_link_good(Purpose.CONFIRM_EMAIL, token):
        raise LinkInvalidError


def confirm_address(user_id: int, caller: Caller) -> None:
    """Note, in the present transaction, that the owner reads the mails of his address."""
    confirmed = session.scalar(
        update(User)
        # An address that somebody else has proved meanwhile is this account's no more.
        .where(User.id == user_id, User.email_verified_at.is_(None), User.email.is_not(None))
        .values(
            email_verified_at=func.clock_timestamp(),
            verification_level=func.greatest(User.verification_level, 1),
        )
        .returning(User.id)
    )
    if confirmed is not None:
        bump_access(user_id)
        record(SecurityEventKind.EMAIL_CONFIRMED, caller, user_id=user_id)
        welcome(user_id)
