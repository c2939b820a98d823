"""Setting a forgotten password anew: by mail, or by telephone for accounts without an address.

A number is enough only where there is no confirmed address: whoever takes over a telephone number
must not get into an account whose mails he cannot read. The two kinds of code have purposes of
their own: a text message proves no address.
"""

from sqlalchemy import select, update

from torg import outbox
from torg.db import session
from torg.errors import TorgError
from torg.identity import IdentityRow
from torg_auth.domain.changes import PURPOSES
from torg_auth.domain.codes import Purpose
from torg_auth.emails import PASSWORD_CHANGED
from torg_auth.errors import CodeInvalidError
from torg_auth.models import SecurityEventKind, User
from torg_auth.services import api_keys, codes, texts
from torg_auth.services.accounts import confirm_address
from torg_auth.services.callers import Caller
from torg_auth.services.mailing import tell_owner
from torg_auth.services.outcomes import leaving_traces
from torg_auth.services.passwords import hasher, require_strength
from torg_auth.services.record import record
from torg_auth.services.sessions import end_all_sessions

SEND = "auth.send_reset_text"


def ask_by_phone(phone: str, caller: Caller) -> None:
    """Have a code sent, if an account without a confirmed address has this number.

    The work is a job's, so that the answer is the same, and takes the same time, for every number.
    """
    known = {"address": caller.address, "device_label": caller.device_label}
    outbox.enqueue(SEND, {"phone": phone, **known})


def send_asked_code(phone: str, caller: Caller) -> bool:
    """Send a code that sets a new password; an older one is void."""
    found = _reached_by(phone)
    if found is None:
        return False
    user_id, _ = found
    record(SecurityEventKind.PASSWORD_RESET_ASKED, caller, user_id=user_id, by="phone")
    issued = codes.issue(user_id, Purpose.RESET_BY_PHONE)
    return texts.queue_code(user_id, phone, issued.id)


def _reached_by(phone: str) -> tuple[int, str] | None:
    """Id and name of the account that has the number and no confirmed address."""
    row = session.execute(
        select(User.id, User.username)
        .join(IdentityRow, IdentityRow.id == User.id)
        .where(User.phone == phone, User.email_verified_at.is_(None), IdentityRow.is_active)
    ).one_or_none()
    return None if row is None else (row.id, row.username)


def reset_by_mail(email: str, code: str, password: str, caller: Caller) -> None:
    """Set a new password by the mailed code and end every session and API key.

    It also confirms the address, because the code proves that its mails are read.

    Raises:
        PasswordRefusedError: the new password is too weak; the code is not used up.
        CodeInvalidError: wrong, used, replaced, too old or tried too often, or no such account.
    """
    require_strength(password, email)
    _reset_by_mail(email, code, hasher().hash(password), caller)


def reset_by_phone(phone: str, code: str, password: str, caller: Caller) -> None:
    """Set a new password by the code of a text message and end every session and API key.

    Raises:
        PasswordRefusedError: the new password is too weak; the code is not used up.
        CodeInvalidError: wrong, used, replaced, too old or tried too often, or no such account.
    """
    require_strength(password, phone)
    _reset_by_phone(phone, code, hasher().hash(password), caller)


@leaving_traces
def _reset_by_mail(email: str, code: str, password_hash: str, caller: Caller) -> TorgError | None:
    user_id = codes.use_code(email, Purpose.RESET_PASSWORD, code)
    if user_id is None:
        return CodeInvalidError()
    confirm_address(user_id, caller)
    _set(user_id, password_hash, caller)
    return None


@leaving_traces
def _reset_by_phone(phone: str, code: str, password_hash: str, caller: Caller) -> TorgError | None:
    found = _reached_by(phone)
    used = None if found is None else codes.use_code_of(found[1], Purpose.RESET_BY_PHONE, code)
    if used is None:
        return CodeInvalidError()
    _set(used[0], password_hash, caller)
    return None


def _set(user_id: int, password_hash: str, caller: Caller) -> None:
    session.execute(update(User).where(User.id == user_id).values(password_hash=password_hash))
    # A change asked for by whoever knew the old password must not come true afterwards.
    codes.void(user_id, *PURPOSES.values())
    end_all_sessions(user_id, "password_reset", caller)
    # Mails tell whoever finds a stranger in his account to set a new password: then a key that the
    # stranger made has to go as well.
    api_keys.revoke_all(user_id)
    event_id = record(SecurityEventKind.PASSWORD_RESET, caller, user_id=user_id)
    tell_owner(PASSWORD_CHANGED, user_id, caller, key=str(event_id))
