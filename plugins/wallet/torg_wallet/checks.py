"""What `/health/ready` asks of the wallet."""

from sqlalchemy import text

from torg.db import session
from torg.health import Degraded, Failing
from torg_wallet.queries import payments

_SUMS = text("""
SELECT currency FROM wallet_account GROUP BY currency HAVING sum(posted_minor) <> 0 LIMIT 1
""")


def books_sum_to_zero() -> str:
    """All accounts of a currency sum to zero; the whole proof runs every night.

    Raises:
        Failing: they do not.
    """
    currency = session.execute(_SUMS).scalar()
    if currency is not None:
        raise Failing(f"the accounts in {currency} do not sum to zero: run torg wallet prove")
    return "every currency sums to zero"


def providers_make_sense() -> str:
    """Providers tell nothing that contradicts what they told before.

    Raises:
        Degraded: they do, and nobody has acknowledged it: `admin/provider-events`.
    """
    odd = payments.odd_events()
    if odd:
        raise Degraded(f"{odd} events of payment providers wait to be looked at")
    return "nothing contradicts what is booked"
