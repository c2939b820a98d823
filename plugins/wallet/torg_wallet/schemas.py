"""The shapes of the wallet in bodies and answers. Other people's sides of a transfer never appear.

Owns names and bounds.
"""

from typing import Any

from marshmallow import ValidationError, validates_schema

from torg.field_base import Message, problem
from torg.schemas import (
    Boolean,
    Enum,
    Id,
    Integer,
    List,
    MoneyField,
    Nested,
    Schema,
    Text,
    Timestamp,
)
from torg_ledger import AccountKind, HoldStatus
from torg_wallet.domain.payments import Outcome

_TRANSFER = "TR9F86D081884C4D659A2FEAA0C55AD015"
_EUROS = {"amount": "25.00", "currency": "EUR"}


class AccountSchema(Schema):
    """An account with what is posted, set aside and free now."""

    id = Id(required=True)
    code = Text(maximum=100, required=True, example="main")
    kind = Enum([str(each) for each in AccountKind], required=True)
    posted = MoneyField(minor="posted_minor", signed=True, required=True)
    pending = MoneyField(minor="live_pending_minor", required=True)
    available = MoneyField(minor="available_minor", signed=True, required=True)
    version = Integer(minimum=0, required=True, description="Number of its entries.")
    is_active = Boolean(required=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class EntrySchema(Schema):
    """One line of a statement."""

    id = Id(required=True)
    transfer = Text(maximum=40, required=True, attribute="reference", example=_TRANSFER)
    purpose = Text(maximum=64, required=True, example="order")
    source = Text(maximum=64, required=True, example="shop")
    description = Text(maximum=500, minimum=0, required=True)
    amount = MoneyField(minor="amount_minor", signed=True, required=True)
    balance_after = MoneyField(minor="balance_after_minor", signed=True, required=True)
    account_version = Integer(minimum=1, required=True)
    created_at = Timestamp(required=True)


class SideSchema(Schema):
    """One of your own sides of a transfer."""

    account_id = Id(required=True)
    amount = MoneyField(minor="amount_minor", signed=True, required=True)


class TransferSchema(Schema):
    """A transfer that you have a part in, with your own sides of it."""

    reference = Text(maximum=40, required=True, example=_TRANSFER)
    purpose = Text(maximum=64, required=True, example="order")
    source = Text(maximum=64, required=True, example="shop")
    description = Text(maximum=500, minimum=0, required=True)
    entries = List(Nested(SideSchema), maximum=100, required=True)
    created_at = Timestamp(required=True)


class HoldSchema(Schema):
    """Money set aside."""

    id = Id(required=True)
    reference = Text(maximum=40, required=True, example="HD9F86D081884C4D659A2FEAA0C55AD015")
    account_id = Id(required=True)
    status = Enum([str(each) for each in HoldStatus], required=True, attribute="live_status")
    amount = MoneyField(minor="amount_minor", required=True)
    captured = MoneyField(minor="captured_minor", required=True)
    remaining = MoneyField(minor="remaining_minor", required=True)
    purpose = Text(maximum=64, required=True, example="order")
    source = Text(maximum=64, required=True, example="shop")
    description = Text(maximum=500, minimum=0, required=True)
    expires_at = Timestamp(required=True, allow_none=True)
    created_at = Timestamp(required=True)


_PROVIDER = {"maximum": 64, "pattern": "[a-z][a-z0-9_]*", "example": "manual"}


class CreateDeposit(Schema):
    """Money to bring in."""

    amount = MoneyField(required=True, minimum_minor=1, example=_EUROS)
    provider = Text(required=True, **_PROVIDER)  # type: ignore[arg-type]


class CreatePayout(CreateDeposit):
    """Money to take out."""

    destination = Text(
        maximum=200,
        required=True,
        example="DE02120300000000202051",
        description="Where it goes, in the provider's own terms.",
    )


class _Payment(Schema):
    reference = Text(maximum=40, required=True, example="DP0123456789ABCDEF01234567")
    amount = MoneyField(minor="amount_minor", required=True)
    provider = Text(required=True, **_PROVIDER)  # type: ignore[arg-type]
    reason = Text(maximum=500, minimum=0, required=True, description="Why it failed.")
    transfer = Text(maximum=40, required=True, allow_none=True, example=_TRANSFER)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class DepositSchema(_Payment):
    """Money that comes in; it is yours once its status is `succeeded`."""

    status = Enum(["created", "processing", "succeeded", "failed"], required=True)
    next_step = Text(maximum=2000, minimum=0, required=True, description="What to do now.")


class PayoutSchema(_Payment):
    """Money that goes out; it is held until it is `settled` or `returned`."""

    status = Enum(["held", "sent", "settled", "returned"], required=True)
    destination = Text(maximum=200, required=True)


class AnyDepositSchema(DepositSchema):
    """Somebody's deposit, as people of the house see it."""

    user = Text(maximum=150, required=True, allow_none=True, example="anna")


class AnyPayoutSchema(PayoutSchema):
    """Somebody's payout, as people of the house see it."""

    user = Text(maximum=150, required=True, allow_none=True, example="anna")


class ConfirmPayment(Schema):
    """How a payment ended, said by a person of the house."""

    outcome = Enum(["succeeded", "failed"], load_default="succeeded", example="succeeded")
    reason = Text(maximum=500, minimum=0, load_default="", description="Why it failed.")


class ProviderEventSchema(Schema):
    """What a provider told, what came of it, and what somebody of the house says about it."""

    id = Id(required=True)
    provider = Text(required=True, **_PROVIDER)  # type: ignore[arg-type]
    event_id = Text(maximum=255, required=True, example="evt_7Zk3")
    reference = Text(maximum=255, required=True, example="DP0123456789ABCDEF01234567")
    status = Text(maximum=40, required=True, example="succeeded")
    amount = MoneyField(minor="amount_minor", required=True)
    outcome = Enum([str(each) for each in Outcome], required=True)
    created_at = Timestamp(required=True)
    acknowledged_by = Text(maximum=150, required=True, allow_none=True, example="clara")
    acknowledged_at = Timestamp(required=True, allow_none=True)
    note = Text(maximum=500, minimum=0, required=True)


class Acknowledgement(Schema):
    """That somebody has looked at an event that made no sense, and what it was."""

    note = Text(maximum=500, strip=True, required=True, example="A test of theirs; they confirmed.")


class PaymentEndedEvent(Schema):
    """The domain events `wallet.deposit_ended` and `wallet.payout_ended` 1.0: told once."""

    reference = Text(maximum=40, required=True)
    identity_id = Id(required=True)
    amount = MoneyField(required=True)
    provider = Text(required=True, **_PROVIDER)  # type: ignore[arg-type]
    is_done = Boolean(required=True, description="Whether the money has moved.")


class ReceivedSchema(Schema):
    """That a webhook was taken in."""

    received = Integer(minimum=0, required=True, description="How many events it held.")


class CreateAdjustment(Schema):
    """A correction of somebody's account."""

    user = Text(maximum=150, required=True, example="anna", description="Username.")
    amount = MoneyField(
        required=True, signed=True, example=_EUROS, description="Negative takes from the account."
    )
    reason = Text(maximum=500, strip=True, required=True, example="Refund of a double payment")

    @validates_schema
    def _moves_something(self, given: dict[str, Any], **_keywords: Any) -> None:
        if "amount" in given and given["amount"].minor == 0:
            raise ValidationError(Message("amount_zero", "Has to move something."), "amount")


class AdjustmentSchema(Schema):
    """A correction; one that is `waiting` needs a second person."""

    id = Id(required=True)
    user = Text(maximum=150, required=True, allow_none=True, example="anna")
    amount = MoneyField(minor="amount_minor", signed=True, required=True)
    reason = Text(maximum=500, required=True)
    status = Enum(["waiting", "posted", "declined"], required=True)
    created_by = Text(maximum=150, required=True, allow_none=True, example="clara")
    decided_by = Text(maximum=150, required=True, allow_none=True, example="dora")
    transfer = Text(maximum=40, required=True, allow_none=True, example=_TRANSFER)
    created_at = Timestamp(required=True)
    decided_at = Timestamp(required=True, allow_none=True)


class FindingSchema(Schema):
    """One thing in the books that is not as it must be."""

    invariant = Text(maximum=10, required=True, example="LE3")
    subject = Text(maximum=500, required=True, example="account 7")
    detail = Text(maximum=1000, required=True)


class CountsSchema(Schema):
    """How much the proof looked at."""

    accounts = Integer(minimum=0, required=True)
    transfers = Integer(minimum=0, required=True)
    entries = Integer(minimum=0, required=True)
    holds = Integer(minimum=0, required=True)


class ProofSchema(Schema):
    """The outcome of proving the books."""

    is_sound = Boolean(required=True)
    invariants = List(Text(maximum=10, example="LE1"), maximum=50, required=True)
    counts = Nested(CountsSchema, required=True)
    findings = List(Nested(FindingSchema), maximum=2000, required=True)


_POINTS = 10**12
_CODE = {"maximum": 40, "pattern": "[A-Za-z0-9-]{4,40}", "example": "SPRING-26"}


class BonusSchema(Schema):
    """Points at this moment."""

    available = Integer(minimum=0, required=True, description="Can be spent.")
    pending = Integer(minimum=0, required=True, description="Wait for a return window to end.")
    referral_code = Text(
        required=True, allow_none=True, maximum=40, example="K7WQ2MZX9P", description="Yours."
    )


class LotSchema(Schema):
    """Points earned at once."""

    id = Id(required=True)
    source = Text(maximum=64, required=True, example="shop")
    status = Enum(["pending", "available"], required=True, attribute="shown_status")
    earned = Integer(minimum=1, required=True, attribute="amount_minor")
    remaining = Integer(minimum=0, required=True, attribute="remaining_minor")
    available_at = Timestamp(required=True)
    expires_at = Timestamp(required=True)
    created_at = Timestamp(required=True)


class EnterCode(Schema):
    """A code, in large or small letters."""

    code = Text(required=True, **_CODE)  # type: ignore[arg-type]


class CreateCode(Schema):
    """A promo code to make."""

    code = Text(required=True, maximum=40, pattern="[A-Z0-9-]{4,40}", example="SPRING-26")
    points = Integer(minimum=1, maximum=_POINTS, required=True, example=500)
    most_uses = Integer(minimum=1, maximum=2**31 - 1, allow_none=True, example=1000)
    most_per_person = Integer(minimum=1, maximum=1000, load_default=1)
    starts_at = Timestamp(allow_none=True)
    ends_at = Timestamp(allow_none=True)

    @validates_schema
    def _ends_after_start(self, given: dict[str, Any], **_keywords: Any) -> None:
        start, end = given.get("starts_at"), given.get("ends_at")
        if start is not None and end is not None and end <= start:
            raise problem("ends_before_start", "ends_at has to be after starts_at.")


class CodeSchema(Schema):
    """A promo code and how often it was used."""

    id = Id(required=True)
    code = Text(required=True, **_CODE)  # type: ignore[arg-type]
    points = Integer(minimum=1, required=True, attribute="points_minor")
    most_uses = Integer(minimum=1, required=True, allow_none=True)
    most_per_person = Integer(minimum=1, required=True)
    used_count = Integer(minimum=0, required=True)
    starts_at = Timestamp(required=True)
    ends_at = Timestamp(required=True, allow_none=True)
    is_active = Boolean(required=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)
