"""One's own cart, and the order that it becomes."""

from typing import Any

from torg import identity
from torg.errors import ConflictError, InvalidError, NotFoundError
from torg_classic import schemas, services
from torg_classic.routes.blueprint import ORDER, blueprint


@blueprint.route("/cart", methods=["GET"])
@blueprint.requires()
@blueprint.transaction("write")
@blueprint.response(200, schemas.Cart)
def show_cart() -> Any:
    """Show your cart at present prices."""
    return services.cart_shown(services.trading().cart(identity.current().id))


@blueprint.route("/cart", methods=["POST"])
@blueprint.requires()
@blueprint.limit("120 per minute", by="identity")
@blueprint.arguments(schemas.Line)
@blueprint.response(201, schemas.Cart)
@blueprint.fails(ConflictError)
def add_to_cart(arguments: dict[str, Any]) -> Any:
    """Put a product into your cart; what is there already becomes more."""
    return services.cart_shown(services.trading().add(identity.current().id, **arguments))


@blueprint.route("/cart", methods=["PUT"])
@blueprint.requires()
@blueprint.limit("120 per minute", by="identity")
@blueprint.arguments(schemas.ChangedLine)
@blueprint.response(200, schemas.Cart)
@blueprint.fails(NotFoundError)
def change_cart(arguments: dict[str, Any]) -> Any:
    """Say how many of a product there are to be in your cart."""
    return services.cart_shown(services.trading().change(identity.current().id, **arguments))


@blueprint.route("/cart", methods=["DELETE"])
@blueprint.requires()
@blueprint.arguments(schemas.LineQuery, location="query")
@blueprint.arguments(schemas.TakenOut, required=False)
@blueprint.response(204)
@blueprint.fails(NotFoundError)
def remove_from_cart(arguments: dict[str, Any], taken_out: dict[str, Any]) -> None:
    """Take a product out of your cart, named in the address or in the body; or everything."""
    # Who names a product in the body means that one: everything else has to stay.
    person, product_id = identity.current().id, {**taken_out, **arguments}.get("product_id")
    if product_id is None:
        services.trading().clear(person)
    else:
        services.trading().remove(person, product_id)


@blueprint.route("/order", methods=["POST"])
@blueprint.requires(ORDER, verified=True)
@blueprint.idempotent
@blueprint.response(201, schemas.Order)
@blueprint.fails(ConflictError, InvalidError)
def place_order() -> Any:
    """Order what is in your cart, which is empty then."""
    return services.order_shown(services.trading().order())
