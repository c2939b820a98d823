"""Which permission a role carries: what plugins declare, and what is written of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

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


class Because(StrEnum):
    """Why somebody may do something, or why not."""

    ROLE_CARRIES_IT = "role_carries_it"
    NOT_DECLARED = "not_declared"
    ACCOUNT_CLOSED = "account_closed"
    NOT_IN_SCOPES = "not_in_scopes"
    TAKEN_FROM_ROLE = "taken_from_role"
    NO_ROLE_CARRIES_IT = "no_role_carries_it"


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides whether a person may use a permission.

    `carrying` are the roles that carry it, `deprived` those that would, had an administrator not
    taken it away. `scopes_allow` is False only for a call by an API key without this scope.
    """

    is_declared: bool
    is_active: bool
    roles: frozenset[str]
    carrying: frozenset[str]
    deprived: frozenset[str]
    scopes_allow: bool = True


def why(facts: Facts) -> Because:
    """The first reason against, or the one in favour: the same decision that each request gets."""
    if not facts.is_declared:
        return Because.NOT_DECLARED
    if not facts.is_active:
        return Because.ACCOUNT_CLOSED
    if facts.roles & facts.carrying:
        return Because.ROLE_CARRIES_IT if facts.scopes_allow else Because.NOT_IN_SCOPES
    if facts.roles & facts.deprived:
        return Because.TAKEN_FROM_ROLE
    return Because.NO_ROLE_CARRIES_IT
