"""Car models, and prices as they were."""

from typing import Any

from flask import request

from torg.errors import NotFoundError
from torg_autotrade.errors import CarModelExistsError, CarModelUnknownError
from torg_autotrade.queries import lists, single
from torg_autotrade.routes import tags
from torg_autotrade.routes.blueprint import CATALOGUE, blueprint
from torg_autotrade.schemas import market as shapes
from torg_autotrade.services import catalogue


@blueprint.route("/car-models", methods=["GET"])
@blueprint.public
@blueprint.arguments(lists.CarModelListing.arguments(), location="query")
@blueprint.response(200, lists.CarModelListing.envelope(shapes.CarModel))
def list_car_models(arguments: dict[str, Any]) -> Any:
    """List car models."""
    return lists.CarModelListing.page(lists.CAR_MODELS, arguments)


@blueprint.route("/car-models", methods=["POST"])
@blueprint.requires(CATALOGUE)
@blueprint.arguments(shapes.CreateCarModel)
@blueprint.response(201, shapes.CarModel)
@blueprint.fails(CarModelExistsError)
def create_car_model(arguments: dict[str, Any]) -> Any:
    """Enter a car model; dealers that prefer its like trade in it from now on."""
    made = catalogue.create(arguments)
    return single.car_model(made), {"Location": f"{request.base_url.rstrip('/')}/{made}"}


@blueprint.route("/car-models/<int:car_model_id>", methods=["GET"])
@blueprint.public
@blueprint.response(200, shapes.CarModel)
@blueprint.fails(NotFoundError)
def get_car_model(car_model_id: int) -> Any:
    """Show a car model."""
    row = single.car_model(car_model_id)
    if row is None:
        raise NotFoundError
    return tags.attached(row)


@blueprint.route("/car-models/<int:car_model_id>", methods=["PATCH"])
@blueprint.requires(CATALOGUE)
@blueprint.if_match
@blueprint.arguments(shapes.ChangeCarModel)
@blueprint.response(200, shapes.CarModel)
@blueprint.fails(CarModelUnknownError, CarModelExistsError)
def change_car_model(arguments: dict[str, Any], car_model_id: int) -> Any:
    """Change a car model."""
    tags.require_match(catalogue.lock(car_model_id))
    catalogue.change(car_model_id, arguments)
    return tags.changed(single.car_model(car_model_id))


@blueprint.route("/car-models/<int:car_model_id>", methods=["DELETE"])
@blueprint.requires(CATALOGUE)
@blueprint.if_match
@blueprint.response(204)
@blueprint.fails(CarModelUnknownError)
def remove_car_model(car_model_id: int) -> None:
    """Take a car model out of the catalogue; what dealers have of it is still sold."""
    tags.require_match(catalogue.lock(car_model_id))
    catalogue.change(car_model_id, {"is_active": False})


@blueprint.route("/price-history", methods=["GET"])
@blueprint.public
@blueprint.arguments(lists.PriceHistoryListing.arguments(), location="query")
@blueprint.response(200, lists.PriceHistoryListing.envelope(shapes.PriceChange))
def list_price_history(arguments: dict[str, Any]) -> Any:
    """List prices as they were asked, newest first."""
    return lists.PriceHistoryListing.page(lists.PRICE_HISTORY, arguments)
