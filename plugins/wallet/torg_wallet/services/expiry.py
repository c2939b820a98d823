"""Writing down that holds have expired.

Late or never, it changes no balance: reads and writes judge expiry by the clock themselves.
"""

from sqlalchemy import text

from torg.db import session

_EXPIRE = text("SELECT wallet_expire_holds(:limit)")


def expire_holds(limit: int = 500) -> int:
    """Mark expired holds of at most so many accounts; returns how many accounts."""
    return int(session.execute(_EXPIRE, {"limit": limit}).scalar_one())
