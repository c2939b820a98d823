"""The whole catalogue as a file, and products out of one."""

from typing import Any

import flask
from werkzeug.wsgi import FileWrapper

from torg import identity, job_routes
from torg_shop.domain.formats import CONTENT_TYPES
from torg_shop.domain.pictures import LARGEST_BYTES
from torg_shop.errors.catalogue import TableUnreadableError
from torg_shop.routes.blueprint import CATALOGUE, blueprint
from torg_shop.schemas import exchange as shapes
from torg_shop.services import exporting, importing

_CHUNK_BYTES = 65536


@blueprint.route("/products/export", methods=["GET"])
@blueprint.requires()
@blueprint.transaction("write")
@blueprint.arguments(shapes.ExportQuery, location="query")
@blueprint.alt_response(202, schema=shapes.LeftToJob)
@blueprint.response(200, description="The file; 202 with its job when there are many products.")
def export_products(arguments: dict[str, Any]) -> Any:
    """Export the whole catalogue with all fields, as XLSX or CSV.

    Above the setting `export_rows` the answer is 202, and `Location` tells where the job is.
    """
    wanted = arguments["format"]
    job_id = exporting.left_to_a_job(wanted, identity.current().id)
    if job_id is not None:
        return _left(job_id)
    answer = flask.Response(
        FileWrapper(exporting.spooled(wanted), _CHUNK_BYTES),
        mimetype=CONTENT_TYPES[wanted],
        direct_passthrough=True,
    )
    answer.headers.set("Content-Disposition", "attachment", filename=f"products.{wanted}")
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.route("/admin/products/import", methods=["POST"])
@blueprint.requires(CATALOGUE)
@blueprint.arguments(shapes.ImportQuery, location="query")
@blueprint.arguments(shapes.ImportFile, location="files")
@blueprint.alt_response(202, schema=shapes.LeftToJob)
@blueprint.response(200, shapes.ImportReport)
@blueprint.fails(TableUnreadableError)
def import_products(arguments: dict[str, Any], files: dict[str, Any]) -> Any:
    """Enter and change products by a CSV or XLSX table; rows are told apart by `sku`.

    Columns: sku, name, description, price, currency, category (`Kitchen / Kettles`), tags
    (`new|loud`; a `|` in a name is written `\\|`), attributes (JSON), on_hand. What has no column
    stays as it is. Above the setting `import_at_once` the answer is 202, and the report is the
    result of the job that `Location` names.
    """
    content, dry_run = files["file"].stream.read(LARGEST_BYTES + 1), arguments["dry_run"]
    rows = importing.read(content)
    job_id = importing.left_to_a_job(content, rows, identity.current().id, dry_run=dry_run)
    if job_id is not None:
        return _left(job_id)
    return {**importing.run(rows, dry_run=dry_run).shown(), "dry_run": dry_run}


def _left(job_id: int) -> flask.Response:
    answer = flask.jsonify({"job_id": job_id})
    answer.status_code = 202
    answer.headers.extend(job_routes.location(job_id))
    return answer
