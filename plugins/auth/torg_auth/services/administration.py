"""What staff do with accounts: look, let in and keep out, give roles and take them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select, update

from torg.db import session
from torg.identity import Identity, PermissionMissingError, set_active
from torg_auth.errors import OwnAccessError, UserNotFoundError
from torg_auth.models import SecurityEventKind, User
from torg_auth.queries import profiles
from torg_auth.queries.profiles import Account
from torg_auth.services import access
from torg_auth.services.callers import Caller
from torg_auth.services.record import record
from torg_auth.services.sessions import end_all_sessions

GRANT_ROLES = "auth.role.grant"
CHANGE_USERS = "auth.user.change"


def show(user_id: int) -> Account:
    """An account as staff sees it.

    Raises:
        UserNotFoundError: no such account.
    """
    found = profiles.account(user_id)
    if found is None:
        raise UserNotFoundError
    return found


def lock(user_id: int) -> Account:
    """An account as staff sees it, kept as it is until the present transaction ends.

    Two changes of one account go one after the other, or a role could be lost between them.

    Raises:
        UserNotFoundError: no such account.
    """
    session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
    return show(user_id)


def change(user_id: int, changes: Mapping[str, Any], actor: Identity, caller: Caller) -> Account:
    """Let an account in or keep it out, and set its roles; it counts from the next request on.

    Args:
        user_id: whose account.
        changes: `is_active` and `roles` (names), either or both.
        actor: who does it.
        caller: from where.

    Raises:
        UserNotFoundError: no such account.
        OwnAccessError: it is the actor's own account.
        PermissionMissingError: the actor may do only the other of the two.
        RoleUnknownError: a role does not exist.
    """
    _require(actor, "is_active" in changes, CHANGE_USERS)
    _require(actor, "roles" in changes, GRANT_ROLES)
    lock(user_id)
    if user_id == actor.id:
        raise OwnAccessError
    if "roles" in changes:
        _set_roles(user_id, changes["roles"], actor, caller)
    if "is_active" in changes:
        _set_active(user_id, changes["is_active"], actor, caller)
    return show(user_id)


def _touch(user_id: int) -> None:
    """Note when the account was changed, though what changed stands in other tables."""
    moment = func.clock_timestamp()
    session.execute(update(User).where(User.id == user_id).values(updated_at=moment))


def _require(actor: Identity, is_asked: bool, permission: str) -> None:
    if is_asked and not actor.may(permission):
        raise PermissionMissingError(permission=permission)


def _set_roles(user_id: int, names: list[str], actor: Identity, caller: Caller) -> None:
    given, taken = access.replace_roles(user_id, names)
    if given or taken:
        _touch(user_id)
        record(
            SecurityEventKind.ROLES_CHANGED,
            caller,
            user_id=user_id,
            actor_id=actor.id,
            given=given,
            taken=taken,
        )


def _set_active(user_id: int, wanted: bool, actor: Identity, caller: Caller) -> None:
    if profiles.is_active(user_id) == wanted:
        return
    if not wanted:
        end_all_sessions(user_id, "deactivated", caller)
    set_active(user_id, active=wanted)
    _touch(user_id)
    kind = SecurityEventKind.ACTIVATED if wanted else SecurityEventKind.DEACTIVATED
    record(kind, caller, user_id=user_id, actor_id=actor.id)
