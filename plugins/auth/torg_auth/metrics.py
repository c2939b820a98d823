"""What can be counted of accounts: registrations, confirmations, people who sign in.

All of it comes from the record of security events, which is never changed. No fact belongs to one
person alone, so only those who may see everybody's numbers see these.
"""

from typing import Any

from sqlalchemy import case, func, or_, select

from torg_auth.models import SecurityEvent, SecurityEventKind, User
from torg_metrics import Aggregate, Dimension, Facts, Metric, Ratio, Unit

_DETAILS = SecurityEvent.details
_IS_BY_STAFF = func.jsonb_exists(_DETAILS, "roles")
_IS_BY_PROVIDER = func.jsonb_exists(_DETAILS, "provider")


def _registrations() -> Any:
    way = case(
        (_IS_BY_STAFF, "staff"),
        else_=func.coalesce(_DETAILS["provider"].astext, _DETAILS["by"].astext, "email"),
    )
    return (
        select(
            User.created_at.label("happened_at"),
            SecurityEvent.created_at.label("recorded_at"),
            way.label("way"),
        )
        .join(User, User.id == SecurityEvent.user_id)
        .where(SecurityEvent.kind == SecurityEventKind.REGISTERED.value)
    )


def _confirmations() -> Any:
    """A confirmation counts on the day of its registration, so that a rate is never above 100 %."""
    kind = SecurityEvent.kind
    return (
        select(
            User.created_at.label("happened_at"),
            SecurityEvent.created_at.label("recorded_at"),
            User.id.label("person"),
        )
        .join(User, User.id == SecurityEvent.user_id)
        .where(
            or_(
                kind == SecurityEventKind.EMAIL_CONFIRMED.value,
                # Those whose address somebody else has vouched for need no mail.
                (kind == SecurityEventKind.REGISTERED.value) & or_(_IS_BY_STAFF, _IS_BY_PROVIDER),
            )
        )
    )


def _sign_ins() -> Any:
    return select(
        SecurityEvent.created_at.label("happened_at"),
        SecurityEvent.created_at.label("recorded_at"),
        func.coalesce(_DETAILS["provider"].astext, "password").label("way"),
        SecurityEvent.user_id.label("person"),
    ).where(SecurityEvent.kind == SecurityEventKind.LOGGED_IN.value)


_WAY = Dimension("way", "Way in")
REGISTRATIONS = Facts("auth.registrations", _registrations, (_WAY,))
CONFIRMATIONS = Facts("auth.confirmations", _confirmations)
SIGN_INS = Facts("auth.sign_ins", _sign_ins, (_WAY,))

REGISTERED = Metric(
    "auth.registrations",
    "Registrations",
    Unit.COUNT,
    REGISTRATIONS,
    "registrations = accounts that were made",
)
CONFIRMED = Metric(
    "auth.confirmed",
    "Confirmed registrations",
    Unit.COUNT,
    CONFIRMATIONS,
    "confirmed registrations = accounts made in the period whose address has been confirmed since",
    value="person",
    aggregate=Aggregate.DISTINCT,
)
METRICS: tuple[Metric | Ratio, ...] = (
    REGISTERED,
    CONFIRMED,
    Ratio(
        "auth.confirmation_rate",
        "Confirmation rate",
        Unit.PERCENT,
        CONFIRMED,
        REGISTERED,
        "confirmation rate = confirmed registrations / registrations",
    ),
    Metric(
        "auth.sign_ins",
        "Sign-ins",
        Unit.COUNT,
        SIGN_INS,
        "sign-ins = how often people signed in",
    ),
    Metric(
        "auth.active_users",
        "Active users",
        Unit.COUNT,
        SIGN_INS,
        "active users = different people who signed in",
        value="person",
        aggregate=Aggregate.DISTINCT,
    ),
)
