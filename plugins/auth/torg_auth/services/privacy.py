"""All about a person, for himself; and forgetting him.

Every plugin tells and forgets its own part through the hooks `torg_data_export` and
`torg_data_erase`. Unlike most hooks these are all or nothing: an export that lacks a part, or an
erasure that left one out, would be a lie.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, text, update

from torg import outbox, plugins
from torg.clock import format_moment
from torg.db import database_now, in_transaction, session, unit_of_work
from torg.identity import Identity, set_active
from torg_auth.errors import CredentialsWrongError, SessionNeededError
from torg_auth.models import SecurityEventKind, User
from torg_auth.queries import personal
from torg_auth.queries.sign_in import login_accounts
from torg_auth.services import avatars, known_names
from torg_auth.services.callers import Caller
from torg_auth.services.limiting import Attempts
from torg_auth.services.passwords import hasher
from torg_auth.services.record import record
from torg_auth.services.sessions import end_all_sessions
from torg_auth.services.tokens import DEVICE_DAYS


@dataclass(frozen=True, slots=True)
class Export:
    """All that the plugins keep about a person, by plugin."""

    exported_at: datetime
    plugins: dict[str, Any]


def export(user_id: int) -> Export:
    """Ask every active plugin what it keeps about a person.

    Raises:
        Exception: what a plugin raises; a part is never left out silently.
    """
    present = plugins.registry()
    found = {
        plugin.name: present.invoke(plugin, "torg_data_export", identity_id=user_id)
        for plugin in present.active()
    }
    told = {name: part for name, part in found.items() if part is not None}
    return Export(database_now(), told)


def note_export(user_id: int, caller: Caller) -> None:
    """Record that somebody took all data away, in a transaction of its own."""
    with unit_of_work():
        record(SecurityEventKind.EXPORTED, caller, user_id=user_id)


def own_part(user_id: int) -> dict[str, Any]:
    """What accounts keep about a person, as JSON values."""
    return {
        part: [{name: _plain(value) for name, value in row.items()} for row in rows]
        for part, rows in personal.everything_about(user_id).items()
    }


def _plain(value: object) -> object:
    return format_moment(value) if isinstance(value, datetime) else value


def erase(owner: Identity, password: str, caller: Caller) -> None:
    """Forget a person, after a look at his password: for good, in one transaction.

    Opens transactions of its own, so that none is held while the password is checked.

    Raises:
        SessionNeededError: an API key asks.
        CredentialsWrongError: the password is wrong.
        TooManyError: too many wrong ones.
        TorgError: a plugin cannot let him go yet, for example because he owes something.
    """
    if owner.session_id is None:
        raise SessionNeededError
    with unit_of_work("read"):
        account = next(iter(login_accounts(owner.username, caller.place, DEVICE_DAYS)), None)
    attempts = Attempts.of(account, owner.username, caller)
    attempts.require_left()
    if account is None or not hasher().verify(account.password_hash, password):
        attempts.count_failure()
        raise CredentialsWrongError
    unusable = hasher().hash(secrets.token_urlsafe(32))
    in_transaction(lambda: _erase(owner.id, unusable, caller))


def _erase(user_id: int, unusable: str, caller: Caller) -> None:
    end_all_sessions(user_id, "erased", caller)
    set_active(user_id, active=False)
    record(SecurityEventKind.ERASED, caller, user_id=user_id)
    present = plugins.registry()
    for plugin in present.active():
        present.invoke(plugin, "torg_data_erase", identity_id=user_id)
    session.execute(update(User).where(User.id == user_id).values(password_hash=unusable))


_OWN_TABLES = (
    "auth_text_message",
    "auth_pending_change",
    "auth_verification_request",
    "auth_one_time_code",
    "auth_session",
    "auth_api_key",
    "auth_external_identity",
    "auth_user_status_change",
)


def forget_own_part(user_id: int) -> None:
    """Take name, addresses and all else that is personal out of the tables of accounts.

    The row stays, under a name that says nothing, because bids and bookings point to it. So does
    the append-only record of security events, which names nobody.
    """
    avatars.remove(user_id)
    for key in personal.document_files(user_id):
        outbox.enqueue("auth.remove_file", {"key": key}, key=key)
    for table in _OWN_TABLES:
        session.execute(text(f"DELETE FROM {table} WHERE user_id = :id"), {"id": user_id})  # noqa: S608 - the names above
    known_names.forget()
    session.execute(
        update(User)
        .where(User.id == user_id)
        .values(
            username=f"erased-{user_id}-{secrets.token_hex(3)}",
            email=None,
            claimed_email=None,
            email_verified_at=None,
            phone=None,
            phone_verified_at=None,
            display_name="",
            about="",
            country=None,
            locale=None,
            time_zone=None,
            status_text="",
            verification_level=0,
            wants_announcements=False,
            updated_at=func.clock_timestamp(),
        )
    )
