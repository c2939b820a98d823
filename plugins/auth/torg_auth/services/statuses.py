"""The status text of a person, its history, and the notices to its owner."""

from sqlalchemy import insert, update

from torg.clock import format_moment
from torg.db import database_now, session
from torg.mail import queue_mail
from torg_auth.emails import PROFILE_CREATED, STATUS_CHANGED
from torg_auth.models import User
from torg_auth.models_personal import StatusChange
from torg_auth.queries.profiles import Profile
from torg_auth.services import profiles


def welcome(user_id: int) -> None:
    """Tell the owner of a new profile that it is there, in the transaction that confirms him."""
    queue_mail(PROFILE_CREATED.name, user_id, {}, key=str(user_id))


def change(user_id: int, text: str) -> Profile:
    """Set one's own status text, note it in the history and tell the owner.

    The text that stands already changes nothing and tells nobody.
    """
    present = profiles.lock(user_id)
    if present.status_text == text:
        return present
    session.execute(update(User).where(User.id == user_id).values(status_text=text))
    change_id: int = session.execute(
        insert(StatusChange).values(user_id=user_id, text=text).returning(StatusChange.id)
    ).scalar_one()
    if present.email_verified:
        facts = {"text": text, "at": format_moment(database_now())}
        queue_mail(STATUS_CHANGED.name, user_id, facts, key=str(change_id))
    return profiles.show(user_id)
