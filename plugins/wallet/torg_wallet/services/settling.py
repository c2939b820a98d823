"""Many transfers at once, for runs that settle hundreds of deals: two statements for all of them.

Owns the way there and back. Each posting has the fingerprint that it would have alone, so a key
that was used by `post` or `capture` is known here too.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, text

from torg.db import session
from torg.money import MAX_MINOR, Money
from torg_ledger import Entry, Posted, Posting, Settlement, UnbalancedError
from torg_wallet.domain.entries import balanced, facts_of, fingerprint, merged

_HOLDS = text("""
SELECT reference, account_id, currency FROM wallet_hold
 WHERE reference = ANY (CAST(:references AS text[]))
""")
_SETTLE = text(
    "SELECT * FROM wallet_settle(CAST(:items AS jsonb), :source, :purpose) ORDER BY place"
)
_VOID = text("SELECT wallet_void_holds(CAST(:references AS text[]))")
# The database speaks in shorter words than the contract where they are its own.
_CODES = {"wrong_currency": "wrong_account_currency", "key_reused": "ledger_key_reused"}


def settle(postings: Sequence[Posting], *, source: str, purpose: str) -> Sequence[Settlement]:
    """As the contract's `settle`."""
    if not postings:
        return []
    holds = _holds([each.hold for each in postings if each.hold is not None])
    known = [each for each in postings if each.hold is None or each.hold in holds]
    items = [_item(each, holds, purpose) for each in known]
    asked = {"items": json.dumps(items), "source": source, "purpose": purpose}
    answers = dict(zip((each.key for each in known), session.execute(_SETTLE, asked), strict=True))
    missing = Settlement(None, "hold_not_found")
    return [_settlement(answers[each.key]) if each.key in answers else missing for each in postings]


def void_many(holds: Iterable[str]) -> int:
    """As the contract's `void_many`."""
    references = sorted(set(holds))
    if not references:
        return 0
    return int(session.execute(_VOID, {"references": references}).scalar_one())


def _holds(references: Sequence[str]) -> dict[str, Row[Any]]:
    if not references:
        return {}
    rows = session.execute(_HOLDS, {"references": list(references)})
    return {row.reference: row for row in rows}


def _item(posting: Posting, holds: dict[str, Row[Any]], purpose: str) -> dict[str, Any]:
    entries: Sequence[Entry] = posting.entries
    kind: tuple[Any, ...] = ("post",)
    if posting.hold is not None:
        held = holds[posting.hold]
        received = merged(entries)
        total = sum(each.amount.minor for each in received)
        if not 0 < total <= MAX_MINOR or any(
            each.account_id == held.account_id for each in received
        ):
            raise UnbalancedError
        entries = [*received, Entry(held.account_id, Money(-total, held.currency))]
        kind = ("capture", posting.hold, True)
    wanted = balanced(entries)
    facts = (purpose, facts_of(wanted), posting.external_reference)
    return {
        "accounts": [each.account_id for each in wanted],
        "amounts": [each.amount.minor for each in wanted],
        "currencies": [each.amount.currency for each in wanted],
        "key": posting.key,
        "fingerprint": fingerprint(*kind, *facts).hex(),
        "external_reference": posting.external_reference,
        "description": posting.description,
        "hold": posting.hold,
    }


def _settlement(answer: Row[Any]) -> Settlement:
    if answer.code not in ("done", "replay"):
        return Settlement(None, _CODES.get(answer.code, answer.code))
    return Settlement(Posted(answer.reference, answer.code == "replay", answer.created_at), None)
