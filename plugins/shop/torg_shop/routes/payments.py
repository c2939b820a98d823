"""Paying one's orders by a payment provider."""

from typing import Any

import flask

from torg import identity
from torg.errors import NotFoundError
from torg_ledger.errors import (
    CurrencyNotOfferedError,
    PaymentTooLargeError,
    ProviderUnknownError,
)
from torg_shop.errors.orders import (
    OrderStepError,
    PaymentUnderWayError,
    TooManyPaymentsError,
)
from torg_shop.queries.payments import PaymentListing
from torg_shop.routes.blueprint import ORDER, blueprint
from torg_shop.schemas import orders as shapes
from torg_shop.services import provider_payments


@blueprint.route("/orders/<string:number>/payments", methods=["POST"])
@blueprint.requires(ORDER, verified=True)
@blueprint.idempotent
@blueprint.arguments(shapes.BeginPayment)
@blueprint.response(201, shapes.Payment)
@blueprint.fails(
    NotFoundError,
    OrderStepError,
    PaymentUnderWayError,
    TooManyPaymentsError,
    ProviderUnknownError,
    CurrencyNotOfferedError,
    PaymentTooLargeError,
)
def begin_payment(arguments: dict[str, Any], number: str) -> Any:
    """Begin to pay an order by a payment provider; it is paid when the provider confirms it."""
    buyer_id = identity.current().id
    reference = provider_payments.begin(number, buyer_id, arguments["provider"])
    where = {"Location": f"{flask.request.base_url.rstrip('/')}/{reference}"}
    return provider_payments.show(number, reference, buyer_id), where


@blueprint.route("/orders/<string:number>/payments", methods=["GET"])
@blueprint.requires(ORDER)
@blueprint.arguments(PaymentListing.arguments(), location="query")
@blueprint.response(200, PaymentListing.envelope(shapes.Payment))
@blueprint.fails(NotFoundError)
def list_payments(arguments: dict[str, Any], number: str) -> Any:
    """List the payments of an order by providers."""
    return provider_payments.listed(arguments, number, identity.current().id)


@blueprint.route("/orders/<string:number>/payments/<string:reference>", methods=["GET"])
@blueprint.requires(ORDER)
@blueprint.response(200, shapes.Payment)
@blueprint.fails(NotFoundError)
def get_payment(number: str, reference: str) -> Any:
    """Show a payment of an order."""
    return provider_payments.show(number, reference, identity.current().id)
