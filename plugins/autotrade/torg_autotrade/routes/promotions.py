"""Promotions of dealers and suppliers."""

from typing import Any

from flask import request

from torg import identity
from torg.errors import NotFoundError
from torg_autotrade.errors import WrongMarketCurrencyError
from torg_autotrade.queries import lists, single
from torg_autotrade.routes import tags
from torg_autotrade.routes.blueprint import DEALER, blueprint
from torg_autotrade.schemas import market as shapes
from torg_autotrade.services import promotions


@blueprint.route("/promotions", methods=["GET"])
@blueprint.public
@blueprint.arguments(lists.PromotionListing.arguments(), location="query")
@blueprint.response(200, lists.PromotionListing.envelope(shapes.Promotion))
def list_promotions(arguments: dict[str, Any]) -> Any:
    """List promotions, newest first."""
    return lists.PromotionListing.page(lists.PROMOTIONS, arguments)


@blueprint.route("/promotions", methods=["POST"])
@blueprint.requires(DEALER)
@blueprint.idempotent
@blueprint.arguments(shapes.CreatePromotion)
@blueprint.response(201, shapes.Promotion)
@blueprint.fails(NotFoundError, WrongMarketCurrencyError)
def create_promotion(arguments: dict[str, Any]) -> Any:
    """Promote your dealer or supplier."""
    made = promotions.create(identity.current(), arguments)
    return single.promotion(made), {"Location": f"{request.base_url.rstrip('/')}/{made}"}


@blueprint.route("/promotions/<int:promotion_id>", methods=["GET"])
@blueprint.public
@blueprint.response(200, shapes.Promotion)
@blueprint.fails(NotFoundError)
def get_promotion(promotion_id: int) -> Any:
    """Show a promotion."""
    row = single.promotion(promotion_id)
    if row is None:
        raise NotFoundError
    return tags.attached(row)


@blueprint.route("/promotions/<int:promotion_id>", methods=["PATCH"])
@blueprint.requires(DEALER)
@blueprint.if_match
@blueprint.arguments(shapes.ChangePromotion)
@blueprint.response(200, shapes.Promotion)
@blueprint.fails(NotFoundError, WrongMarketCurrencyError)
def change_promotion(arguments: dict[str, Any], promotion_id: int) -> Any:
    """Change your promotion."""
    tags.require_match(promotions.locked(identity.current(), promotion_id))
    promotions.change(identity.current(), promotion_id, arguments)
    return tags.changed(single.promotion(promotion_id))


@blueprint.route("/promotions/<int:promotion_id>", methods=["DELETE"])
@blueprint.requires(DEALER)
@blueprint.if_match
@blueprint.response(204)
@blueprint.fails(NotFoundError)
def remove_promotion(promotion_id: int) -> None:
    """End your promotion now."""
    tags.require_match(promotions.locked(identity.current(), promotion_id))
    promotions.change(identity.current(), promotion_id, {"is_active": False})
