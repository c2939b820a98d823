"""Looking at one's own account, changing it, leaving; and what everybody may see of others."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, update

from torg.db import session
from torg.identity import bump_access, set_active
from torg_auth.errors import UserNotFoundError
from torg_auth.models import SecurityEventKind, User
from torg_auth.queries import profiles
from torg_auth.queries.profiles import Profile, PublicProfile
from torg_auth.services.callers import Caller
from torg_auth.services.record import record
from torg_auth.services.sessions import end_all_sessions

CHANGEABLE = frozenset(
    {"display_name", "about", "country", "locale", "time_zone", "wants_announcements"}
)


def show(user_id: int) -> Profile:
    """The account as its owner sees it.

    Raises:
        UserNotFoundError: no such account.
    """
    found = profiles.profile(user_id)
    if found is None:
        raise UserNotFoundError
    return found


def lock(user_id: int) -> Profile:
    """The account as its owner sees it, kept as it is until the present transaction ends."""
    session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
    return show(user_id)


def show_public(username: str) -> PublicProfile:
    """What everybody may see of an active account, ignoring case.

    Raises:
        UserNotFoundError: no such account, or it was deactivated.
    """
    found = profiles.public_profile(username)
    if found is None:
        raise UserNotFoundError
    return found


def change(user_id: int, changes: Mapping[str, Any]) -> Profile:
    """Change some of what the owner may change himself.

    Raises:
        KeyError: a name is not among `CHANGEABLE`; the schema refuses it before.
    """
    foreign = changes.keys() - CHANGEABLE
    if foreign:
        raise KeyError(*sorted(foreign))
    if changes:
        session.execute(update(User).where(User.id == user_id).values(**changes))
        # The language is part of the remembered identity.
        bump_access(user_id)
    return show(user_id)


def leave(user_id: int, caller: Caller) -> None:
    """Deactivate one's own account and end its sessions; an administrator can bring it back."""
    end_all_sessions(user_id, "left", caller)
    set_active(user_id, active=False)
    record(SecurityEventKind.DEACTIVATED, caller, user_id=user_id, actor_id=user_id)
