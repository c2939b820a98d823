"""Making a confirmed change come true, with all that follows from it.

Everything happens in the caller's transaction, which holds the used code.
"""

import secrets
from typing import Any

from sqlalchemy import func, text, update
from sqlalchemy.exc import IntegrityError

from torg.clock import format_moment
from torg.config import plugin_settings
from torg.db import database_now, session
from torg.errors import TorgError
from torg.identity import bump_access
from torg.mail import queue_mail
from torg_auth.change_emails import CHANGE_UNDO
from torg_auth.change_errors import ChangeNotFoundError, ValueTakenError
from torg_auth.domain.changes import (
    ENDS_SESSIONS,
    PURPOSES,
    UNDOABLE,
    Channel,
    Kind,
    Target,
    notice_targets,
    shortened,
)
from torg_auth.domain.codes import Purpose
from torg_auth.errors import UsernameTakenError
from torg_auth.models import SecurityEventKind, User
from torg_auth.models_changes import PendingChange
from torg_auth.queries import changes as queries
from torg_auth.queries.changes import Changing
from torg_auth.services import codes, known_names, texts
from torg_auth.services.callers import Caller
from torg_auth.services.levels import renew_level
from torg_auth.services.record import record
from torg_auth.services.sessions import end_all_sessions
from torg_auth.settings import AuthSettings


def apply(code_id: int, caller: Caller, *, keep_session: int | None) -> TorgError | None:
    """Apply the change whose code was just used; what it could not be applied for is returned."""
    change = queries.change_of_code(code_id)
    before = None if change is None else queries.changing(change.user_id, lock=True)
    if change is None or before is None:
        return ChangeNotFoundError()
    kind = Kind(change.kind)
    refused = set_value(before, kind, change.new_value)
    if refused is not None:
        return refused
    _follow_up(before, kind, caller, keep_session)
    targets = notice_targets(kind, before.reach)
    nonce = _mark_applied(change.id, kind, before, can_undo=bool(targets))
    record(SecurityEventKind.CHANGE_APPLIED, caller, user_id=before.id, change=kind.value)
    for target in targets:
        _tell(target, before, change, nonce, caller)
    return None


def set_value(account: Changing, kind: Kind, value: str | None) -> TorgError | None:
    """Write a new value whose owner has proved it; the refusal when somebody else has it.

    Args:
        account: as locked.
        kind: what to write.
        value: the value, a hash for a password; None takes address or number away.
    """
    if kind is Kind.USERNAME and not queries.is_username_free(value or "", but_for=account.id):
        return UsernameTakenError(username=value or "", pointer="/value")
    try:
        # A savepoint, so that the used code stays used when the value turns out to be taken.
        with session.begin_nested():
            if kind is Kind.EMAIL and value is not None:
                _free_address(value, account.id)
            session.execute(
                update(User).where(User.id == account.id).values(**_columns(kind, value))
            )
    except IntegrityError:
        if kind is Kind.USERNAME:
            return UsernameTakenError(username=value or "", pointer="/value")
        return ValueTakenError()
    if kind is Kind.USERNAME:
        known_names.forget()
    return None


def _columns(kind: Kind, value: str | None) -> dict[str, Any]:
    proved_at = None if value is None else func.clock_timestamp()
    if kind is Kind.EMAIL:
        return {"email": value, "claimed_email": None, "email_verified_at": proved_at}
    if kind is Kind.PHONE:
        return {"phone": value, "phone_verified_at": proved_at}
    return {"username" if kind is Kind.USERNAME else "password_hash": value}


_FREE = text(
    "UPDATE auth_user SET claimed_email = email, email = NULL WHERE lower(email) = lower(:email)"
    " AND email_verified_at IS NULL AND id <> :but_for RETURNING id"
)


def _free_address(email: str, but_for: int) -> None:
    """Whoever only registered with the address gives way to who has proved it."""
    holder: int | None = session.execute(_FREE, {"email": email, "but_for": but_for}).scalar()
    if holder is not None:
        codes.void(holder, Purpose.CONFIRM_EMAIL, Purpose.RESET_PASSWORD)
        bump_access(holder)


def _follow_up(before: Changing, kind: Kind, caller: Caller, keep_session: int | None) -> None:
    void_codes(before.id, kind)
    renew_level(before.id)
    bump_access(before.id)
    was_reached = before.email_verified or before.phone is not None
    # The first confirmed address of an account takes nobody's access away.
    if kind in ENDS_SESSIONS and (was_reached or kind is Kind.PASSWORD):
        end_all_sessions(before.id, f"{kind.value}_changed", caller, keep=keep_session)


def void_codes(user_id: int, kind: Kind) -> None:
    """Codes that went to where the account was reached before mean nothing any more."""
    if kind is Kind.USERNAME:
        return
    purposes = [Purpose.RESET_PASSWORD, Purpose.RESET_BY_PHONE, *PURPOSES.values()]
    if kind is Kind.EMAIL:
        purposes.append(Purpose.CONFIRM_EMAIL)
    codes.void(user_id, *purposes)


def _mark_applied(change_id: int, kind: Kind, before: Changing, *, can_undo: bool) -> str | None:
    values: dict[str, Any] = {"applied_at": func.clock_timestamp(), "new_value": None}
    nonce = None
    if can_undo and kind in UNDOABLE:
        nonce = secrets.token_hex(16)
        hours = plugin_settings("auth", AuthSettings).undo_hours
        values |= {
            "old_value": before.value(kind),
            "undo_nonce": nonce,
            "undo_until": func.clock_timestamp() + func.make_interval(0, 0, 0, 0, hours),
        }
    session.execute(update(PendingChange).where(PendingChange.id == change_id).values(**values))
    return nonce


def _tell(target: Target, before: Changing, change: Any, nonce: str | None, caller: Caller) -> None:
    if target.channel is Channel.SMS:
        texts.queue_notice(before.id, target.address, change.id)
        return
    kind = Kind(change.kind)
    facts = {
        "change": {
            "kind": kind.value,
            "account": before.username,
            "old": before.value(kind) or "",
            "new": shortened(kind, change.new_value),
        },
        "at": format_moment(database_now()),
        "device": caller.device_label,
        "address": caller.address,
        "hours": plugin_settings("auth", AuthSettings).undo_hours,
        "undo": {"id": change.id, "nonce": nonce} if nonce is not None else None,
    }
    key = str(change.id)
    queue_mail(CHANGE_UNDO.name, target.address, facts, key=key, locale=before.locale)
