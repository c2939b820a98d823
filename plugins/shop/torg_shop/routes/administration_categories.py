"""Categories and tags, for staff."""

from typing import Any

from torg import etag
from torg.errors import NotFoundError
from torg_shop.errors.catalogue import (
    CategoryCycleError,
    CategoryInUseError,
    CategoryUnknownError,
    SlugTakenError,
    TagTakenError,
)
from torg_shop.queries import categories as queries
from torg_shop.routes.blueprint import CATALOGUE, blueprint
from torg_shop.schemas import catalogue as shapes
from torg_shop.services import catalogue, categories


@blueprint.route("/admin/categories", methods=["GET"])
@blueprint.requires(CATALOGUE)
@blueprint.arguments(queries.CategoryListing.arguments(), location="query")
@blueprint.response(200, queries.CategoryListing.envelope(shapes.Category))
def list_managed_categories(arguments: dict[str, Any]) -> Any:
    """List categories one beside the other; as a tree they are at `categories`."""
    return queries.CategoryListing.page(queries.FLAT, arguments)


@blueprint.route("/admin/categories", methods=["POST"])
@blueprint.requires(CATALOGUE)
@blueprint.arguments(shapes.CreateCategory)
@blueprint.response(201, shapes.Category)
@blueprint.fails(CategoryUnknownError, SlugTakenError)
def create_category(arguments: dict[str, Any]) -> Any:
    """Enter a category."""
    return _shown(categories.create(arguments))


@blueprint.route("/admin/categories/<int:category_id>", methods=["GET"])
@blueprint.requires(CATALOGUE)
@blueprint.response(200, shapes.Category)
@blueprint.fails(NotFoundError)
def get_category(category_id: int) -> Any:
    """Show a category; its ETag is what If-Match asks for."""
    row = _shown(category_id)
    etag.attach(catalogue.version(row))
    return row


@blueprint.route("/admin/categories/<int:category_id>", methods=["PATCH"])
@blueprint.requires(CATALOGUE)
@blueprint.if_match
@blueprint.arguments(shapes.ChangeCategory)
@blueprint.response(200, shapes.Category)
@blueprint.fails(NotFoundError, CategoryUnknownError, CategoryCycleError, SlugTakenError)
def change_category(arguments: dict[str, Any], category_id: int) -> Any:
    """Change or move a category."""
    categories.change(category_id, arguments)
    row = _shown(category_id)
    return row, {"ETag": f'"{catalogue.version(row)}"'}


@blueprint.route("/admin/categories/<int:category_id>", methods=["DELETE"])
@blueprint.requires(CATALOGUE)
@blueprint.if_match
@blueprint.response(204)
@blueprint.fails(NotFoundError, CategoryInUseError)
def remove_category(category_id: int) -> None:
    """Take out a category that nothing is in."""
    categories.remove(category_id)


@blueprint.route("/admin/tags", methods=["GET"])
@blueprint.requires(CATALOGUE)
@blueprint.arguments(queries.TagListing.arguments(), location="query")
@blueprint.response(200, queries.TagListing.envelope(shapes.ManagedTag))
def list_managed_tags(arguments: dict[str, Any]) -> Any:
    """List tags and when they were last changed."""
    return queries.TagListing.page(queries.MANAGED_TAGS, arguments)


@blueprint.route("/admin/tags", methods=["POST"])
@blueprint.requires(CATALOGUE)
@blueprint.arguments(shapes.NamedTag)
@blueprint.response(201, shapes.TagName)
@blueprint.fails(TagTakenError)
def create_tag(arguments: dict[str, Any]) -> Any:
    """Enter a tag."""
    return {"id": catalogue.create_tag(arguments["name"]), "name": arguments["name"]}


@blueprint.route("/admin/tags/<int:tag_id>", methods=["PATCH"])
@blueprint.requires(CATALOGUE)
@blueprint.arguments(shapes.NamedTag)
@blueprint.response(200, shapes.TagName)
@blueprint.fails(NotFoundError, TagTakenError)
def rename_tag(arguments: dict[str, Any], tag_id: int) -> Any:
    """Give a tag another name, on all products."""
    catalogue.rename_tag(tag_id, arguments["name"])
    return {"id": tag_id, "name": arguments["name"]}


@blueprint.route("/admin/tags/<int:tag_id>", methods=["DELETE"])
@blueprint.requires(CATALOGUE)
@blueprint.response(204)
@blueprint.fails(NotFoundError)
def remove_tag(tag_id: int) -> None:
    """Take a tag off all products."""
    catalogue.remove_tag(tag_id)


def _shown(category_id: int) -> Any:
    row = queries.find(category_id)
    if row is None:
        raise NotFoundError
    return row
