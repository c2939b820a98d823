"""Products and their stock, for staff."""

from typing import Any

import flask

from torg import etag
from torg.errors import NotFoundError
from torg_shop.errors.catalogue import CategoryUnknownError, SkuTakenError, StockPromisedError
from torg_shop.queries import products
from torg_shop.routes.blueprint import CATALOGUE, STOCK, blueprint
from torg_shop.schemas import catalogue as shapes
from torg_shop.services import catalogue


@blueprint.route("/admin/products", methods=["GET"])
@blueprint.requires(CATALOGUE)
@blueprint.arguments(products.ProductListing.arguments(), location="query")
@blueprint.response(200, products.ProductListing.envelope(shapes.ManagedProduct))
def list_managed_products(arguments: dict[str, Any]) -> Any:
    """List all products, removed ones too."""
    found = products.ProductListing.page(products.COLUMNS, arguments)
    return {**found, "items": products.shown(found["items"])}


@blueprint.route("/admin/products", methods=["POST"])
@blueprint.requires(CATALOGUE)
@blueprint.idempotent
@blueprint.arguments(shapes.CreateProduct)
@blueprint.response(201, shapes.ManagedProduct)
@blueprint.fails(CategoryUnknownError, SkuTakenError)
def create_product(arguments: dict[str, Any]) -> Any:
    """Enter a product."""
    made = catalogue.create(arguments)
    return managed(made), {"Location": f"{flask.request.base_url.rstrip('/')}/{made}"}


@blueprint.route("/admin/products/<int:product_id>", methods=["GET"])
@blueprint.requires(CATALOGUE)
@blueprint.response(200, shapes.ManagedProduct)
@blueprint.fails(NotFoundError)
def get_managed_product(product_id: int) -> Any:
    """Show a product, removed or not; its ETag is what If-Match asks for."""
    row = managed(product_id)
    etag.attach(catalogue.version(row))
    return row


@blueprint.route("/admin/products/<int:product_id>", methods=["PATCH"])
@blueprint.requires(CATALOGUE)
@blueprint.if_match
@blueprint.arguments(shapes.ChangeProduct)
@blueprint.response(200, shapes.ManagedProduct)
@blueprint.fails(NotFoundError, CategoryUnknownError, SkuTakenError)
def change_product(arguments: dict[str, Any], product_id: int) -> Any:
    """Change a product."""
    catalogue.change(product_id, arguments)
    row = managed(product_id)
    return row, {"ETag": f'"{catalogue.version(row)}"'}


@blueprint.route("/admin/products/<int:product_id>", methods=["DELETE"])
@blueprint.requires(CATALOGUE)
@blueprint.if_match
@blueprint.response(204)
@blueprint.fails(NotFoundError)
def remove_product(product_id: int) -> None:
    """Take a product out of the catalogue."""
    catalogue.remove(product_id)


@blueprint.route("/admin/stock/<int:product_id>", methods=["GET"])
@blueprint.requires(STOCK)
@blueprint.response(200, shapes.Stock)
@blueprint.fails(NotFoundError)
def get_stock(product_id: int) -> Any:
    """Show how many of a product there are; its ETag is what If-Match asks for."""
    row = catalogue.stock(product_id)
    etag.attach(catalogue.stock_version(row))
    return row


@blueprint.route("/admin/stock/<int:product_id>", methods=["PUT"])
@blueprint.requires(STOCK)
@blueprint.if_match
@blueprint.arguments(shapes.SetStock)
@blueprint.response(200, shapes.Stock)
@blueprint.fails(NotFoundError, StockPromisedError)
def set_stock(arguments: dict[str, Any], product_id: int) -> Any:
    """Say how many of a product there are."""
    row = catalogue.set_stock(product_id, arguments["on_hand"])
    return row, {"ETag": f'"{catalogue.stock_version(row)}"'}


def managed(product_id: int) -> Any:
    """The product as staff see it.

    Raises:
        NotFoundError: there is none.
    """
    row = products.find(product_id)
    if row is None:
        raise NotFoundError
    return row
