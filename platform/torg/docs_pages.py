"""The documents as files and as pages: `/openapi.json`, `/docs`, `/redoc`, `/postman.json`.

Owns addresses, pages and the vendored scripts (`deploy/vendor_docs.sh` fetches them). Nothing is
loaded from elsewhere and no page holds a script of its own.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask
from flask import current_app

from torg import etag, pages, postman
from torg.config import EXTENSION as CONFIG
from torg.json_answers import encode

SWAGGER_UI = "swagger-ui-dist-5.35.0"
REDOC = "redoc-2.5.4"
_FOLDER = Path(__file__).parent / "static" / "docs"
_ASSETS = "/docs/assets"
# Both write styles at run time; ReDoc searches in a worker made of a blob.
_CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src blob:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
EXTENSION = "torg.docs_pages"
Document = dict[str, Any]
_YEAR = "public, max-age=31536000, immutable"


def init(app: flask.Flask, document: Callable[[flask.Flask, str | None], Document]) -> None:
    """Serve documents and pages.

    Args:
        app: the application.
        document: gives the OpenAPI document of a plugin, or of all.
    """
    app.extensions[EXTENSION] = document
    blueprint = flask.Blueprint("docs", __name__)
    blueprint.add_url_rule("/openapi.json", view_func=whole)
    blueprint.add_url_rule("/openapi/<plugin>.json", view_func=one)
    blueprint.add_url_rule("/postman.json", view_func=collection)
    blueprint.add_url_rule("/docs", view_func=swagger_ui)
    blueprint.add_url_rule("/redoc", view_func=redoc)
    blueprint.add_url_rule(f"{_ASSETS}/<path:name>", view_func=asset)
    app.register_blueprint(blueprint)


def whole() -> flask.Response:
    """The document of all plugins."""
    return _json(_document())


def one(plugin: str) -> flask.Response:
    """The document of one plugin."""
    return _json(_document(plugin))


def collection() -> flask.Response:
    """The Postman collection of all plugins."""
    response = _json(postman.collection(_document(), _address()))
    response.headers["Content-Disposition"] = 'attachment; filename="torg.postman_collection.json"'
    return response


def swagger_ui() -> flask.Response:
    """The page to try operations out."""
    return _page("docs.html", folder=f"{_ASSETS}/{SWAGGER_UI}")


def redoc() -> flask.Response:
    """The page to read."""
    return _page("redoc.html", folder=f"{_ASSETS}/{REDOC}")


def asset(name: str) -> flask.Response:
    """A file of the pages; those of a vendored version never change."""
    response = flask.send_from_directory(_FOLDER, name)
    if name.startswith((SWAGGER_UI, REDOC)):
        response.headers["Cache-Control"] = _YEAR
    return response


def _page(template: str, **context: Any) -> flask.Response:
    response = pages.render(template, assets=_ASSETS, **context)
    response.headers["Content-Security-Policy"] = _CONTENT_POLICY
    return response


def _json(document: Document) -> flask.Response:
    response = flask.Response(encode(document), mimetype="application/json")
    etag.apply(response)
    return response


def _address() -> str:
    settings = current_app.extensions.get(CONFIG)
    return settings.host.base_url if settings is not None else flask.request.host_url.rstrip("/")


def _document(plugin: str | None = None) -> Document:
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    made: Document = app.extensions[EXTENSION](app, plugin)
    return made
