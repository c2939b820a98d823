"""Roles: what they carry, who has them, and bringing them in line with what plugins declare."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert

from torg import plugins
from torg.db import session
from torg.identity import Identity, bump_access
from torg_auth.domain.access import (
    Grant,
    default_grants,
    missing_grants,
    missing_roles,
)
from torg_auth.errors import RoleUnknownError
from torg_auth.models import Role, RolePermission, UserRole

# Any number that nothing else of this database uses; two upgrades at once must not interleave.
_SYNC_LOCK = 7_205_759_403_792_794


def sync() -> list[Grant]:
    """Write the roles and default permissions that the enabled plugins declare.

    Repeatable, and never undoes a decision: what an administrator added stays, what he took away
    is not given again.

    Returns:
        The grants that were new.
    """
    one_at_a_time()
    wanted = _wanted()
    roles = _role_ids()
    added = missing_roles(wanted, roles)
    if added:
        session.execute(insert(Role).values([{"name": name} for name in added]))
        roles = _role_ids()
    new = missing_grants(wanted, _written())
    if new:
        rows = [
            {"role_id": roles[grant.role], "permission": grant.permission, "is_default": True}
            for grant in new
        ]
        session.execute(insert(RolePermission).values(rows))
    return new


def one_at_a_time() -> None:
    """Let changes of roles in other transactions wait until the present one ends."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SYNC_LOCK})


def is_in_line() -> bool:
    """Whether everything that the enabled plugins declare is written; takes no lock."""
    wanted = _wanted()
    return not missing_roles(wanted, _role_ids()) and not missing_grants(wanted, _written())


def _wanted() -> frozenset[Grant]:
    return default_grants({each.name: each.roles for each in plugins.permissions().values()})


def _role_ids() -> dict[str, int]:
    return {row.name: row.id for row in session.execute(select(Role.name, Role.id))}


def _written() -> list[Grant]:
    rows = session.execute(
        select(Role.name, RolePermission.permission).join(
            RolePermission, RolePermission.role_id == Role.id
        )
    )
    return [Grant(row.name, row.permission) for row in rows]


def add_roles(user_id: int, names: Iterable[str]) -> None:
    """Give roles to an account, in the present transaction.

    Raises:
        RoleUnknownError: a role does not exist.
    """
    chosen = _ids_of(names)
    if chosen:
        _set(user_id, chosen, is_active=True)
        bump_access(user_id)


def replace_roles(user_id: int, names: Collection[str]) -> tuple[list[str], list[str]]:
    """Let an account have exactly these roles.

    Returns:
        The names given and the names taken away, sorted.

    Raises:
        RoleUnknownError: a role does not exist.
    """
    wanted = _ids_of(names)
    present = dict(roles_of(user_id))
    given = {name: number for name, number in wanted.items() if name not in present}
    taken = {name: number for name, number in present.items() if name not in wanted}
    _set(user_id, given, is_active=True)
    _set(user_id, taken, is_active=False)
    if given or taken:
        bump_access(user_id)
    return sorted(given), sorted(taken)


def roles_of(user_id: int) -> list[tuple[str, int]]:
    """Name and id of the roles that an account has, by name."""
    rows = session.execute(
        select(Role.name, Role.id)
        .join(UserRole, UserRole.role_id == Role.id)
        .where(UserRole.user_id == user_id, UserRole.is_active, Role.is_active)
        .order_by(Role.name)
    )
    return [(row.name, row.id) for row in rows]


def _ids_of(names: Iterable[str]) -> dict[str, int]:
    known = {
        row.name: row.id
        for row in session.execute(select(Role.name, Role.id).where(Role.is_active))
    }
    wanted = dict.fromkeys(names)
    for place, name in enumerate(wanted):
        if name not in known:
            raise RoleUnknownError(role=name, place=place, known_roles=sorted(known))
    return {name: known[name] for name in wanted}


def _set(user_id: int, roles: dict[str, int], *, is_active: bool) -> None:
    if not roles:
        return
    rows = [
        {"user_id": user_id, "role_id": number, "is_active": is_active} for number in roles.values()
    ]
    change = insert(UserRole).values(rows)
    session.execute(
        change.on_conflict_do_update(
            index_elements=["user_id", "role_id"],
            set_={
                "is_active": change.excluded.is_active,
                "updated_at": func.clock_timestamp(),
            },
        )
    )


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A declared permission, as somebody sees it who may or may not have it."""

    name: str
    plugin: str
    title: str
    roles: list[str]
    is_mine: bool


def catalogue(viewer: Identity) -> list[CatalogueEntry]:
    """Every permission that plugins and host declare, by name."""
    return [
        CatalogueEntry(
            name=each.name,
            plugin=each.name.partition(".")[0],
            title=each.title,
            roles=sorted(each.roles),
            is_mine=viewer.may(each.name),
        )
        for _, each in sorted(plugins.permissions().items())
    ]
