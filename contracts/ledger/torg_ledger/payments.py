"""The extension point of payment providers: what one is, and what it tells the wallet.

Owns types alone. A plugin offers providers by implementing the wallet's hook
`wallet_payment_providers` (with `optionalhook=True`) and returning objects of `PaymentProvider`.
Secrets, calls over the network and their time limits are the provider's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from torg.errors import MalformedError
from torg.money import Money


class PaymentKind(StrEnum):
    """Money that comes in, or goes out."""

    DEPOSIT = "deposit"
    PAYOUT = "payout"


class PaymentStatus(StrEnum):
    """What a provider says of a payment; the last two are final."""

    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class WebhookRefusedError(MalformedError):
    """The call is not the provider's: its signature is missing, wrong or too old."""

    code = "webhook_refused"
    title = "Webhook refused"
    detail = "The call could not be verified: {reason}."


class ProviderAwayError(Exception):
    """The provider did not answer, or not in time.

    The payment stays as it is and is tried again: silence is never taken for a failure.
    """


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """A payment that a provider is asked to make.

    Attributes:
        reference: the wallet's name of it; the provider uses it as its own idempotency key.
        kind: in or out.
        amount: more than zero.
        destination: where a payout goes, in the provider's own terms; empty for a deposit.
    """

    reference: str
    kind: PaymentKind
    amount: Money
    destination: str = ""


@dataclass(frozen=True, slots=True)
class PaymentStarted:
    """What a provider answers at once.

    Attributes:
        provider_reference: the provider's name of the payment.
        next_step: what the person does now: an address to open, or a sentence.
    """

    provider_reference: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """Something a provider tells, perhaps more than once and in any order.

    Attributes:
        event_id: its name, the same in every repetition.
        reference: the wallet's name of the payment.
        status: what it tells.
        amount: of the payment; another amount than was asked for is never booked.
        provider_reference: the provider's name of the payment.
        reason: why it failed.
    """

    event_id: str
    reference: str
    status: PaymentStatus
    amount: Money
    provider_reference: str
    reason: str = ""


class PaymentProvider(Protocol):
    """Somebody who moves real money. The wallet calls it while it holds no lock on an account."""

    @property
    def name(self) -> str:
        """Lower_snake, unique, part of addresses and of the account `provider:<name>`."""

    @property
    def title(self) -> str:
        """For people."""

    @property
    def kinds(self) -> frozenset[PaymentKind]:
        """What it can do."""

    @property
    def is_confirmed_by_staff(self) -> bool:
        """Whether people of the house say how a payment ended, instead of webhooks."""

    def start(self, request: PaymentRequest) -> PaymentStarted:
        """Begin a payment. Called again with the same reference after any doubt.

        Raises:
            ProviderAwayError: no answer; it will be called again.
        """

    def read_webhook(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Sequence[ProviderEvent]:
        """Verify a call and read its events.

        Args:
            headers: of the request; names in any case.
            body: exactly the bytes that were sent.
            now: the database's clock, against which the age of a signature is judged.

        Raises:
            WebhookRefusedError: it is not the provider's, or too old.
        """

    def look_up(self, request: PaymentRequest) -> ProviderEvent | None:
        """Ask how a payment stands, when nothing was told for too long; None is: not known yet.

        Raises:
            ProviderAwayError: no answer.
        """
