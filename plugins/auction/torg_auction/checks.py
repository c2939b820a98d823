"""What `/health/ready` asks of auctions: is what should be closed closed?"""

from sqlalchemy import text

from torg.db import session
from torg.health import Degraded

# A late outcome is only late in being written down; a minute of it means that no worker runs.
_GRACE_SECONDS = 60

_OVERDUE = text(f"""
SELECT count(*) AS number, min(ends_at) AS since FROM auction_state
 WHERE closed_at IS NULL AND ends_at < statement_timestamp() - interval '{_GRACE_SECONDS} s'
""")  # noqa: S608 - a constant is put in


def closing_is_in_time() -> str:
    """Say how many auctions wait to be closed.

    Raises:
        Degraded: some have waited for over a minute. Their outcome is certain all the same.
    """
    row = session.execute(_OVERDUE).one()
    if row.number:
        message = f"{row.number} auctions ended over a minute ago and wait for a worker"
        raise Degraded(message)
    return "nothing is overdue"
