"""Events of providers that made no sense: a person looks at each and says what it was.

The events themselves are never changed; the books are corrected by adjustments alone.
"""

from sqlalchemy import select, text

from torg.db import session
from torg.errors import NotFoundError
from torg.identity import Identity
from torg_wallet.domain.payments import ODD
from torg_wallet.models.payments import ProviderEventRow

_ACKNOWLEDGE = text(
    "INSERT INTO wallet_event_acknowledgement (event_id, identity_id, note)"
    " VALUES (:event_id, :identity_id, :note) ON CONFLICT DO NOTHING"
)


def acknowledge(by: Identity, event_id: int, note: str) -> None:
    """Note that somebody has looked at an event; whoever was first stays named.

    Raises:
        NotFoundError: there is no such event, or nothing was odd about it.
    """
    odd = select(ProviderEventRow.id).where(
        ProviderEventRow.id == event_id, ProviderEventRow.outcome.in_(ODD)
    )
    if session.execute(odd).first() is None:
        raise NotFoundError
    values = {"event_id": event_id, "identity_id": by.id, "note": note}
    session.execute(_ACKNOWLEDGE, values)
