"""The lists that staff page through, with their filters and orders."""

from typing import Any, ClassVar

from sqlalchemy import ColumnElement, String, exists, func, select

from torg.filters import Filter, above, below, equals, one_of
from torg.identity import IdentityRow
from torg.listing import Listing
from torg.schemas import Boolean, Enum, Id, Integer, Text, Timestamp
from torg_auth.models import Role, SecurityEvent, SecurityEventKind, Session, User, UserRole
from torg_auth.models_personal import ApiKey, StatusChange


def _has_role(name: str) -> ColumnElement[bool]:
    return exists(
        select(UserRole.user_id)
        .join(Role, Role.id == UserRole.role_id)
        .where(UserRole.user_id == User.id, UserRole.is_active, Role.is_active, Role.name == name)
    )


class Accounts(Listing):
    """Every account; the statement is `torg_auth.queries.profiles.accounts()`."""

    key = User.id
    sorts: ClassVar[dict[str, Any]] = {
        "username": func.lower(User.username, type_=String),
        "created_at": User.created_at,
    }
    search = User.search
    filters: ClassVar[dict[str, Filter]] = {
        "is_active": equals(Boolean(), IdentityRow.is_active),
        "email_verified": Filter(
            Boolean(), lambda wanted: User.email_verified_at.is_not(None) == wanted
        ),
        "role": Filter(Text(maximum=40, example="admin"), _has_role),
        "country": one_of(Text(maximum=2, pattern="[A-Z]{2}", example="DE"), User.country),
        "verification_level": equals(Integer(minimum=0, maximum=3), User.verification_level),
        "created_after": above(Timestamp(), User.created_at),
        "created_before": below(Timestamp(), User.created_at),
    }


class SecurityEvents(Listing):
    """The record of security events, newest first."""

    key = SecurityEvent.id
    sorts: ClassVar[dict[str, Any]] = {"created_at": SecurityEvent.created_at}
    default_sort = "-id"
    filters: ClassVar[dict[str, Filter]] = {
        "kind": one_of(Enum([kind.value for kind in SecurityEventKind]), SecurityEvent.kind),
        "user_id": equals(Id(), SecurityEvent.user_id),
        "actor_id": equals(Id(), SecurityEvent.actor_id),
        "created_after": above(Timestamp(), SecurityEvent.created_at),
        "created_before": below(Timestamp(), SecurityEvent.created_at),
    }


class StatusChanges(Listing):
    """A person's own status texts; the statement is `torg_auth.queries.personal`'s."""

    key = StatusChange.id
    sorts: ClassVar[dict[str, Any]] = {"created_at": StatusChange.created_at}
    default_sort = "-id"


class Sessions(Listing):
    """A person's own live sessions; the statement is `torg_auth.queries.sign_in`'s."""

    key = Session.id
    sorts: ClassVar[dict[str, Any]] = {
        "last_used_at": Session.last_used_at,
        "created_at": Session.created_at,
    }
    default_sort = "-last_used_at"


class ApiKeys(Listing):
    """A person's own keys for programs; the statement is `torg_auth.queries.api_keys`'s."""

    key = ApiKey.id
    sorts: ClassVar[dict[str, Any]] = {
        "name": ApiKey.name,
        "created_at": ApiKey.created_at,
        "expires_at": ApiKey.expires_at,
    }
    default_sort = "-id"


class Roles(Listing):
    """Every role, by name; the statement is `torg_auth.queries.profiles.roles()`."""

    key = Role.id
    sorts: ClassVar[dict[str, Any]] = {"name": Role.name}
    default_sort = "name"


def security_events() -> Any:
    """The columns of an event."""
    return select(
        SecurityEvent.id,
        SecurityEvent.created_at,
        SecurityEvent.kind,
        SecurityEvent.user_id,
        SecurityEvent.actor_id,
        SecurityEvent.address,
        SecurityEvent.device_label,
        SecurityEvent.request_id,
        SecurityEvent.details,
    )
