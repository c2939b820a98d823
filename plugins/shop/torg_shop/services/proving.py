"""The proof of orders, stock, coupons and their money: it reports, it never repairs."""

from typing import Any

import structlog

from torg import contracts
from torg.money import format_amount
from torg_ledger import AccountKind
from torg_shop.queries import proof
from torg_shop.services.payments import SALES

BOOKS = "the sales account holds what orders were paid with"
_log = structlog.get_logger(__name__)


def prove() -> dict[str, Any]:
    """Check every invariant; what is broken is also logged as an error.

    Returns:
        `is_sound`, `counts` of what was looked at, `invariants` that were checked and `findings`.
    """
    found = [*proof.findings(), *_books()]
    for each in found:
        _log.error(
            "shop_broken", invariant=each.invariant, subject=each.subject, detail=each.detail
        )
    return {
        "is_sound": not found,
        "counts": proof.counts(),
        "invariants": [*proof.INVARIANTS, BOOKS],
        "findings": [
            {"invariant": each.invariant, "subject": each.subject, "detail": each.detail}
            for each in found
        ],
    }


def _books() -> list[proof.Finding]:
    """Where the ledger's sales differ from the paid orders; nothing while nobody keeps accounts."""
    ledger = contracts.find("ledger", ">=1,<2")
    if ledger is None:
        return []
    found = []
    for currency, minor in proof.taken().items():
        account_id = ledger.open_account(SALES, currency, kind=AccountKind.INCOME)
        booked = ledger.balance(account_id).posted.minor
        if booked != minor:
            detail = (
                f"orders took {format_amount(minor, currency)} {currency},"
                f" the account holds {format_amount(booked, currency)} {currency}"
            )
            found.append(proof.Finding(BOOKS, f"{SALES} {currency}", detail))
    return found
