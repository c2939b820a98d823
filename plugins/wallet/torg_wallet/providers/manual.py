"""The provider `manual`: money moves by bank transfer, and people of the house say when it has."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from torg.i18n import gettext
from torg_ledger.payments import (
    PaymentKind,
    PaymentRequest,
    PaymentStarted,
    ProviderEvent,
    WebhookRefusedError,
)


class Manual:
    """See the module."""

    name = "manual"
    title = "Bank transfer, confirmed by hand"
    kinds = frozenset(PaymentKind)
    is_confirmed_by_staff = True

    def start(self, request: PaymentRequest) -> PaymentStarted:
        """Tell the person what to write on the transfer."""
        step = ""
        if request.kind is PaymentKind.DEPOSIT:
            step = gettext(
                "Transfer the amount and state {reference} as its purpose.",
                reference=request.reference,
            )
        return PaymentStarted(provider_reference=request.reference, next_step=step)

    def read_webhook(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Sequence[ProviderEvent]:
        """Refuse: nobody calls for this provider."""
        raise WebhookRefusedError(reason="this provider sends no webhooks")

    def look_up(self, request: PaymentRequest) -> ProviderEvent | None:
        """Nobody can be asked but people."""
        return None
