"""Suppliers: made and changed by their owners, seen by everybody."""

from typing import Any

from flask import request

from torg import etag, identity
from torg.errors import NotFoundError
from torg_autotrade.errors import (
    CarModelUnknownError,
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


@blueprint.route("/suppliers", methods=["GET"])
@blueprint.public
@blueprint.arguments(lists.SupplierListing.arguments(), location="query")
@blueprint.response(200, lists.SupplierListing.envelope(shapes.Supplier))
def list_suppliers(arguments: dict[str, Any]) -> Any:
    """List suppliers."""
    return lists.SupplierListing.page(lists.SUPPLIERS, arguments)


@blueprint.route("/suppliers/mine", methods=["GET"])
@blueprint.requires(DEALER)
@blueprint.arguments(lists.SupplierListing.arguments(), location="query")
@blueprint.response(200, lists.SupplierListing.envelope(shapes.OwnSupplier))
def list_own_suppliers(arguments: dict[str, Any]) -> Any:
    """List your own suppliers."""
    mine = {"person_id": identity.current().id}
    return lists.SupplierListing.page(lists.OWN_SUPPLIERS, arguments, mine)


@blueprint.route("/suppliers", methods=["POST"])
@blueprint.requires(DEALER, verified=True)
@blueprint.idempotent
@blueprint.arguments(shapes.CreateSupplier)
@blueprint.response(201, shapes.Supplier)
@blueprint.fails(WrongMarketCurrencyError)
def create_supplier(arguments: dict[str, Any]) -> Any:
    """Make a supplier."""
    made = participants.create("supplier", identity.current(), arguments)
    return single.supplier(made), {"Location": f"{request.base_url.rstrip('/')}/{made}"}


@blueprint.route("/suppliers/<int:supplier_id>", methods=["GET"])
@blueprint.public
@blueprint.response(200, shapes.Supplier)
@blueprint.fails(NotFoundError)
def get_supplier(supplier_id: int) -> Any:
    """Show a supplier."""
    return tags.attached(_found(supplier_id))


@blueprint.route("/suppliers/<int:supplier_id>", methods=["PATCH"])
@blueprint.requires(DEALER)
@blueprint.if_match
@blueprint.arguments(shapes.ChangeSupplier)
@blueprint.response(200, shapes.Supplier)
@blueprint.fails(NotFoundError, WrongMarketCurrencyError)
def change_supplier(arguments: dict[str, Any], supplier_id: int) -> Any:
    """Change your supplier."""
    _match(supplier_id)
    participants.change("supplier", identity.current(), supplier_id, arguments)
    return tags.changed(single.supplier(supplier_id))


@blueprint.route("/suppliers/<int:supplier_id>", methods=["DELETE"])
@blueprint.requires(DEALER)
@blueprint.if_match
@blueprint.response(204)
@blueprint.fails(NotFoundError)
def remove_supplier(supplier_id: int) -> None:
    """Remove your supplier from the market; its deals stay, its money can be moved back."""
    _match(supplier_id)
    participants.change("supplier", identity.current(), supplier_id, {"is_active": False})


@blueprint.route("/suppliers/<int:supplier_id>/tiers", methods=["GET"])
@blueprint.public
@blueprint.response(200, shapes.Tiers)
@blueprint.fails(NotFoundError)
def get_supplier_tiers(supplier_id: int) -> Any:
    """Show a supplier's loyalty tiers."""
    _found(supplier_id)
    return {"tiers": single.tiers("supplier", supplier_id)}


@blueprint.route("/suppliers/<int:supplier_id>/tiers", methods=["PUT"])
@blueprint.requires(DEALER)
@blueprint.if_match
@blueprint.arguments(shapes.Tiers)
@blueprint.response(200, shapes.Tiers)
@blueprint.fails(NotFoundError)
def put_supplier_tiers(arguments: dict[str, Any], supplier_id: int) -> Any:
    """Put loyalty tiers in place of those that were."""
    participants.own("supplier", identity.current(), supplier_id, lock=True)
    etag.require_match(shapes.Tiers().dump({"tiers": single.tiers("supplier", supplier_id)}))
    participants.set_tiers("supplier", identity.current(), supplier_id, arguments["tiers"])
    return {"tiers": single.tiers("supplier", supplier_id)}


@blueprint.route("/suppliers/<int:supplier_id>/account", methods=["GET"])
@blueprint.requires(DEALER)
@blueprint.response(200, shapes.Account)
@blueprint.fails(NotFoundError)
def get_supplier_account(supplier_id: int) -> Any:
    """Show the money of your supplier."""
    return participants.balance("supplier", identity.current(), supplier_id)


@blueprint.route("/suppliers/<int:supplier_id>/money", methods=["POST"])
@blueprint.requires(DEALER, verified=True)
@blueprint.idempotent
@blueprint.arguments(shapes.MoveMoney)
@blueprint.response(201, shapes.MoneyMoved)
@blueprint.fails(NotFoundError, InsufficientFundsError, WrongMarketCurrencyError)
def move_supplier_money(arguments: dict[str, Any], supplier_id: int) -> Any:
    """Move money from your own account to your supplier, or back."""
    return move("supplier", supplier_id, arguments)


@blueprint.route("/suppliers/<int:supplier_id>/statistics", methods=["GET"])
@blueprint.requires(DEALER)
@blueprint.response(200, trading.Statistics)
@blueprint.fails(NotFoundError)
def get_supplier_statistics(supplier_id: int) -> Any:
    """Show what your supplier has traded."""
    participants.own("supplier", identity.current(), supplier_id, or_removed=True)
    return statistics.of("supplier", supplier_id)


@blueprint.route("/suppliers/<int:supplier_id>/prices", methods=["GET"])
@blueprint.public
@blueprint.arguments(lists.PriceListing.arguments(), location="query")
@blueprint.response(200, lists.PriceListing.envelope(shapes.SupplierPrice))
@blueprint.fails(NotFoundError)
def list_supplier_prices(arguments: dict[str, Any], supplier_id: int) -> Any:
    """List what a supplier asks."""
    _found(supplier_id)
    return lists.PriceListing.page(lists.PRICES, arguments, {"supplier_id": supplier_id})


@blueprint.route("/suppliers/<int:supplier_id>/prices/<int:car_model_id>", methods=["PUT"])
@blueprint.requires(DEALER)
@blueprint.arguments(shapes.SetPrice)
@blueprint.response(204)
@blueprint.fails(NotFoundError, CarModelUnknownError, WrongMarketCurrencyError)
def put_supplier_price(arguments: dict[str, Any], supplier_id: int, car_model_id: int) -> None:
    """Say what your supplier asks for a model from now on."""
    participants.set_price(identity.current(), supplier_id, car_model_id, arguments["price"])


@blueprint.route("/suppliers/<int:supplier_id>/prices/<int:car_model_id>", methods=["DELETE"])
@blueprint.requires(DEALER)
@blueprint.response(204)
@blueprint.fails(NotFoundError)
def remove_supplier_price(supplier_id: int, car_model_id: int) -> None:
    """Sell a model no more."""
    participants.withdraw_price(identity.current(), supplier_id, car_model_id)


def _match(supplier_id: int) -> None:
    """Lock the caller's own, and refuse a change of a state that he has not seen."""
    participants.own("supplier", identity.current(), supplier_id, lock=True)
    tags.require_match(_found(supplier_id))


def _found(supplier_id: int) -> Any:
    row = single.supplier(supplier_id)
    if row is None:
        raise NotFoundError
    return row
