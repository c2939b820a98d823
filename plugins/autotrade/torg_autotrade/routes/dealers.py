"""Dealers: made and changed by their owners, seen by everybody."""

from typing import Any

from flask import request

from torg import etag, identity
from torg.errors import NotFoundError
from torg_autotrade.errors import (
    FixedPriceMissingError,
    StockLineUnknownError,
    WrongMarketCurrencyError,
)
from torg_autotrade.queries import lists, single
from torg_autotrade.routes import tags
from torg_autotrade.routes.blueprint import DEALER, blueprint
from torg_autotrade.routes.money import move
from torg_autotrade.schemas import market as shapes
from torg_autotrade.schemas import trading
from torg_autotrade.services import participants, statistics
from torg_ledger import InsufficientFundsError


@blueprint.route("/dealers", methods=["GET"])
@blueprint.public
@blueprint.arguments(lists.DealerListing.arguments(), location="query")
@blueprint.response(200, lists.DealerListing.envelope(shapes.Dealer))
def list_dealers(arguments: dict[str, Any]) -> Any:
    """List dealers."""
    return lists.DealerListing.page(lists.DEALERS, arguments)


@blueprint.route("/dealers/mine", methods=["GET"])
@blueprint.requires(DEALER)
@blueprint.arguments(lists.DealerListing.arguments(), location="query")
@blueprint.response(200, lists.DealerListing.envelope(shapes.OwnDealer))
def list_own_dealers(arguments: dict[str, Any]) -> Any:
    """List your own dealers."""
    mine = {"person_id": identity.current().id}
    return lists.DealerListing.page(lists.OWN_DEALERS, arguments, mine)


@blueprint.route("/dealers", methods=["POST"])
@blueprint.requires(DEALER, verified=True)
@blueprint.idempotent
@blueprint.arguments(shapes.CreateDealer)
@blueprint.response(201, shapes.OwnDealer)
@blueprint.fails(WrongMarketCurrencyError)
def create_dealer(arguments: dict[str, Any]) -> Any:
    """Make a dealer."""
    made = participants.create("dealer", identity.current(), arguments)
    return single.dealer(made), {"Location": f"{request.base_url.rstrip('/')}/{made}"}


@blueprint.route("/dealers/<int:dealer_id>", methods=["GET"])
@blueprint.public
@blueprint.response(200, shapes.Dealer)
@blueprint.fails(NotFoundError)
def get_dealer(dealer_id: int) -> Any:
    """Show a dealer."""
    return tags.attached(_found(dealer_id))


@blueprint.route("/dealers/<int:dealer_id>", methods=["PATCH"])
@blueprint.requires(DEALER)
@blueprint.if_match
@blueprint.arguments(shapes.ChangeDealer)
@blueprint.response(200, shapes.OwnDealer)
@blueprint.fails(NotFoundError, WrongMarketCurrencyError)
def change_dealer(arguments: dict[str, Any], dealer_id: int) -> Any:
    """Change your dealer."""
    _match(dealer_id)
    participants.change("dealer", identity.current(), dealer_id, arguments)
    return tags.changed(single.dealer(dealer_id))


@blueprint.route("/dealers/<int:dealer_id>", methods=["DELETE"])
@blueprint.requires(DEALER)
@blueprint.if_match
@blueprint.response(204)
@blueprint.fails(NotFoundError)
def remove_dealer(dealer_id: int) -> None:
    """Remove your dealer from the market; its deals stay, its money can be moved back."""
    _match(dealer_id)
    participants.change("dealer", identity.current(), dealer_id, {"is_active": False})


@blueprint.route("/dealers/<int:dealer_id>/tiers", methods=["GET"])
@blueprint.public
@blueprint.response(200, shapes.Tiers)
@blueprint.fails(NotFoundError)
def get_dealer_tiers(dealer_id: int) -> Any:
    """Show a dealer's loyalty tiers."""
    _found(dealer_id)
    return {"tiers": single.tiers("dealer", dealer_id)}


@blueprint.route("/dealers/<int:dealer_id>/tiers", methods=["PUT"])
@blueprint.requires(DEALER)
@blueprint.if_match
@blueprint.arguments(shapes.Tiers)
@blueprint.response(200, shapes.Tiers)
@blueprint.fails(NotFoundError)
def put_dealer_tiers(arguments: dict[str, Any], dealer_id: int) -> Any:
    """Put loyalty tiers in place of those that were."""
    participants.own("dealer", identity.current(), dealer_id, lock=True)
    etag.require_match(shapes.Tiers().dump({"tiers": single.tiers("dealer", dealer_id)}))
    participants.set_tiers("dealer", identity.current(), dealer_id, arguments["tiers"])
    return {"tiers": single.tiers("dealer", dealer_id)}


@blueprint.route("/dealers/<int:dealer_id>/account", methods=["GET"])
@blueprint.requires(DEALER)
@blueprint.response(200, shapes.Account)
@blueprint.fails(NotFoundError)
def get_dealer_account(dealer_id: int) -> Any:
    """Show the money of your dealer."""
    return participants.balance("dealer", identity.current(), dealer_id)


@blueprint.route("/dealers/<int:dealer_id>/money", methods=["POST"])
@blueprint.requires(DEALER, verified=True)
@blueprint.idempotent
@blueprint.arguments(shapes.MoveMoney)
@blueprint.response(201, shapes.MoneyMoved)
@blueprint.fails(NotFoundError, InsufficientFundsError, WrongMarketCurrencyError)
def move_dealer_money(arguments: dict[str, Any], dealer_id: int) -> Any:
    """Move money from your own account to your dealer, or back."""
    return move("dealer", dealer_id, arguments)


@blueprint.route("/dealers/<int:dealer_id>/statistics", methods=["GET"])
@blueprint.requires(DEALER)
@blueprint.response(200, trading.Statistics)
@blueprint.fails(NotFoundError)
def get_dealer_statistics(dealer_id: int) -> Any:
    """Show what your dealer has traded."""
    participants.own("dealer", identity.current(), dealer_id, or_removed=True)
    return statistics.of("dealer", dealer_id)


@blueprint.route("/dealers/<int:dealer_id>/stock", methods=["GET"])
@blueprint.public
@blueprint.arguments(lists.StockListing.arguments(), location="query")
@blueprint.response(200, lists.StockListing.envelope(shapes.StockLine))
@blueprint.fails(NotFoundError)
def list_stock(arguments: dict[str, Any], dealer_id: int) -> Any:
    """List what a dealer trades in and has."""
    _found(dealer_id)
    return lists.StockListing.page(lists.STOCK, arguments, {"dealer_id": dealer_id})


@blueprint.route("/dealers/<int:dealer_id>/stock/<int:car_model_id>", methods=["PATCH"])
@blueprint.requires(DEALER)
@blueprint.arguments(shapes.SetStockPrice)
@blueprint.response(204)
@blueprint.fails(
    NotFoundError, StockLineUnknownError, FixedPriceMissingError, WrongMarketCurrencyError
)
def set_stock_price(arguments: dict[str, Any], dealer_id: int, car_model_id: int) -> None:
    """Fix the price of a model at your dealer, or leave it to the margin again (null)."""
    participants.set_stock_price(identity.current(), dealer_id, car_model_id, arguments["price"])


@blueprint.route("/dealers/<int:dealer_id>/suppliers", methods=["GET"])
@blueprint.requires(DEALER)
@blueprint.arguments(lists.DealerSupplierListing.arguments(), location="query")
@blueprint.response(200, lists.DealerSupplierListing.envelope(trading.DealerSupplier))
@blueprint.fails(NotFoundError)
def list_dealer_suppliers(arguments: dict[str, Any], dealer_id: int) -> Any:
    """List whom your dealer buys each model from, by the last review."""
    participants.own("dealer", identity.current(), dealer_id)
    place = {"dealer_id": dealer_id}
    return lists.DealerSupplierListing.page(lists.DEALER_SUPPLIERS, arguments, place)


def _match(dealer_id: int) -> None:
    """Lock the caller's own, and refuse a change of a state that he has not seen."""
    participants.own("dealer", identity.current(), dealer_id, lock=True)
    tags.require_match(_found(dealer_id))


def _found(dealer_id: int) -> Any:
    row = single.dealer(dealer_id)
    if row is None:
        raise NotFoundError
    return row
