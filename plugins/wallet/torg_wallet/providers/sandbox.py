"""The provider `sandbox`: pretend money that behaves as badly as a real provider's.

The last two digits of an amount's minor units choose what happens (`SCENARIOS`), so a test or a
newcomer can have every trouble on demand. It calls back with signed webhooks, through the outbox;
what it says when it is asked follows from the payment alone, so it keeps no state.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from torg import config, outbox
from torg.db import database_now
from torg.errors import InvalidError
from torg.i18n import gettext
from torg.money import Money
from torg_ledger.payments import (
    PaymentKind,
    PaymentRequest,
    PaymentStarted,
    PaymentStatus,
    ProviderEvent,
    WebhookRefusedError,
)
from torg_wallet.domain.signatures import secret_from, sign, verify

JOB = "wallet.sandbox_deliver"
_PROCESSING, _SUCCEEDED, _FAILED = PaymentStatus


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is told: (status, seconds after the start, times)."""

    told: tuple[tuple[PaymentStatus, int, int], ...]
    end: PaymentStatus = _SUCCEEDED


PLAIN = Scenario(((_PROCESSING, 0, 1), (_SUCCEEDED, 1, 1)))
SCENARIOS = {
    13: Scenario(((_PROCESSING, 0, 1), (_FAILED, 1, 1)), _FAILED),
    17: Scenario(((_PROCESSING, 0, 1), (_SUCCEEDED, 30, 1))),  # late
    19: Scenario(((_PROCESSING, 0, 3), (_SUCCEEDED, 1, 3))),  # everything three times
    23: Scenario(((_SUCCEEDED, 0, 1), (_PROCESSING, 1, 1))),  # the end comes first
    29: Scenario(()),  # says nothing unless asked
    31: Scenario(((_FAILED, 0, 1), (_SUCCEEDED, 1, 1))),  # contradicts itself
}


def scenario_of(amount: Money) -> Scenario:
    """What an amount brings about."""
    return SCENARIOS.get(amount.minor % 100, PLAIN)


def secret() -> str:
    """What webhooks are signed with; it follows from the server's secret key."""
    return secret_from(config.settings().host.secret_key.get_secret_value(), "wallet.sandbox")


class Sandbox:
    """See the module."""

    name = "sandbox"
    title = "Sandbox (no real money)"
    kinds = frozenset(PaymentKind)
    is_confirmed_by_staff = False

    def start(self, request: PaymentRequest) -> PaymentStarted:
        """Plan the webhooks of the scenario; planned twice, they are still the same ones."""
        now = database_now()
        for status, seconds, times in scenario_of(request.amount).told:
            body = _body(request.reference, status, request.amount)
            for time in range(times):
                outbox.enqueue(
                    JOB,
                    {"event_id": f"{request.reference}:{status}", "body": body},
                    key=f"{request.reference}:{status}:{time}",
                    run_at=now + timedelta(seconds=seconds),
                )
        words = gettext("Nothing to do: this money is not real.")
        return PaymentStarted(f"SB-{request.reference}", words)

    def read_webhook(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Sequence[ProviderEvent]:
        """Verify the signature over time and raw body, then read the one event in it."""
        event_id = verify(secret(), headers, body, now)
        try:
            said = json.loads(body)
            return [
                ProviderEvent(
                    event_id=event_id,
                    reference=str(said["reference"]),
                    status=PaymentStatus(said["status"]),
                    amount=Money(said["minor"], said["currency"]),
                    provider_reference=f"SB-{said['reference']}",
                    reason="refused by the sandbox" if said["status"] == _FAILED else "",
                )
            ]
        except (ValueError, KeyError, TypeError, InvalidError):
            raise WebhookRefusedError(reason="the body is not of this provider") from None

    def look_up(self, request: PaymentRequest) -> ProviderEvent | None:
        """How it ends, which the amount tells."""
        end = scenario_of(request.amount).end
        return ProviderEvent(
            event_id=f"{request.reference}:{end}",
            reference=request.reference,
            status=end,
            amount=request.amount,
            provider_reference=f"SB-{request.reference}",
        )


def signed_call(event_id: str, body: str) -> tuple[dict[str, str], bytes]:
    """Headers and body of a webhook as the sandbox sends it now."""
    raw = body.encode()
    return sign(secret(), event_id, database_now(), raw), raw


def _body(reference: str, status: PaymentStatus, amount: Money) -> str:
    return json.dumps(
        {
            "reference": reference,
            "status": status,
            "minor": amount.minor,
            "currency": amount.currency,
        }
    )
