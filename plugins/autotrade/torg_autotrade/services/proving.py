"""The proof of the market, against its own facts and against the ledger."""

from torg_autotrade.queries import proof
from torg_autotrade.queries.proof import Finding
from torg_autotrade.services.market_context import ledger

_RULE = "AT8 accounts hold what the deals left"


def prove() -> list[Finding]:
    """What is wrong; empty when all follows from the facts, to the minor unit."""
    found = proof.findings()
    expected = proof.expected_balances()
    balances = ledger().balances(account for _, account, _ in expected if account is not None)
    for subject, account, minor in expected:
        held = balances.get(account) if account is not None else None
        if held is None:
            found.append(Finding(_RULE, subject, "has no account in the ledger"))
        elif held.posted.minor != minor:
            detail = f"the ledger says {held.posted.minor}, the deals {minor}"
            found.append(Finding(_RULE, subject, detail))
    return found
