"""Taking a change back by the link that the old address got.

Whoever follows it in time gets the account back as it was, and everybody is signed out, programs
with an API key too: if the change was not the owner's, somebody else was in.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update

from torg.config import plugin_settings
from torg.db import session
from torg.errors import TorgError
from torg.identity import bump_access
from torg_auth.change_emails import UNDO_USE
from torg_auth.domain.changes import Kind
from torg_auth.errors import LinkInvalidError
from torg_auth.models import SecurityEventKind
from torg_auth.models_changes import PendingChange
from torg_auth.queries import changes as queries
from torg_auth.services import api_keys, external_identities
from torg_auth.services.applying import set_value, void_codes
from torg_auth.services.callers import Caller
from torg_auth.services.levels import renew_level
from torg_auth.services.outcomes import leaving_traces
from torg_auth.services.record import record
from torg_auth.services.sessions import end_all_sessions
from torg_auth.settings import AuthSettings
from torg_auth.signing import unsigned


@dataclass(frozen=True, slots=True)
class Undoable:
    """A change that a link would take back."""

    kind: Kind
    undo_until: datetime


def look(token: str) -> Undoable:
    """What a link would take back; changes nothing, so programs that open links do no harm.

    Raises:
        LinkInvalidError: not one of ours, used, or too old.
    """
    conditions = _conditions(token)
    if conditions is None:
        raise LinkInvalidError
    row = session.execute(
        select(PendingChange.kind, PendingChange.undo_until).where(*conditions)
    ).one_or_none()
    if row is None or row.undo_until is None:
        raise LinkInvalidError
    return Undoable(Kind(row.kind), row.undo_until)


@leaving_traces
def undo(token: str, caller: Caller) -> Kind | TorgError:
    """Take a change back, once, in a transaction of its own, and sign everybody out.

    It takes back whatever came after it, too: a thief changes twice to be out of reach.

    Raises:
        LinkInvalidError: not one of ours, used, or too old.
        UsernameTakenError, ValueTakenError: somebody has proved meanwhile that it is his.
    """
    conditions = _conditions(token)
    if conditions is None:
        return LinkInvalidError()
    change = session.execute(
        update(PendingChange)
        .where(*conditions)
        .values(undone_at=func.clock_timestamp())
        .returning(
            PendingChange.id,
            PendingChange.user_id,
            PendingChange.kind,
            PendingChange.old_value,
            PendingChange.applied_at,
        )
    ).one_or_none()
    account = None if change is None else _locked(change.user_id)
    if change is None or account is None:
        return LinkInvalidError()
    kind = Kind(change.kind)
    refused = set_value(account, kind, change.old_value)
    if refused is not None:
        return refused
    _follow_up(change, kind, caller)
    return kind


def _follow_up(change: Any, kind: Kind, caller: Caller) -> None:
    user_id: int = change.user_id
    session.execute(
        update(PendingChange)
        .where(
            PendingChange.user_id == user_id,
            PendingChange.kind == kind.value,
            PendingChange.id > change.id,
            PendingChange.undo_until > func.clock_timestamp(),
        )
        .values(undo_until=func.clock_timestamp())
    )
    # As for an address: whatever waits was asked for by who is to be kept out.
    void_codes(user_id, Kind.EMAIL)
    renew_level(user_id)
    end_all_sessions(user_id, "change_undone", caller)
    # A key that a thief made meanwhile would keep the door open for as long as a year, and his own
    # account elsewhere, which vouched for the address that is taken back, for good.
    keys = api_keys.revoke_all(user_id)
    external_identities.unlink_since(user_id, change.applied_at, caller)
    bump_access(user_id)
    record(
        SecurityEventKind.CHANGE_UNDONE, caller, user_id=user_id, change=kind.value, api_keys=keys
    )


def _locked(user_id: int) -> queries.Changing | None:
    # A thief may have closed the account; then it stays closed, but is the owner's again.
    return queries.changing(user_id, lock=True, only_active=False)


def _conditions(token: str) -> list[Any] | None:
    hours = plugin_settings("auth", AuthSettings).undo_hours
    value = unsigned(UNDO_USE, token, hours * 3600)
    if value is None or len(value) != 2:
        return None
    change_id, nonce = value
    return [
        PendingChange.id == change_id,
        PendingChange.undo_nonce == nonce,
        PendingChange.undone_at.is_(None),
        PendingChange.undo_until > func.clock_timestamp(),
    ]
