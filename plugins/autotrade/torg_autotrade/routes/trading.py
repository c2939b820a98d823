"""Offers, deals, decisions, ticks."""

from typing import Any

from flask import request

from torg import identity, job_routes
from torg.errors import NotFoundError
from torg.schemas import Boolean, QuerySchema
from torg_autotrade.errors import (
    CarModelUnknownError,
    OfferEndedError,
    TooManyOffersError,
    WrongMarketCurrencyError,
)
from torg_autotrade.queries import lists, single
from torg_autotrade.routes.blueprint import ALL_DEALS, DEALS, OFFER, TICK, blueprint
from torg_autotrade.schemas import trading as shapes
from torg_autotrade.services import offers, statistics, ticks
from torg_autotrade.services.market_context import settings
from torg_ledger import InsufficientFundsError

_NEW_OFFER = {"car_model_id": 1, "max_price": {"amount": "19999.00", "currency": "EUR"}}


class _TickQuery(QuerySchema):
    """Whether to run or only to look."""

    dry_run = Boolean(load_default=False, example=True, description="Decide, change nothing.")


@blueprint.route("/offers", methods=["GET"])
@blueprint.requires(OFFER)
@blueprint.arguments(lists.OfferListing.arguments(), location="query")
@blueprint.response(200, lists.OfferListing.envelope(shapes.Offer))
def list_offers(arguments: dict[str, Any]) -> Any:
    """List your own offers (staff: all), newest first."""
    if identity.current().may(ALL_DEALS):
        return lists.OfferListing.page(lists.OFFERS, arguments)
    return lists.OfferListing.page(lists.OWN_OFFERS, arguments, _me())


@blueprint.route("/offers", methods=["POST"])
@blueprint.requires(OFFER, verified=True)
@blueprint.idempotent
@blueprint.arguments(shapes.CreateOffer, example=_NEW_OFFER)
@blueprint.response(201, shapes.Offer)
@blueprint.fails(
    InsufficientFundsError, CarModelUnknownError, TooManyOffersError, WrongMarketCurrencyError
)
def create_offer(arguments: dict[str, Any]) -> Any:
    """Offer to buy a car; so much money is held until the offer ends."""
    person = identity.current()
    made = offers.place(person.id, arguments)
    location = {"Location": f"{request.base_url.rstrip('/')}/{made}"}
    return single.offer(made, person.id), location


@blueprint.route("/offers/<int:offer_id>", methods=["GET"])
@blueprint.requires(OFFER)
@blueprint.response(200, shapes.Offer)
@blueprint.fails(NotFoundError)
def get_offer(offer_id: int) -> Any:
    """Show your offer (staff: any)."""
    person = identity.current()
    return _found(single.offer(offer_id, None if person.may(ALL_DEALS) else person.id))


@blueprint.route("/offers/<int:offer_id>", methods=["DELETE"])
@blueprint.requires(OFFER)
@blueprint.response(204)
@blueprint.fails(NotFoundError, OfferEndedError)
def cancel_offer(offer_id: int) -> None:
    """Take an open offer back; its money is free again."""
    offers.cancel(identity.current().id, offer_id)


@blueprint.route("/sales", methods=["GET"])
@blueprint.requires(DEALS)
@blueprint.arguments(lists.SaleListing.arguments(), location="query")
@blueprint.response(200, lists.SaleListing.envelope(shapes.Sale))
def list_sales(arguments: dict[str, Any]) -> Any:
    """List sales that you have a part in (staff: all), newest first."""
    if identity.current().may(ALL_DEALS):
        return lists.SaleListing.page(lists.SALES, arguments)
    return lists.SaleListing.page(lists.OWN_SALES, arguments, _me())


@blueprint.route("/supply-deals", methods=["GET"])
@blueprint.requires(DEALS)
@blueprint.arguments(lists.SupplyDealListing.arguments(), location="query")
@blueprint.response(200, lists.SupplyDealListing.envelope(shapes.SupplyDeal))
def list_supply_deals(arguments: dict[str, Any]) -> Any:
    """List purchases of dealers that you have a part in (staff: all), newest first."""
    if identity.current().may(ALL_DEALS):
        return lists.SupplyDealListing.page(lists.SUPPLY_DEALS, arguments)
    return lists.SupplyDealListing.page(lists.OWN_SUPPLY_DEALS, arguments, _me())


@blueprint.route("/decisions/<int:decision_id>", methods=["GET"])
@blueprint.requires(DEALS)
@blueprint.response(200, shapes.Decision)
@blueprint.fails(NotFoundError)
def get_decision(decision_id: int) -> Any:
    """Show why a dealer or a supplier was chosen."""
    person = identity.current()
    row = _found(single.decision(decision_id, None if person.may(ALL_DEALS) else person.id))
    candidates = shapes.priced(row.candidates, settings().currency)
    return {**row._mapping, "candidates": candidates}  # noqa: SLF001 - SQLAlchemy's name


@blueprint.route("/buyers/me", methods=["GET"])
@blueprint.requires(OFFER)
@blueprint.transaction("write")
@blueprint.response(200, shapes.Buyer)
def get_buyer() -> Any:
    """Show yourself as a buyer."""
    return offers.buyer(identity.current().id)


@blueprint.route("/buyers/me", methods=["PUT"])
@blueprint.requires(OFFER)
@blueprint.arguments(shapes.BuyerProfile)
@blueprint.response(200, shapes.Buyer)
def put_buyer(arguments: dict[str, Any]) -> Any:
    """Say who you are as a buyer; what is left out stays."""
    offers.set_profile(identity.current().id, arguments)
    return offers.buyer(identity.current().id)


@blueprint.route("/buyers/me/statistics", methods=["GET"])
@blueprint.requires(OFFER)
@blueprint.transaction("write")
@blueprint.response(200, shapes.Statistics)
def get_buyer_statistics() -> Any:
    """Show what you have bought."""
    return statistics.of("buyer", offers.buyer(identity.current().id).id)


@blueprint.route("/admin/ticks", methods=["POST"])
@blueprint.requires(TICK)
@blueprint.arguments(_TickQuery, location="query")
@blueprint.arguments(shapes.StartTick)
@blueprint.alt_response(200, schema=shapes.Tick)
@blueprint.response(202, shapes.Tick)
def create_tick(query: dict[str, Any], arguments: dict[str, Any]) -> Any:
    """Run one of the market's jobs now; with `dry_run` show what it would do instead (200)."""
    if query["dry_run"]:
        return ticks.rehearse(arguments["kind"]), 200
    found = ticks.start(arguments["kind"], identity.current().id)
    return found, job_routes.location(found["job_id"])


@blueprint.route("/admin/runs", methods=["GET"])
@blueprint.requires(TICK)
@blueprint.arguments(lists.RunListing.arguments(), location="query")
@blueprint.response(200, lists.RunListing.envelope(shapes.Run))
def list_runs(arguments: dict[str, Any]) -> Any:
    """List runs of the market's jobs, newest first."""
    return lists.RunListing.page(lists.RUNS, arguments)


def _me() -> dict[str, int]:
    return {"person_id": identity.current().id}


def _found(row: Any) -> Any:
    if row is None:
        raise NotFoundError
    return row
