"""What makes entries a transfer: they balance, and the same request has the same fingerprint.

Pure. The database holds the same rule again, at commit.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from torg_ledger import Entry, UnbalancedError

MOST_ENTRIES = 100


def merged(entries: Iterable[Entry]) -> list[Entry]:
    """One entry for each account and currency, by account id; those that cancel out are gone.

    Two currencies for one account stay two entries: the ledger refuses the wrong one by name.
    """
    sums: dict[tuple[int, str], Entry] = {}
    for entry in entries:
        place = (entry.account_id, entry.amount.currency)
        before = sums.get(place)
        amount = entry.amount if before is None else before.amount + entry.amount
        sums[place] = Entry(entry.account_id, amount)
    return [sums[place] for place in sorted(sums) if sums[place].amount.minor != 0]


def balanced(entries: Iterable[Entry]) -> list[Entry]:
    """The merged entries of a transfer.

    Raises:
        UnbalancedError: they do not sum to zero in every currency, or move nothing.
    """
    found = merged(entries)
    sums: dict[str, int] = {}
    for entry in found:
        currency = entry.amount.currency
        sums[currency] = sums.get(currency, 0) + entry.amount.minor
    if not 2 <= len(found) <= MOST_ENTRIES or any(sums.values()):
        raise UnbalancedError
    return found


def fingerprint(*facts: Any) -> bytes:
    """SHA-256 of what an operation asks for; a repeat with the same key has to have the same."""
    return hashlib.sha256(json.dumps(facts, default=str).encode()).digest()


def facts_of(entries: Sequence[Entry]) -> list[tuple[int, int, str]]:
    """Entries as JSON values, for a fingerprint."""
    return [(each.account_id, each.amount.minor, each.amount.currency) for each in entries]
