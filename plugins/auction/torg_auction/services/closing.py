"""Fixing outcomes: on touch, by the job at the end, and by the sweeper; whoever comes first.

The database function decides and queues the mails; called twice, it does nothing the second time.
"""

from sqlalchemy import text

from torg import cache, db, logs, outbox
from torg.db import session

_CLOSE = text("SELECT auction_close(:auction_id, :request_id)")
_CLOSE_DUE = text("SELECT auction_close_due(:limit, :request_id)")


def close(auction_id: int) -> bool:
    """Close one auction if its end has come; True when this call did it."""
    parameters = {"auction_id": auction_id, "request_id": logs.request_id()}
    closed: bool = session.execute(_CLOSE, parameters).scalar_one()
    if closed:
        _tell([auction_id])
    return closed


def close_due(limit: int = 200) -> list[int]:
    """Close auctions whose end has come, oldest end first; returns their ids."""
    parameters = {"limit": limit, "request_id": logs.request_id()}
    closed = list(session.execute(_CLOSE_DUE, parameters).scalars())
    if closed:
        _tell(closed)
    return closed


def _tell(auction_ids: list[int]) -> None:
    cache.invalidate("auctions", *(f"auction:{each}" for each in auction_ids))
    db.after_commit(outbox.ring)
