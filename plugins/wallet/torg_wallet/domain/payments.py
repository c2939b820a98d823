"""How a payment moves when its provider tells something, in any order and any number of times.

Pure. `created -> processing -> succeeded | failed` for money that comes in,
`held -> sent -> settled | returned` for money that goes out.
"""

from enum import StrEnum

from torg_ledger.payments import PaymentKind, PaymentStatus

_STEPS: dict[PaymentKind, dict[PaymentStatus, str]] = {
    PaymentKind.DEPOSIT: {
        PaymentStatus.PROCESSING: "processing",
        PaymentStatus.SUCCEEDED: "succeeded",
        PaymentStatus.FAILED: "failed",
    },
    PaymentKind.PAYOUT: {
        PaymentStatus.PROCESSING: "sent",
        PaymentStatus.SUCCEEDED: "settled",
        PaymentStatus.FAILED: "returned",
    },
}
FIRST = {PaymentKind.DEPOSIT: "created", PaymentKind.PAYOUT: "held"}


class Outcome(StrEnum):
    """What comes of an event."""

    APPLIED = "applied"
    KNOWN = "known"
    LATE = "late"
    CONTRADICTS = "contradicts"
    UNKNOWN_PAYMENT = "unknown_payment"
    WRONG_AMOUNT = "wrong_amount"


# What somebody has to look at.
ODD = (Outcome.CONTRADICTS, Outcome.UNKNOWN_PAYMENT, Outcome.WRONG_AMOUNT)


def step(kind: PaymentKind, present: str, told: PaymentStatus) -> tuple[str, Outcome]:
    """Where a payment stands after an event.

    Returns:
        Its status and what came of the event. A final status never changes: a second, different
        end contradicts and is for people to look at; anything else that comes after is late.
    """
    steps = _STEPS[kind]
    wanted = steps[told]
    if wanted == present:
        return present, Outcome.KNOWN
    if present in (FIRST[kind], steps[PaymentStatus.PROCESSING]):
        return wanted, Outcome.APPLIED
    is_final = told is not PaymentStatus.PROCESSING
    return present, Outcome.CONTRADICTS if is_final else Outcome.LATE


def is_waiting(kind: PaymentKind, present: str) -> bool:
    """Whether the payment has not ended."""
    return present in (FIRST[kind], _STEPS[kind][PaymentStatus.PROCESSING])
