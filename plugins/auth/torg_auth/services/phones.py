"""Registering by telephone and confirming the number by the code that was sent there.

The number belongs to nobody until it is confirmed: any number of accounts may wait for one, and
only who receives its messages gets it. So registering tells nobody which numbers have accounts.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import update

from torg import outbox
from torg.db import session
from torg.errors import TorgError
from torg_auth.domain.access import USER
from torg_auth.domain.changes import Kind
from torg_auth.domain.codes import Purpose
from torg_auth.errors import CodeInvalidError
from torg_auth.models import SecurityEventKind
from torg_auth.models_changes import PendingChange
from torg_auth.queries import changes as queries
from torg_auth.services import access, changes, codes, texts
from torg_auth.services.accounts import NewAccount, add_user
from torg_auth.services.applying import apply
from torg_auth.services.callers import Caller
from torg_auth.services.outcomes import leaving_traces
from torg_auth.services.passwords import hasher, require_strength
from torg_auth.services.record import record

RESEND = "auth.send_phone_code"


@dataclass(frozen=True, slots=True)
class NewPhoneAccount:
    """What somebody registers with; `phone` as `torg_auth.domain.phones` accepts it."""

    phone: str
    username: str
    password: str
    country: str | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class RegisteredByPhone:
    """A new account, whose number waits for its confirmation."""

    id: int
    username: str
    phone: str
    created_at: datetime
    phone_verified: bool = False


def register(new: NewPhoneAccount, caller: Caller) -> RegisteredByPhone:
    """Make an account without an address and send a code to its number.

    Raises:
        UsernameTakenError: usernames are public, so this is said openly.
        PasswordRefusedError: the password is too short or too common.
        PhoneNotServedError: numbers of this country are not served.
    """
    changes.require_served(Kind.PHONE, new.phone, "/phone")
    require_strength(new.password, new.username, new.phone)
    password_hash = hasher().hash(new.password)
    account = NewAccount(new.username, "", new.password, new.country, new.locale)
    added = add_user(account, password_hash)
    access.add_roles(added.id, [USER])
    record(SecurityEventKind.REGISTERED, caller, user_id=added.id, by="phone")
    whose = queries.changing(added.id)
    if whose is None:
        raise LookupError(added.id)
    changes.begin(whose, Kind.PHONE, new.phone)
    return RegisteredByPhone(added.id, added.username, new.phone, added.created_at)


@leaving_traces
def confirm(username: str, code: str, caller: Caller) -> TorgError | None:
    """Confirm the number that an account waits for, without being signed in.

    Raises:
        CodeInvalidError: wrong, used, replaced, too old or tried too often, or no such account.
        ValueTakenError: another account has proved that it has this number.
    """
    used = codes.use_code_of(username, Purpose.CHANGE_PHONE, code)
    return CodeInvalidError() if used is None else apply(used[1], caller, keep_session=None)


def ask_for_code(username: str) -> None:
    """Have a new code sent, if the account waits for a number to be confirmed.

    The work is a job's, so that the answer is the same, and takes the same time, for every name.
    """
    outbox.enqueue(RESEND, {"username": username})


def send_asked_code(username: str) -> bool:
    """Send a new code to the number that an account waits for; the older code is void."""
    waiting = queries.waiting_phone(username)
    if waiting is None:
        return False
    issued = codes.issue(waiting.user_id, Purpose.CHANGE_PHONE)
    session.execute(
        update(PendingChange).where(PendingChange.id == waiting.id).values(code_id=issued.id)
    )
    return texts.queue_code(waiting.user_id, waiting.phone, issued.id)
