"""The catalogue, for everybody. What is the same for all is kept until something changes."""

from typing import Any

from torg.blueprint import Blueprint
from torg.errors import NotFoundError
from torg.schemas import Schema
from torg_shop.domain import trees
from torg_shop.queries import categories, products, ready_products
from torg_shop.routes.blueprint import blueprint
from torg_shop.schemas import catalogue as shapes
from torg_shop.services import freshness, recommendations

# Longest life of a ready answer; links to pictures in it work far longer.
_READY = Blueprint.ready_answer(tags=(freshness.TAG,), seconds=60.0)
_PRODUCTS = products.ProductListing.envelope(shapes.Product)
_TAGS = categories.TagListing.envelope(shapes.TagName)
_page, _card, _tree, _recommended, _similar = (
    kind() for kind in (
        _PRODUCTS, shapes.Card, shapes.CategoryTree, shapes.Recommended, shapes.SimilarProducts
    )
)  # fmt: skip


@blueprint.route("/categories", methods=["GET"])
@blueprint.public
@_READY
@blueprint.response(200, shapes.CategoryTree)
def list_categories() -> Any:
    """Show all categories as a tree, with how many products are in each and below."""
    return freshness.answer(
        "categories", {}, lambda: _tree.dump_bytes({"items": trees.nested(categories.tree())})
    )


@blueprint.route("/tags", methods=["GET"])
@blueprint.public
@_READY
@blueprint.arguments(categories.TagListing.arguments(), location="query")
@blueprint.response(200, _TAGS)
def list_tags(arguments: dict[str, Any]) -> Any:
    """List tags."""
    return categories.TagListing.page(categories.TAGS, arguments)


@blueprint.route("/products", methods=["GET"])
@blueprint.public
@_READY
@blueprint.arguments(products.ProductListing.arguments(), location="query")
@blueprint.response(200, _PRODUCTS)
def list_products(arguments: dict[str, Any]) -> Any:
    """List products."""
    return freshness.answer(
        "products", arguments, lambda: _page.dump_bytes(ready_products.page(arguments))
    )


@blueprint.route("/products/<int:product_id>", methods=["GET"])
@blueprint.public
@_READY
@blueprint.response(200, shapes.Card)
@blueprint.fails(NotFoundError)
def get_product(product_id: int) -> Any:
    """Show a product with its pictures, category path and products like it."""

    def fill() -> bytes:
        row = _for_sale(product_id)
        card = {
            **row._asdict(),
            "category_path": [each._asdict() for each in categories.path(row.category_id)],
            "similar": recommendations.similar(product_id),
        }
        return _bytes(_card, card)

    return freshness.answer("card", {"id": product_id}, fill)


@blueprint.route("/products/<int:product_id>/similar", methods=["GET"])
@blueprint.public
@_READY
@blueprint.arguments(shapes.HowMany, location="query")
@blueprint.response(200, shapes.SimilarProducts)
@blueprint.fails(NotFoundError)
def list_similar(arguments: dict[str, Any], product_id: int) -> Any:
    """List products like this one."""

    def fill() -> bytes:
        _for_sale(product_id)
        items = recommendations.similar(product_id, arguments["limit"])
        return _bytes(_similar, {"items": items})

    return freshness.answer("similar", {**arguments, "id": product_id}, fill)


@blueprint.route("/recommendations", methods=["GET"])
@blueprint.public
@_READY
@blueprint.arguments(shapes.RecommendationQuery, location="query")
@blueprint.response(200, shapes.Recommended)
def list_recommendations(arguments: dict[str, Any]) -> Any:
    """List what is bought with a product, or what is popular."""

    def fill() -> bytes:
        found = recommendations.recommended(arguments.get("product_id"), arguments["limit"])
        return _bytes(_recommended, found)

    return freshness.answer("recommendations", arguments, fill)


def _for_sale(product_id: int) -> Any:
    row = products.find(product_id)
    if row is None or not row.is_active:
        raise NotFoundError
    return row


def _bytes(schema: Schema, value: Any) -> bytes:
    return schema.dump_bytes(value)
