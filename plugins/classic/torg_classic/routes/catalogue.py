"""Products, one or many, as JSON or as a workbook; and categories."""

from typing import Any
from urllib.parse import urlencode

import flask
from werkzeug.wsgi import FileWrapper

from torg import identity, job_routes
from torg.errors import NotFoundError
from torg_classic import schemas, services
from torg_classic.routes.blueprint import blueprint

_CHUNK_BYTES = 65536
_LINK = {
    "Link": {
        "description": 'The address of the next page, `<…>; rel="next"`; absent on the last one.',
        "schema": {"type": "string"},
    }
}


@blueprint.route("/api/products/", methods=["GET"])
@blueprint.requires()
@blueprint.arguments(schemas.PageQuery, location="query")
@blueprint.response(200, schemas.Product(many=True), headers=_LINK)
def list_products(arguments: dict[str, Any]) -> flask.Response:
    """List products, the newest first."""
    return _page(arguments, {})


@blueprint.route("/api/products/export/", methods=["GET"])
@blueprint.requires()
@blueprint.transaction("write")
@blueprint.response(200, description="The workbook; 202 with its job when there are many products.")
def export_products() -> flask.Response:
    """Export all products as XLSX.

    Above the shop's limit the answer is 202, and `Location` tells where the job is.
    """
    export = services.catalogue().export("xlsx", identity.current().id)
    if export.file is None:
        assert export.job_id is not None, "either a file or its job"
        answer = flask.jsonify({"job_id": export.job_id})
        answer.status_code = 202
        answer.headers.extend(job_routes.location(export.job_id))
        return answer
    answer = flask.Response(
        FileWrapper(export.file, _CHUNK_BYTES),
        mimetype=export.content_type,
        direct_passthrough=True,
    )
    answer.headers.set("Content-Disposition", "attachment", filename="products.xlsx")
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.route("/products", methods=["POST"])
@blueprint.public
@blueprint.transaction("read")
@blueprint.arguments(schemas.PageQuery, location="query")
@blueprint.arguments(schemas.Wanted, required=False)
@blueprint.response(200, schemas.Product(many=True), headers=_LINK)
def find_products(arguments: dict[str, Any], wanted: dict[str, Any]) -> flask.Response:
    """List products by category and price.

    The address in `Link` gives the next page to whoever sends the same body again.
    """
    return _page(arguments, wanted)


@blueprint.route("/product", methods=["GET"])
@blueprint.public
@blueprint.arguments(schemas.ProductQuery, location="query")
@blueprint.response(200, schemas.Card)
@blueprint.fails(NotFoundError)
def show_product(arguments: dict[str, Any]) -> flask.Response:
    """Show a product with pictures and characteristics."""
    return flask.Response(services.card(arguments["id"]), mimetype="application/json")


@blueprint.route("/categories", methods=["GET"])
@blueprint.public
@blueprint.response(200, schemas.Category(many=True))
def list_categories() -> flask.Response:
    """List categories, each below its own."""
    return flask.Response(services.categories(), mimetype="application/json")


def _page(arguments: dict[str, Any], wanted: dict[str, Any]) -> flask.Response:
    body, cursor = services.listed({**wanted, **arguments})
    answer = flask.Response(body, mimetype="application/json")
    if cursor:
        query = urlencode({"limit": arguments["limit"], "cursor": cursor})
        answer.headers["Link"] = f'<{flask.request.base_url}?{query}>; rel="next"'
    return answer
