"""The proof of the books, for the command, the job and the route: it reports, it never repairs."""

from typing import Any

import structlog

from torg_wallet.queries import proof

_log = structlog.get_logger(__name__)


def prove() -> dict[str, Any]:
    """Check every invariant; what is broken is also logged as an error.

    Returns:
        `is_sound`, `counts` of what was looked at, `invariants` that were checked and `findings`.
    """
    found = proof.findings()
    for each in found:
        _log.error(
            "ledger_broken", invariant=each.invariant, subject=each.subject, detail=each.detail
        )
    return {
        "is_sound": not found,
        "counts": proof.counts(),
        "invariants": list(proof.INVARIANTS),
        "findings": [
            {"invariant": each.invariant, "subject": each.subject, "detail": each.detail}
            for each in found
        ],
    }
