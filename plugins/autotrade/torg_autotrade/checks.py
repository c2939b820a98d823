"""What `/health/ready` asks of the market: do runs run, and does no dealer stand aside?"""

from sqlalchemy import text

from torg.db import session
from torg.health import Degraded

_LATE = text("""
SELECT count(*) AS number FROM autotrade_offer
 WHERE status = 'open' AND expires_at < statement_timestamp() - interval '5 minutes'
""")
_FAILED = text("""
SELECT count(*) AS number FROM autotrade_dealer WHERE is_active AND last_error IS NOT NULL
""")


def runs_are_in_time() -> str:
    """Say whether offers that have expired are ended.

    Raises:
        Degraded: some have waited for over five minutes, so no worker runs.
    """
    if number := session.execute(_LATE).scalar_one():
        message = f"{number} offers expired over five minutes ago and wait for a worker"
        raise Degraded(message)
    return "no offer is overdue"


def dealers_are_sound() -> str:
    """Say whether a dealer was stopped by its own data.

    Raises:
        Degraded: some were; each says why.
    """
    if number := session.execute(_FAILED).scalar_one():
        message = f"{number} dealers stand aside: see last_error of each"
        raise Degraded(message)
    return "every dealer trades"
