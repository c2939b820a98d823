"""Changing username, e-mail address, telephone and password: asked for first, then confirmed.

A change is applied only by the code that was sent to the right place (`torg_auth.domain.changes`).
Whether a new address or number has an account already is never told to whoever asks: the code goes
out all the same, and only who has it, and so owns the address, may learn that it is taken. Taking a
change back is `torg_auth.services.undoing`'s.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert

from torg import limits
from torg.config import plugin_settings
from torg.db import in_transaction, session, unit_of_work
from torg.errors import TooManyError, TorgError, UnauthorizedError
from torg.mail import queue_mail
from torg_auth.change_emails import CONFIRM_CHANGE
from torg_auth.change_errors import (
    ChangeNotFoundError,
    NothingChangesError,
    PasswordWrongError,
    PhoneNotServedError,
)
from torg_auth.domain.changes import PURPOSES, Channel, Kind, Target, code_target
from torg_auth.domain.phones import is_served
from torg_auth.errors import CodeInvalidError, UsernameTakenError
from torg_auth.models import SecurityEventKind
from torg_auth.models_changes import PendingChange
from torg_auth.queries import changes as queries
from torg_auth.queries.changes import Changing
from torg_auth.services import codes, texts
from torg_auth.services.applying import apply
from torg_auth.services.callers import Caller
from torg_auth.services.limiting import FAILURES, may_mail
from torg_auth.services.outcomes import leaving_traces
from torg_auth.services.passwords import hasher, require_strength
from torg_auth.services.record import record
from torg_auth.settings import AuthSettings

POINTER = "/value"


@dataclass(frozen=True, slots=True)
class Asked:
    """A change that waits for its code, and where that was sent."""

    id: int
    kind: Kind
    channel: Channel
    expires_at: datetime


def ask(user_id: int, kind: Kind, value: str, current_password: str, caller: Caller) -> Asked:
    """Ask for a change of one's own account; opens transactions of its own.

    Args:
        user_id: whose.
        kind: of what.
        value: the new one, as `torg_auth.domain` accepts it.
        current_password: proves that it is not somebody at an unlocked screen.
        caller: from where.

    Raises:
        PasswordWrongError: wrong.
        TooManyError: wrong too often.
        PasswordRefusedError: the new password is too weak.
        UsernameTakenError: usernames are public, so this is said openly.
        PhoneNotServedError: numbers of this country are not served.
        NothingChangesError: it is so already.
    """
    require_served(kind, value, POINTER)
    with unit_of_work("read"):
        account = queries.changing(user_id)
    if account is None:
        raise UnauthorizedError
    _require_password(account, current_password)
    kept = value
    if kind is Kind.PASSWORD:
        own_names = [each for each in (account.username, account.email) if each]
        require_strength(value, *own_names, pointer=POINTER)
        kept = hasher().hash(value)
    return in_transaction(lambda: _ask(account, kind, kept, caller))


def require_served(kind: Kind, value: str, pointer: str) -> None:
    """Refuse a number of a country that the deployment does not send to.

    Raises:
        PhoneNotServedError: it does not.
    """
    countries = plugin_settings("auth", AuthSettings).sms_countries
    if kind is Kind.PHONE and not is_served(value, countries):
        raise PhoneNotServedError(pointer)


def _require_password(account: Changing, current_password: str) -> None:
    key = f"change:{account.id}"
    limits.look(FAILURES.name, FAILURES.rate, key)
    if hasher().verify(account.password_hash, current_password):
        # A right one is let in only while few were wrong, however many are tried at once.
        limits.look(FAILURES.name, FAILURES.rate, key)
        return
    full: TooManyError | None = None
    try:
        limits.hit(FAILURES.name, FAILURES.rate, key)
    except TooManyError as error:
        full = error
    raise full or PasswordWrongError


def _ask(seen: Changing, kind: Kind, kept: str, caller: Caller) -> Asked:
    account = queries.changing(seen.id, lock=True)
    if account is None or account.password_hash != seen.password_hash:
        raise PasswordWrongError
    if account.value(kind) == kept:
        raise NothingChangesError
    if kind is Kind.USERNAME and not queries.is_username_free(kept, but_for=account.id):
        raise UsernameTakenError(username=kept, pointer=POINTER)
    asked = begin(account, kind, kept)
    record(SecurityEventKind.CHANGE_ASKED, caller, user_id=account.id, change=kind.value)
    return asked


@dataclass(frozen=True, slots=True)
class Waiting(Asked):
    """A change that waits, and since when."""

    created_at: datetime


def waiting(user_id: int) -> list[Waiting]:
    """One's own changes that a code can still confirm, newest first; never their new values.

    A thief who has a session for a moment shall not read the owner's new address from them.
    """
    account = queries.changing(user_id)
    if account is None:
        return []
    found = []
    for row in queries.open_changes(user_id):
        target = code_target(Kind(row.kind), row.new_value or "", account.reach)
        channel = target.channel if target is not None else Channel.EMAIL
        found.append(Waiting(row.id, Kind(row.kind), channel, row.expires_at, row.created_at))
    return found


def begin(account: Changing, kind: Kind, value: str) -> Asked:
    """Note a change and send its code, in the present transaction; an older one is over.

    Args:
        account: whose.
        kind: of what.
        value: the new one; of a password its hash.
    """
    issued = codes.issue(account.id, PURPOSES[kind])
    change_id: int = session.execute(
        insert(PendingChange)
        .values(user_id=account.id, kind=kind.value, new_value=value, code_id=issued.id)
        .returning(PendingChange.id)
    ).scalar_one()
    target = code_target(kind, value, account.reach)
    _send(account, kind, value, issued, target)
    # An account whose address is only claimed gets nothing, and nobody can tell that from here.
    channel = target.channel if target is not None else Channel.EMAIL
    return Asked(change_id, kind, channel, queries.code_ends_at(issued.id))


def _send(
    account: Changing, kind: Kind, value: str, issued: codes.Issued, target: Target | None
) -> None:
    if target is None:
        return
    if target.channel is Channel.SMS:
        texts.queue_code(account.id, target.address, issued.id)
        return
    if not may_mail("change", target.address):
        return
    shown = "" if kind is Kind.PASSWORD else value
    facts = {
        "change": {"kind": kind.value, "account": account.username, "new": shown},
        "issued": issued.payload(),
    }
    queue_mail(
        CONFIRM_CHANGE.name, target.address, facts, key=str(issued.id), locale=account.locale
    )


def confirm(
    user_id: int, change_id: int, code: str, caller: Caller, session_id: int | None
) -> None:
    """Apply one's own change by the code that was sent, in a transaction of its own.

    Args:
        user_id: whose.
        change_id: which.
        code: the six digits.
        caller: from where.
        session_id: the session that stays when the others end.

    Raises:
        ChangeNotFoundError: one has asked for no such change.
        CodeInvalidError: wrong, used, replaced, too old or tried too often.
        UsernameTakenError, ValueTakenError: somebody else got it meanwhile; the code is used up.
    """
    _confirm(user_id, change_id, code, caller, session_id)


@leaving_traces
def _confirm(
    user_id: int, change_id: int, code: str, caller: Caller, session_id: int | None
) -> TorgError | None:
    account = queries.changing(user_id)
    change = queries.own_change(user_id, change_id)
    if account is None or change is None:
        return ChangeNotFoundError()
    if change.code_id is None:
        return CodeInvalidError()
    purpose = PURPOSES[Kind(change.kind)]
    used = codes.use_code_of(account.username, purpose, code, change.code_id)
    if used is None:
        return CodeInvalidError()
    return apply(used[1], caller, keep_session=session_id)
