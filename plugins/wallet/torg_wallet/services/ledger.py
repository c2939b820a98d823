"""The contract `ledger`: posting, holding, capturing, voiding, reversing.

Owns the calls of the database functions and the errors their codes stand for. The rules are
theirs and the triggers'; what is pure of them stands in `torg_wallet.domain.entries`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from torg.db import session
from torg.money import MAX_MINOR, Money
from torg_ledger import (
    AccountKind,
    AccountMismatchError,
    Balance,
    Entry,
    Held,
    HoldNotFoundError,
    Posted,
    Posting,
    Settlement,
    TransferNotFoundError,
    UnbalancedError,
)
from torg_wallet.domain.entries import balanced, facts_of, fingerprint, merged
from torg_wallet.queries import balances
from torg_wallet.queries import holds as hold_queries
from torg_wallet.services import settling
from torg_wallet.services.refusals import refuse

_OPEN = text("""
INSERT INTO wallet_account (owner_id, code, kind, currency, overdraft_limit_minor)
VALUES (:owner_id, :code, :kind, :currency, :overdraft_limit) ON CONFLICT DO NOTHING
""")
_FIND = text("""
SELECT id, kind FROM wallet_account
 WHERE owner_id IS NOT DISTINCT FROM CAST(:owner_id AS bigint)
   AND code = :code AND currency = :currency
""")
_POST = text("""
SELECT * FROM wallet_post(CAST(:accounts AS bigint[]), CAST(:amounts AS bigint[]),
    CAST(:currencies AS text[]), :source, :purpose, :key, :fingerprint, :external_reference,
    :description, :actor_id, :reverses_id, :hold_id, :closes)
""")
_HOLD = text("""
SELECT * FROM wallet_place_hold(:account_id, :minor, :currency, :source, :purpose, :key,
    :fingerprint, :description, :expires_at)
""")
_VOID = text("SELECT * FROM wallet_void_hold(:reference)")
_KNOWN = text("SELECT * FROM wallet_known_transfer(:source, :key, :fingerprint)")
_ORIGINAL = text("""
SELECT t.id, e.account_id, e.currency, e.amount_minor
  FROM wallet_transfer t JOIN wallet_entry e ON e.transfer_id = t.id WHERE t.reference = :reference
""")
_LOCK = text("SELECT wallet_lock(CAST(:accounts AS bigint[]))")
_LEFT = text("""
SELECT e.account_id, e.currency, -e.amount_minor - coalesce(r.reversed_minor, 0) AS minor
  FROM wallet_entry e
  LEFT JOIN wallet_reversed r ON r.transfer_id = e.transfer_id AND r.account_id = e.account_id
 WHERE e.transfer_id = :transfer_id
""")


class LedgerService:
    """`torg_ledger.Ledger`, kept in PostgreSQL."""

    def open_account(
        self,
        code: str,
        currency: str,
        *,
        owner_id: int | None = None,
        kind: AccountKind = AccountKind.LIABILITY,
        overdraft_limit: Money | None = None,
    ) -> int:
        """The id of an account, which is opened by the first call."""
        limit = None if owner_id is None else 0
        if overdraft_limit is not None:
            limit = overdraft_limit.minor
        wanted = {"owner_id": owner_id, "code": code, "currency": currency}
        found = session.execute(_FIND, wanted).one_or_none()
        if found is None:
            session.execute(_OPEN, {**wanted, "kind": str(kind), "overdraft_limit": limit})
            found = session.execute(_FIND, wanted).one()
        if found.kind != kind:
            raise AccountMismatchError(account_code=code, kind=found.kind)
        return int(found.id)

    def post(
        self,
        entries: Sequence[Entry],
        *,
        source: str,
        purpose: str,
        key: str,
        external_reference: str | None = None,
        description: str = "",
        actor_id: int | None = None,
    ) -> Posted:
        """Put a transfer into the books."""
        wanted = balanced(entries)
        facts = (purpose, facts_of(wanted), external_reference)
        answer = _transfer(
            wanted,
            source=source,
            purpose=purpose,
            key=key,
            fingerprint=fingerprint("post", *facts),
            external_reference=external_reference,
            description=description,
            actor_id=actor_id,
        )
        return _posted(answer)

    def hold(
        self,
        account_id: int,
        amount: Money,
        *,
        source: str,
        purpose: str,
        key: str,
        expires_at: datetime | None,
        description: str = "",
    ) -> Held:
        """Set money aside."""
        if amount.minor <= 0:
            raise UnbalancedError
        asked = fingerprint("hold", account_id, amount.minor, amount.currency, purpose)
        answer = session.execute(
            _HOLD,
            {
                "account_id": account_id,
                "minor": amount.minor,
                "currency": amount.currency,
                "source": source,
                "purpose": purpose,
                "key": key,
                "fingerprint": asked,
                "description": description,
                "expires_at": expires_at,
            },
        ).one()
        if answer.code not in ("done", "replay"):
            refuse(answer)
        return _held(answer.reference)

    def capture(
        self,
        hold: str,
        entries: Sequence[Entry],
        *,
        source: str,
        purpose: str,
        key: str,
        external_reference: str | None = None,
        description: str = "",
        actor_id: int | None = None,
        closes: bool = True,
    ) -> Posted:
        """Take what is held and give it to accounts."""
        row = hold_queries.find(hold)
        if row is None:
            raise HoldNotFoundError
        received = merged(entries)
        total = sum(each.amount.minor for each in received)
        if not 0 < total <= MAX_MINOR or any(
            each.account_id == row.account_id for each in received
        ):
            raise UnbalancedError
        wanted = balanced([*received, Entry(row.account_id, Money(-total, row.currency))])
        facts = (purpose, facts_of(wanted), external_reference)
        answer = _transfer(
            wanted,
            source=source,
            purpose=purpose,
            key=key,
            fingerprint=fingerprint("capture", hold, closes, *facts),
            external_reference=external_reference,
            description=description,
            actor_id=actor_id,
            hold_id=row.id,
            closes=closes,
        )
        return _posted(answer)

    def void(self, hold: str) -> Held:
        """Let go of what is still held and close the hold."""
        answer = session.execute(_VOID, {"reference": hold}).one()
        if answer.code not in ("done", "replay"):
            refuse(answer)
        return _held(hold)

    def reverse(
        self,
        transfer: str,
        *,
        source: str,
        key: str,
        amount: Money | None = None,
        purpose: str = "reversal",
        external_reference: str | None = None,
        description: str = "",
        actor_id: int | None = None,
    ) -> Posted:
        """Move money back by a transfer of its own, linked to the first."""
        original = session.execute(_ORIGINAL, {"reference": transfer}).all()
        if not original:
            raise TransferNotFoundError
        asked = None if amount is None else (amount.minor, amount.currency)
        marked = fingerprint("reverse", transfer, asked, purpose, external_reference)
        # What is left is read under the locks, so that two who reverse do not cross.
        session.execute(_LOCK, {"accounts": sorted(each.account_id for each in original)})
        known = session.execute(_KNOWN, {"source": source, "key": key, "fingerprint": marked}).one()
        if known.code is not None:
            return _posted(known)
        answer = _transfer(
            _reversal(original, amount),
            source=source,
            purpose=purpose,
            key=key,
            fingerprint=marked,
            external_reference=external_reference,
            description=description,
            actor_id=actor_id,
            reverses_id=original[0].id,
        )
        return _posted(answer)

    def balance(self, account_id: int) -> Balance:
        """Posted, pending and available of one moment."""
        return balances.of(account_id)

    def settle(
        self, postings: Sequence[Posting], *, source: str, purpose: str
    ) -> Sequence[Settlement]:
        """Put many transfers into the books with a constant number of statements."""
        return settling.settle(postings, source=source, purpose=purpose)

    def void_many(self, holds: Iterable[str]) -> int:
        """Let go of many holds with one statement."""
        return settling.void_many(holds)

    def balances(self, account_ids: Iterable[int]) -> Mapping[int, Balance]:
        """`balance` of many accounts by one statement."""
        return balances.of_many(account_ids)


def _reversal(original: Sequence[Row[Any]], amount: Money | None) -> list[Entry]:
    if amount is None:
        left = session.execute(_LEFT, {"transfer_id": original[0].id})
        found = [Entry(row.account_id, Money(row.minor, row.currency)) for row in left]
        if any(each.amount.minor for each in found):
            return merged(found)
        # Nothing is left: asking for all of it again is refused by the database, with its reason.
        return [Entry(row.account_id, Money(-row.amount_minor, row.currency)) for row in original]
    if len(original) != 2 or amount.minor <= 0:
        raise UnbalancedError
    back = Money(-amount.minor, amount.currency)
    return [Entry(row.account_id, back if row.amount_minor > 0 else amount) for row in original]


def _transfer(
    entries: Sequence[Entry],
    *,
    reverses_id: int | None = None,
    hold_id: int | None = None,
    closes: bool = False,
    **named: Any,
) -> Row[Any]:
    ordered = sorted(entries, key=lambda each: each.account_id)
    return session.execute(
        _POST,
        {
            "accounts": [each.account_id for each in ordered],
            "amounts": [each.amount.minor for each in ordered],
            "currencies": [each.amount.currency for each in ordered],
            "reverses_id": reverses_id,
            "hold_id": hold_id,
            "closes": closes,
            **named,
        },
    ).one()


def _posted(answer: Row[Any]) -> Posted:
    if answer.code not in ("done", "replay"):
        refuse(answer)
    return Posted(answer.reference, answer.code == "replay", answer.created_at)


def _held(reference: str) -> Held:
    row = hold_queries.find(reference)
    if row is None:
        raise HoldNotFoundError
    return hold_queries.as_value(row)
