"""Setting what roles carry, and saying why somebody may or may not.

What plugins declare is written by `torg_auth.services.access`; a decision made here outlives it.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from torg import plugins
from torg.db import session
from torg.identity import Identity, PermissionMissingError
from torg_auth.domain.access import DEFAULT_ROLES, Because, Facts, why
from torg_auth.errors import (
    OwnAccessError,
    PermissionUnknownError,
    RoleNameInvalidError,
    RoleNeededError,
    RoleNotFoundError,
    UserNotFoundError,
)
from torg_auth.models import Role, RolePermission, SecurityEventKind, UserRole
from torg_auth.queries import profiles
from torg_auth.queries.profiles import RoleEntry
from torg_auth.services import access
from torg_auth.services.callers import Caller
from torg_auth.services.record import record

CHANGE_ROLES = "auth.role.change"
_READ_USERS = "auth.user.read"
_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")


def show(name: str) -> RoleEntry:
    """An active role.

    Raises:
        RoleNotFoundError: there is none of this name.
    """
    found = profiles.role(name)
    if found is None:
        raise RoleNotFoundError
    return found


def lock(name: str) -> RoleEntry | None:
    """The role as it is until the present transaction ends; None when there is none yet.

    Raises:
        RoleNameInvalidError: it could not be one either.
    """
    if not _NAME.fullmatch(name):
        raise RoleNameInvalidError
    access.one_at_a_time()
    return profiles.role(name)


def replace(name: str, wanted: Sequence[str], actor: Identity, caller: Caller) -> RoleEntry:
    """Let a role, new or not, carry exactly these permissions, from the next request on.

    What plugins that are away at the moment declared stays as it was.

    Raises:
        RoleNameInvalidError: the name is none for a role.
        PermissionUnknownError: something is wanted that no active plugin declares.
        OwnAccessError: the actor could not undo it.
    """
    present = lock(name)
    declared = set(plugins.permissions())
    unknown = sorted(set(wanted) - declared)
    if unknown:
        raise PermissionUnknownError(permissions=unknown, wanted=wanted)
    before = set(present.permissions) & declared if present is not None else set()
    role_id = _activate(name)
    given, taken = sorted(set(wanted) - before), sorted(before - set(wanted))
    _write(role_id, given, is_active=True)
    _write(role_id, taken, is_active=False)
    _require_own_access(actor)
    _settle(name, role_id, given, taken, actor, caller, is_new=present is None)
    return show(name)


def remove(name: str, actor: Identity, caller: Caller) -> None:
    """Take a role away from everybody, for good.

    Raises:
        RoleNotFoundError: there is none of this name.
        RoleNeededError: a plugin declares it.
        OwnAccessError: the actor could not undo it.
    """
    access.one_at_a_time()
    present = show(name)
    declared = {role for each in plugins.permissions().values() for role in each.roles}
    if name in declared | set(DEFAULT_ROLES):
        raise RoleNeededError(role=name)
    _bump_holders(present.id)
    session.execute(update(Role).where(Role.id == present.id).values(is_active=False))
    for table in (UserRole, RolePermission):
        session.execute(update(table).where(table.role_id == present.id).values(is_active=False))
    _require_own_access(actor)
    event = SecurityEventKind.ROLE_CHANGED
    record(event, caller, actor_id=actor.id, role=name, removed=True)


def _activate(name: str) -> int:
    added = insert(Role).values(name=name)
    role_id: int = session.execute(
        added.on_conflict_do_update(
            index_elements=["name"],
            set_={"is_active": True, "updated_at": func.clock_timestamp()},
        ).returning(Role.id)
    ).scalar_one()
    return role_id


def _write(role_id: int, names: Collection[str], *, is_active: bool) -> None:
    if not names:
        return
    rows = [{"role_id": role_id, "permission": name, "is_active": is_active} for name in names]
    change = insert(RolePermission).values(rows)
    session.execute(
        change.on_conflict_do_update(
            index_elements=["role_id", "permission"], set_={"is_active": change.excluded.is_active}
        )
    )


def _settle(
    name: str,
    role_id: int,
    given: list[str],
    taken: list[str],
    actor: Identity,
    caller: Caller,
    *,
    is_new: bool,
) -> None:
    if not (given or taken or is_new):
        return
    _bump_holders(role_id)
    event = SecurityEventKind.ROLE_CHANGED
    record(event, caller, actor_id=actor.id, role=name, given=given, taken=taken)


_BUMP_HOLDERS = text(
    "UPDATE torg_identity SET access_version = access_version + 1 WHERE id IN"
    " (SELECT user_id FROM auth_user_role WHERE role_id = :role_id AND is_active)"
)


def _bump_holders(role_id: int) -> None:
    session.execute(_BUMP_HOLDERS, {"role_id": role_id})


def _require_own_access(actor: Identity) -> None:
    roles = {name for name, _ in access.roles_of(actor.id)}
    if not roles & _carrying(CHANGE_ROLES, is_active=True):
        raise OwnAccessError


def _carrying(permission: str, *, is_active: bool) -> frozenset[str]:
    rows = session.scalars(
        select(Role.name)
        .join(RolePermission, RolePermission.role_id == Role.id)
        .where(
            Role.is_active,
            RolePermission.permission == permission,
            RolePermission.is_active == is_active,
        )
    )
    return frozenset(rows)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why somebody may use a permission, or why not."""

    permission: str
    title: str | None
    user_id: int
    is_allowed: bool
    because: str
    roles: list[str]
    roles_that_carry: list[str]
    email_verified: bool


def explain(permission: str, user_id: int | None, asker: Identity) -> Explanation:
    """Why a person may use a permission, or why not; of oneself as the present credentials allow.

    Raises:
        PermissionMissingError: it is about somebody else, and the asker may not see accounts.
        UserNotFoundError: no such account.
    """
    is_own = user_id is None or user_id == asker.id
    if not is_own and not asker.may(_READ_USERS):
        raise PermissionMissingError(permission=_READ_USERS)
    account = profiles.account(asker.id if user_id is None else user_id)
    if account is None:
        raise UserNotFoundError
    declared = plugins.permissions().get(permission)
    carrying = _carrying(permission, is_active=True)
    facts = Facts(
        is_declared=declared is not None,
        is_active=account.is_active,
        roles=frozenset(account.roles),
        carrying=carrying,
        deprived=_carrying(permission, is_active=False),
        scopes_allow=not is_own or asker.may(permission),
    )
    because = why(facts)
    return Explanation(
        permission=permission,
        title=declared.title if declared is not None else None,
        user_id=account.id,
        is_allowed=because is Because.ROLE_CARRIES_IT,
        because=because.value,
        roles=sorted(account.roles),
        roles_that_carry=sorted(carrying),
        email_verified=account.email_verified,
    )
