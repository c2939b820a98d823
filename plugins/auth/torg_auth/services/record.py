"""Writing the record of security events, in the transaction of what it tells of."""

from sqlalchemy import insert

from torg.db import session
from torg_auth.models import SecurityEvent, SecurityEventKind
from torg_auth.services.callers import Caller


def record(
    kind: SecurityEventKind,
    caller: Caller,
    *,
    user_id: int | None = None,
    actor_id: int | None = None,
    **details: object,
) -> int:
    """Note that something happened to an account.

    Args:
        kind: what.
        caller: from where.
        user_id: whose account; None when it is not known or does not exist.
        actor_id: who did it, when it was not the owner.
        **details: further JSON values; never a password, code or token.

    Returns:
        The event's id.
    """
    event_id: int = session.execute(
        insert(SecurityEvent)
        .values(
            kind=kind.value,
            user_id=user_id,
            actor_id=actor_id,
            address=caller.address,
            device_label=caller.device_label,
            request_id=caller.request_id,
            details=details,
        )
        .returning(SecurityEvent.id)
    ).scalar_one()
    return event_id
