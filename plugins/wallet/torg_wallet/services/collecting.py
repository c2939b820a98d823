"""The contract `ledger` in whole: the books, and money that providers bring in for something."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from sqlalchemy import func, insert, select

from torg.db import session
from torg.money import Money
from torg_ledger import Collection, KeyReusedError
from torg_wallet.models.payments import Collection as Row
from torg_wallet.models.payments import Deposit
from torg_wallet.queries import collecting as queries
from torg_wallet.services import payments
from torg_wallet.services.ledger import LedgerService


class WholeLedger(LedgerService):
    """`torg_ledger.Ledger` with `collect`, which stands above the payments as they above books."""

    def collect(
        self,
        owner_id: int,
        amount: Money,
        provider: str,
        *,
        source: str,
        purpose: str,
        key: str,
        held_for: timedelta,
        description: str = "",
    ) -> Collection:
        """Have a provider bring money in for one thing."""
        # Two calls with one key at the same time: the second waits and finds what the first did.
        lock = func.pg_advisory_xact_lock(func.hashtextextended(f"{source}:{key}", 0))
        session.execute(select(lock))
        known = queries.of_key(source, key)
        if known is not None:
            asked = (owner_id, amount, provider, purpose)
            found = queries.as_value(known)
            if asked != (known.identity_id, found.amount, found.provider, known.purpose):
                raise KeyReusedError
            return found
        reference = payments.create_deposit(owner_id, amount, provider, pointer=None)
        deposit_id = select(Deposit.id).where(Deposit.reference == reference).scalar_subquery()
        values = {
            "deposit_id": deposit_id,
            "source": source,
            "idempotency_key": key,
            "purpose": purpose,
            "description": description,
            "held_seconds": int(held_for.total_seconds()),
        }
        session.execute(insert(Row).values(**values))
        return queries.named([reference])[reference]

    def collections(self, references: Iterable[str]) -> Mapping[str, Collection]:
        """Collections by reference."""
        return queries.named(references)
