"""The mails of the wallet, each with a sample for its preview. Their words stand in `templates/`.

Owns who is told what and with which facts; each is queued once for a person and an occasion, in the
transaction that books the money. No mail says what somebody has in all.
"""

from typing import Any

from torg import clock, config
from torg.db import database_now
from torg.mail import MailTemplate, queue_mail
from torg.money import Money
from torg.schemas import MoneyField
from torg_ledger.payments import PaymentKind

_SAMPLE: dict[str, Any] = {
    "amount": {"amount": "25.00", "currency": "EUR"},
    "at": "2026-03-01T12:30:00Z",
    "link": "https://example.org/api/v1/wallet/deposits/DP0123456789ABCDEF01234567",
}
_PAYMENT = {
    **_SAMPLE,
    "reference": "DP0123456789ABCDEF01234567",
    "provider": "manual",
    "is_done": True,
    "reason": "",
}
MONEY_IN = MailTemplate("wallet.money_in", sample=_PAYMENT)
MONEY_OUT = MailTemplate(
    "wallet.money_out",
    sample={**_PAYMENT, "reference": "PO0123456789ABCDEF01234567", "destination": "DE02…2051"},
)
ADJUSTED = MailTemplate(
    "wallet.adjusted",
    sample={**_SAMPLE, "reason": "Refund of a double payment", "is_given": True},
)
TEMPLATES = (MONEY_IN, MONEY_OUT, ADJUSTED)
_SHOWN = 4


def tell_payment(
    kind: PaymentKind,
    reference: str,
    person_id: int,
    amount: Money,
    provider: str,
    *,
    is_done: bool,
    reason: str = "",
    destination: str = "",
) -> None:
    """Tell somebody how his deposit or payout has ended, once.

    Args:
        kind: which of the two.
        reference: its public name.
        person_id: whose it is.
        amount: how much.
        provider: who moved it.
        is_done: whether the money has moved; else it failed or came back.
        reason: why it failed, in the provider's words.
        destination: where it was to go; only its ends are shown.
    """
    is_deposit = kind is PaymentKind.DEPOSIT
    facts = {
        "amount": _written(abs(amount)),
        "at": clock.format_moment(database_now()),
        "link": _link(f"{kind}s/{reference}"),
        "reference": reference,
        "provider": provider,
        "is_done": is_done,
        "reason": reason,
    }
    if not is_deposit:
        facts["destination"] = _veiled(destination)
    queue_mail((MONEY_IN if is_deposit else MONEY_OUT).name, person_id, facts, key=reference)


def tell_adjusted(adjustment_id: int, person_id: int, amount: Money, reason: str) -> None:
    """Tell somebody that the house has corrected his account, and why."""
    facts = {
        "amount": _written(abs(amount)),
        "at": clock.format_moment(database_now()),
        "link": _link("accounts"),
        "reason": reason,
        "is_given": amount.minor > 0,
    }
    queue_mail(ADJUSTED.name, person_id, facts, key=str(adjustment_id))


def _link(path: str) -> str:
    return f"{config.settings().host.base_url}/api/v1/wallet/{path}"


def _written(amount: Money) -> dict[str, str]:
    return MoneyField.dump_columns(amount.minor, amount.currency)


def _veiled(destination: str) -> str:
    """Its first and last letters: enough for the owner, nothing for a stranger at his mailbox."""
    if len(destination) <= 2 * _SHOWN:
        return destination[:1] + "…"
    return f"{destination[:_SHOWN]}…{destination[-_SHOWN:]}"
