"""Taking a sign-in at another provider away from one's own account."""

from datetime import datetime

from sqlalchemy import delete, select

from torg.db import session
from torg_auth.errors import LastSignInError, LinkedIdentityNotFoundError
from torg_auth.models import SecurityEventKind, User
from torg_auth.models_personal import ExternalIdentity
from torg_auth.queries import external_identities as queries
from torg_auth.services.callers import Caller
from torg_auth.services.record import record


def unlink(user_id: int, linked_id: int, caller: Caller) -> None:
    """Forget that an account elsewhere signs in here.

    Signing in there again links it anew, as long as the provider vouches for the same address.

    Raises:
        LinkedIdentityNotFoundError: the account has no such link.
        LastSignInError: without it nobody could enter the account again.
    """
    # One at a time for each account, or two at once could each take the other's last way.
    session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
    found = session.execute(
        delete(ExternalIdentity)
        .where(queries.is_of(user_id), ExternalIdentity.id == linked_id)
        .returning(ExternalIdentity.provider)
    ).scalar()
    if found is None:
        raise LinkedIdentityNotFoundError
    if not queries.has_another_way(user_id, linked_id):
        raise LastSignInError
    record(SecurityEventKind.PROVIDER_UNLINKED, caller, user_id=user_id, provider=found)


def unlink_since(user_id: int, moment: datetime, caller: Caller) -> None:
    """Forget what was linked to an account from a moment on, in the present transaction.

    The account needs another way in, such as a confirmed address.
    """
    found = session.scalars(
        delete(ExternalIdentity)
        .where(queries.is_of(user_id), ExternalIdentity.created_at >= moment)
        .returning(ExternalIdentity.provider)
    )
    for provider in found.all():
        record(SecurityEventKind.PROVIDER_UNLINKED, caller, user_id=user_id, provider=provider)
