"""Bringing money in and taking it out, and the door for providers' webhooks."""

from typing import Any

from flask import request

from torg import identity
from torg.errors import NotFoundError
from torg.request_reading import body_of
from torg_ledger import InsufficientFundsError
from torg_ledger.errors import (
    CurrencyNotOfferedError,
    PaymentTooLargeError,
    ProviderUnknownError,
)
from torg_ledger.payments import PaymentKind, WebhookRefusedError
from torg_wallet import schemas
from torg_wallet.queries import lists
from torg_wallet.queries import payments as queries
from torg_wallet.routes.blueprint import blueprint
from torg_wallet.services import payments

_DEPOSIT, _PAYOUT = "wallet.deposit.create", "wallet.payout.create"
_REFUSALS = (ProviderUnknownError, CurrencyNotOfferedError, PaymentTooLargeError)


@blueprint.route("/deposits", methods=["GET"])
@blueprint.requires(_DEPOSIT)
@blueprint.arguments(lists.DepositListing.arguments(), location="query")
@blueprint.response(200, lists.DepositListing.envelope(schemas.DepositSchema))
def list_deposits(arguments: dict[str, Any]) -> Any:
    """List your deposits."""
    return lists.DepositListing.page(
        queries.shown(PaymentKind.DEPOSIT, identity.current().id), arguments
    )


@blueprint.route("/deposits", methods=["POST"])
@blueprint.requires(_DEPOSIT, verified=True)
@blueprint.idempotent
@blueprint.arguments(schemas.CreateDeposit)
@blueprint.response(201, schemas.DepositSchema)
@blueprint.fails(*_REFUSALS)
def create_deposit(arguments: dict[str, Any]) -> Any:
    """Bring money in through a payment provider."""
    reference = payments.create_deposit(
        identity.current().id, arguments["amount"], arguments["provider"]
    )
    return _created(PaymentKind.DEPOSIT, reference)


@blueprint.route("/deposits/<string:reference>", methods=["GET"])
@blueprint.requires(_DEPOSIT)
@blueprint.response(200, schemas.DepositSchema)
@blueprint.fails(NotFoundError)
def get_deposit(reference: str) -> Any:
    """Show one of your deposits."""
    return _own(PaymentKind.DEPOSIT, reference)


@blueprint.route("/payouts", methods=["GET"])
@blueprint.requires(_PAYOUT)
@blueprint.arguments(lists.PayoutListing.arguments(), location="query")
@blueprint.response(200, lists.PayoutListing.envelope(schemas.PayoutSchema))
def list_payouts(arguments: dict[str, Any]) -> Any:
    """List your payouts."""
    return lists.PayoutListing.page(
        queries.shown(PaymentKind.PAYOUT, identity.current().id), arguments
    )


@blueprint.route("/payouts", methods=["POST"])
@blueprint.requires(_PAYOUT, verified=True)
@blueprint.idempotent
@blueprint.arguments(schemas.CreatePayout)
@blueprint.response(201, schemas.PayoutSchema)
@blueprint.fails(*_REFUSALS, InsufficientFundsError)
def create_payout(arguments: dict[str, Any]) -> Any:
    """Take money out; it is set aside at once."""
    reference = payments.create_payout(
        identity.current(), arguments["amount"], arguments["provider"], arguments["destination"]
    )
    return _created(PaymentKind.PAYOUT, reference)


@blueprint.route("/payouts/<string:reference>", methods=["GET"])
@blueprint.requires(_PAYOUT)
@blueprint.response(200, schemas.PayoutSchema)
@blueprint.fails(NotFoundError)
def get_payout(reference: str) -> Any:
    """Show one of your payouts."""
    return _own(PaymentKind.PAYOUT, reference)


@blueprint.route("/providers/<string:provider>/webhook", methods=["POST"])
@blueprint.public
@blueprint.response(200, schemas.ReceivedSchema)
@blueprint.fails(WebhookRefusedError, ProviderUnknownError)
def receive_webhook(provider: str) -> Any:
    """Take in what a payment provider tells; its signature is verified over the raw body."""
    return {"received": len(payments.receive(provider, dict(request.headers), body_of(request)))}


def _own(kind: PaymentKind, reference: str) -> Any:
    row = queries.show(kind, reference, identity.current().id)
    if row is None:
        raise NotFoundError
    return row


def _created(kind: PaymentKind, reference: str) -> Any:
    location = f"{request.base_url.rstrip('/')}/{reference}"
    return _own(kind, reference), {"Location": location}
