"""The catalogue, for everybody."""

from typing import Any

from torg_shop.queries import products
from torg_shop.routes.blueprint import blueprint
from torg_shop.schemas import catalogue as shapes


@blueprint.route("/products", methods=["GET"])
@blueprint.public
@blueprint.arguments(products.ProductListing.arguments(), location="query")
@blueprint.response(200, products.ProductListing.envelope(shapes.Product))
def list_products(arguments: dict[str, Any]) -> Any:
    """List products."""
    return products.page(arguments)
