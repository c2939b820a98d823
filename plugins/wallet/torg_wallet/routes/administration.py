"""What people of the house do: adjust, approve, confirm payments by hand, prove the books."""

from typing import Any

from torg import contracts, identity
from torg.errors import NotFoundError
from torg_ledger import InsufficientFundsError
from torg_ledger.payments import PaymentKind, PaymentStatus
from torg_wallet import schemas
from torg_wallet.errors import (
    AdjustmentDecidedError,
    NotConfirmedByStaffError,
    OwnMoneyError,
    PaymentEndedError,
    SecondPersonError,
    UnknownPersonError,
)
from torg_wallet.queries import lists
from torg_wallet.queries import payments as queries
from torg_wallet.routes.blueprint import blueprint
from torg_wallet.services import adjustments, attention, payments, proving

_ADJUST, _APPROVE = "wallet.adjustment.create", "wallet.adjustment.approve"
_CONFIRM, _PROVE = "wallet.payment.confirm", "wallet.proof.read"
_DECISIONS = (
    *(NotFoundError, SecondPersonError, OwnMoneyError),
    *(AdjustmentDecidedError, InsufficientFundsError),
)
_CONFIRMATIONS = (NotFoundError, OwnMoneyError, NotConfirmedByStaffError, PaymentEndedError)


@blueprint.route("/admin/adjustments", methods=["GET"])
@blueprint.requires(_ADJUST)
@blueprint.arguments(lists.AdjustmentListing.arguments(), location="query")
@blueprint.response(200, lists.AdjustmentListing.envelope(schemas.AdjustmentSchema))
def list_adjustments(arguments: dict[str, Any]) -> Any:
    """List adjustments, newest first."""
    page = lists.AdjustmentListing.page(lists.adjustments(), arguments)
    page["items"] = _named(page["items"])
    return page


@blueprint.route("/admin/adjustments", methods=["POST"])
@blueprint.requires(_ADJUST, verified=True)
@blueprint.idempotent
@blueprint.arguments(schemas.CreateAdjustment)
@blueprint.response(201, schemas.AdjustmentSchema)
@blueprint.fails(UnknownPersonError, OwnMoneyError, InsufficientFundsError)
def create_adjustment(arguments: dict[str, Any]) -> Any:
    """Adjust somebody's account; a large adjustment waits for a second person."""
    adjustment_id = adjustments.create(
        identity.current(), arguments["user"], arguments["amount"], arguments["reason"]
    )
    return _adjustment(adjustment_id)


@blueprint.route("/admin/adjustments/<int:adjustment_id>/approve", methods=["POST"])
@blueprint.requires(_APPROVE, verified=True)
@blueprint.idempotent
@blueprint.response(200, schemas.AdjustmentSchema)
@blueprint.fails(*_DECISIONS)
def approve_adjustment(adjustment_id: int) -> Any:
    """Approve an adjustment of somebody else, which posts it."""
    adjustments.decide(identity.current(), adjustment_id, approved=True)
    return _adjustment(adjustment_id)


@blueprint.route("/admin/adjustments/<int:adjustment_id>/decline", methods=["POST"])
@blueprint.requires(_APPROVE, verified=True)
@blueprint.idempotent
@blueprint.response(200, schemas.AdjustmentSchema)
@blueprint.fails(*_DECISIONS)
def decline_adjustment(adjustment_id: int) -> Any:
    """Decline an adjustment of somebody else."""
    adjustments.decide(identity.current(), adjustment_id, approved=False)
    return _adjustment(adjustment_id)


@blueprint.route("/admin/deposits", methods=["GET"])
@blueprint.requires(_CONFIRM)
@blueprint.arguments(lists.AnyDepositListing.arguments(), location="query")
@blueprint.response(200, lists.AnyDepositListing.envelope(schemas.AnyDepositSchema))
def list_all_deposits(arguments: dict[str, Any]) -> Any:
    """List everybody's deposits; those of `manual` that are `processing` wait for you."""
    page = lists.AnyDepositListing.page(queries.shown(PaymentKind.DEPOSIT), arguments)
    return {**page, "items": _owned(page["items"])}


@blueprint.route("/admin/payouts", methods=["GET"])
@blueprint.requires(_CONFIRM)
@blueprint.arguments(lists.AnyPayoutListing.arguments(), location="query")
@blueprint.response(200, lists.AnyPayoutListing.envelope(schemas.AnyPayoutSchema))
def list_all_payouts(arguments: dict[str, Any]) -> Any:
    """List everybody's payouts; those of `manual` that are `sent` wait for you to send them."""
    page = lists.AnyPayoutListing.page(queries.shown(PaymentKind.PAYOUT), arguments)
    return {**page, "items": _owned(page["items"])}


@blueprint.route("/admin/deposits/<string:reference>/confirm", methods=["POST"])
@blueprint.requires(_CONFIRM, verified=True)
@blueprint.idempotent
@blueprint.arguments(schemas.ConfirmPayment, required=False)
@blueprint.response(200, schemas.DepositSchema)
@blueprint.fails(*_CONFIRMATIONS)
def confirm_deposit(arguments: dict[str, Any], reference: str) -> Any:
    """Say that the money of a manual deposit has come in, or that it will not."""
    return _confirmed(PaymentKind.DEPOSIT, reference, arguments)


@blueprint.route("/admin/payouts/<string:reference>/confirm", methods=["POST"])
@blueprint.requires(_CONFIRM, verified=True)
@blueprint.idempotent
@blueprint.arguments(schemas.ConfirmPayment, required=False)
@blueprint.response(200, schemas.PayoutSchema)
@blueprint.fails(*_CONFIRMATIONS)
def confirm_payout(arguments: dict[str, Any], reference: str) -> Any:
    """Say that the money of a manual payout has gone out, or that it came back."""
    return _confirmed(PaymentKind.PAYOUT, reference, arguments)


@blueprint.route("/admin/provider-events", methods=["GET"])
@blueprint.requires(_CONFIRM)
@blueprint.arguments(lists.EventListing.arguments(), location="query")
@blueprint.response(200, lists.EventListing.envelope(schemas.ProviderEventSchema))
def list_provider_events(arguments: dict[str, Any]) -> Any:
    """List what payment providers told, newest first; `is_waiting` are those to look at."""
    page = lists.EventListing.page(queries.events(), arguments)
    page["items"] = _signed(page["items"])
    return page


@blueprint.route("/admin/provider-events/<int:event_id>/acknowledge", methods=["POST"])
@blueprint.requires(_CONFIRM, verified=True)
@blueprint.idempotent
@blueprint.arguments(schemas.Acknowledgement)
@blueprint.response(200, schemas.ProviderEventSchema)
@blueprint.fails(NotFoundError)
def acknowledge_provider_event(arguments: dict[str, Any], event_id: int) -> Any:
    """Say what an event was that contradicts the books. It changes nothing in them."""
    attention.acknowledge(identity.current(), event_id, arguments["note"])
    return _signed([queries.event(event_id)])[0]


@blueprint.route("/admin/proof", methods=["GET"])
@blueprint.requires(_PROVE)
@blueprint.limit("6 per minute", by="identity")
@blueprint.response(200, schemas.ProofSchema)
def get_proof() -> Any:
    """Prove the books now: derive every balance again and check all invariants."""
    return proving.prove()


def _confirmed(kind: PaymentKind, reference: str, arguments: dict[str, Any]) -> Any:
    told = PaymentStatus(arguments["outcome"])
    if payments.kind_of(reference) is not kind:
        raise NotFoundError
    if not payments.confirm(reference, identity.current(), told, arguments["reason"]):
        raise NotFoundError
    return queries.show(kind, reference)


def _adjustment(adjustment_id: int) -> Any:
    return _named([lists.adjustment(adjustment_id)])[0]


def _owned(rows: list[Any]) -> list[dict[str, Any]]:
    names = contracts.require("users").names({row.identity_id for row in rows})
    return [
        {**row._mapping, "user": names.get(row.identity_id)}  # noqa: SLF001 - its public name
        for row in rows
    ]


def _signed(rows: list[Any]) -> list[dict[str, Any]]:
    names = contracts.require("users").names({row.acknowledged_by_id for row in rows} - {None})
    return [
        {
            **row._mapping,  # noqa: SLF001 - SQLAlchemy's public name for it
            "acknowledged_by": names.get(row.acknowledged_by_id),
        }
        for row in rows
    ]


def _named(rows: list[Any]) -> list[dict[str, Any]]:
    ids = {id_ for row in rows for id_ in (row.identity_id, row.created_by_id, row.decided_by_id)}
    names = contracts.require("users").names(ids - {None})
    return [
        {
            **row._mapping,  # noqa: SLF001 - SQLAlchemy's public name for it
            "user": names.get(row.identity_id),
            "created_by": names.get(row.created_by_id),
            "decided_by": names.get(row.decided_by_id),
        }
        for row in rows
    ]
