"""Telling people by mail: codes they asked for, and what happened to their account.

The parts that depend on whether an account exists run in jobs, away from the request.
"""

from sqlalchemy import func, select

from torg.clock import format_moment
from torg.db import database_now, session
from torg.identity import IdentityRow
from torg.mail import MailTemplate, queue_mail
from torg_auth.domain.codes import Purpose
from torg_auth.emails import ALREADY_REGISTERED, CODE_MAILS
from torg_auth.models import SecurityEventKind, User
from torg_auth.queries import people
from torg_auth.services import codes
from torg_auth.services.callers import Caller
from torg_auth.services.record import record


def greet(user_id: int) -> None:
    """Write to the owner of the address that an account was registered with.

    He gets a code to confirm it, or hears that he has an account already.
    """
    account = session.execute(
        select(User.email, User.claimed_email, User.email_verified_at).where(User.id == user_id)
    ).one()
    if account.claimed_email is not None:
        _tell_holder(account.claimed_email, user_id)
    elif account.email_verified_at is None:
        send_code(user_id, Purpose.CONFIRM_EMAIL)


def _tell_holder(email: str, claimed_by: int) -> None:
    holder = session.execute(
        select(
            User.id,
            User.username,
            User.email,
            User.email_verified_at,
            User.locale,
            IdentityRow.is_active,
        )
        .join(IdentityRow, IdentityRow.id == User.id)
        .where(func.lower(User.email) == email.lower())
    ).one_or_none()
    if holder is None:
        return
    facts = {
        "account": holder.username,
        "confirmed": holder.email_verified_at is not None,
        "closed": not holder.is_active,
    }
    # A closed account gets no mail, but whoever wants to come back must not wait for a code.
    whom = holder.id if holder.is_active else holder.email
    queue_mail(ALREADY_REGISTERED.name, whom, facts, key=str(claimed_by), locale=holder.locale)


def send_asked_code(email: str, purpose: Purpose, caller: Caller) -> bool:
    """Mail a code that somebody asked for; False when the address can use none."""
    user_id = people.find_by_email(email)
    if user_id is None:
        return False
    if purpose is Purpose.CONFIRM_EMAIL and people.is_confirmed(user_id):
        return False
    if purpose is Purpose.RESET_PASSWORD:
        record(SecurityEventKind.PASSWORD_RESET_ASKED, caller, user_id=user_id)
    send_code(user_id, purpose)
    return True


def send_code(user_id: int, purpose: Purpose) -> None:
    """Issue a code and queue its mail."""
    issued = codes.issue(user_id, purpose)
    queue_mail(CODE_MAILS[purpose].name, user_id, {"issued": issued.payload()}, key=str(issued.id))


def tell_owner(template: MailTemplate, user_id: int, caller: Caller, key: str) -> None:
    """Tell the owner of an account that something happened to it, from where and when."""
    facts = {
        "at": format_moment(database_now()),
        "device": caller.device_label,
        "address": caller.address,
    }
    queue_mail(template.name, user_id, facts, key=key)
