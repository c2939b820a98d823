"""Which permission a role carries: what plugins declare, and what is written of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

ADMIN = "admin"
MANAGER = "manager"
USER = "user"
DEFAULT_ROLES = (ADMIN, MANAGER, USER)


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """A role carries a permission."""

    role: str
    permission: str


def default_grants(declared: Mapping[str, Iterable[str]]) -> frozenset[Grant]:
    """What the declarations ask for: permission -> roles that carry it by default."""
    return frozenset(
        Grant(role, permission) for permission, roles in declared.items() for role in roles
    )


def missing_roles(wanted: Iterable[Grant], present: Iterable[str]) -> list[str]:
    """Roles to be added, sorted: the three of every deployment and those that plugins name."""
    named = {grant.role for grant in wanted} | set(DEFAULT_ROLES)
    return sorted(named - set(present))


def missing_grants(wanted: Iterable[Grant], written: Iterable[Grant]) -> list[Grant]:
    """Grants to be added, sorted.

    `written` holds those taken away by an administrator too: what was decided stays decided, so
    a default is written once and never again.
    """
    return sorted(set(wanted) - set(written))


def effective(granted: Iterable[str], declared: Iterable[str]) -> frozenset[str]:
    """What may be used of what was granted: nobody holds what no plugin declares any more."""
    return frozenset(granted) & frozenset(declared)
