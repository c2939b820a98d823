"""Pictures of products, for staff."""

from typing import Any

import flask

from torg.errors import NotFoundError
from torg_shop.domain.pictures import LARGEST_BYTES
from torg_shop.errors.catalogue import (
    PictureUnreadableError,
    TooManyPicturesError,
    UploadUnknownError,
)
from torg_shop.routes.administration_products import managed
from torg_shop.routes.blueprint import CATALOGUE, blueprint
from torg_shop.schemas import catalogue as shapes
from torg_shop.schemas.exchange import (
    AskForPlace,
    ChangePicture,
    PictureAbout,
    PictureFile,
    Place,
    SentPicture,
)
from torg_shop.services import media


@blueprint.route("/admin/products/<int:product_id>/media", methods=["POST"])
@blueprint.requires(CATALOGUE)
@blueprint.arguments(PictureAbout, location="query")
@blueprint.arguments(PictureFile, location="files")
@blueprint.response(201, shapes.ManagedProduct)
@blueprint.fails(NotFoundError, PictureUnreadableError, TooManyPicturesError)
def add_picture(arguments: dict[str, Any], files: dict[str, Any], product_id: int) -> Any:
    """Add a picture to a product; it is drawn anew, without what else is in the file."""
    media.add(product_id, files["image"].stream.read(LARGEST_BYTES + 1), arguments)
    return managed(product_id)


@blueprint.route("/admin/products/<int:product_id>/media/place", methods=["POST"])
@blueprint.requires(CATALOGUE)
@blueprint.arguments(AskForPlace)
@blueprint.response(201, Place)
@blueprint.fails(NotFoundError)
def ask_for_place(arguments: dict[str, Any], product_id: int) -> Any:
    """Ask where a picture may be sent without passing through this server."""
    made = media.place_for(product_id, arguments["content_type"])
    if made is None:
        here = flask.request.base_url.removesuffix("/place")
        return {"key": None, "url": here, "file_field": "image", "form": []}
    fields = [{"name": name, "value": value} for name, value in made.fields.items()]
    return {"key": made.key, "url": made.url, "file_field": "file", "form": fields}


@blueprint.route("/admin/products/<int:product_id>/media/sent", methods=["POST"])
@blueprint.requires(CATALOGUE)
@blueprint.idempotent
@blueprint.arguments(SentPicture)
@blueprint.response(201, shapes.ManagedProduct)
@blueprint.fails(NotFoundError, PictureUnreadableError, TooManyPicturesError, UploadUnknownError)
def add_sent_picture(arguments: dict[str, Any], product_id: int) -> Any:
    """Add a picture that was sent to its place; it is drawn anew, without what else is in it."""
    about = {name: value for name, value in arguments.items() if name != "key"}
    media.add_sent(product_id, arguments["key"], about)
    return managed(product_id)


@blueprint.route("/admin/products/<int:product_id>/media/<int:media_id>", methods=["PATCH"])
@blueprint.requires(CATALOGUE)
@blueprint.if_match
@blueprint.arguments(ChangePicture)
@blueprint.response(200, shapes.ManagedProduct)
@blueprint.fails(NotFoundError)
def change_picture(arguments: dict[str, Any], product_id: int, media_id: int) -> Any:
    """Describe or move a picture."""
    media.change(product_id, media_id, arguments)
    return managed(product_id)


@blueprint.route("/admin/products/<int:product_id>/media/<int:media_id>", methods=["DELETE"])
@blueprint.requires(CATALOGUE)
@blueprint.if_match
@blueprint.response(204)
@blueprint.fails(NotFoundError)
def remove_picture(product_id: int, media_id: int) -> None:
    """Remove a picture; its files leave the storage."""
    media.remove(product_id, media_id)
