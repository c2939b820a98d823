"""The pages under `/errors/`: what each code means, for people and for programs.

Owns addresses and contents of the pages. The words are the docstrings of the error classes.
"""

import inspect
from pathlib import Path
from typing import Any

import flask
from flask import current_app, request

from torg import errors, pages
from torg.config import EXTENSION as CONFIG
from torg.errors import NotFoundError, TorgError
from torg.i18n import gettext
from torg.json_answers import encode

PREFIX = "/errors"
_FOLDER = Path(__file__).parent / "static" / "pages"


def init(app: flask.Flask) -> None:
    """Serve the list at `/errors` and one page for each code."""
    blueprint = flask.Blueprint("errors", __name__, url_prefix=PREFIX)
    blueprint.add_url_rule("", view_func=index)
    blueprint.add_url_rule("/<code>", view_func=page)
    blueprint.add_url_rule("/page.css", view_func=style)
    app.register_blueprint(blueprint)


def url(code: str) -> str:
    """The absolute address of the page that explains a code."""
    settings = current_app.extensions.get(CONFIG)
    base = settings.host.base_url if settings is not None else request.host_url.rstrip("/")
    return f"{base}{PREFIX}/{code}"


def index() -> flask.Response:
    """Every code with its title and status."""
    found = [describe(kind) for kind in errors.catalogue().values()]
    if _wants_page():
        return pages.render("errors.html", problems=found)
    return flask.Response(encode({"items": found}), mimetype="application/json")


def page(code: str) -> flask.Response:
    """What one code means and what to do about it."""
    kind = errors.catalogue().get(code)
    if kind is None:
        raise NotFoundError
    if _wants_page():
        return pages.render("error.html", problem=describe(kind))
    return flask.Response(encode(describe(kind)), mimetype="application/json")


def style() -> flask.Response:
    """The look of these pages."""
    return flask.send_from_directory(_FOLDER, "page.css")


def describe(kind: type[TorgError]) -> dict[str, Any]:
    """Code, status and words of an error class."""
    return {
        "type": url(kind.code),
        "code": kind.code,
        "status": kind.status,
        "title": gettext(kind.title),
        "detail": gettext(kind.detail),
        "explanation": gettext(explanation(kind)),
        "extras": list(kind.public),
    }


def explanation(kind: type[TorgError]) -> str:
    """What the docstring of an error class says to the client who meets it."""
    whole = inspect.cleandoc(kind.__doc__ or "")
    # The base class goes on for those who write subclasses, which is nothing to tell a client.
    return whole.partition("\n\n")[0] if kind is TorgError else whole


def _wants_page() -> bool:
    accepted = request.accept_mimetypes
    best = accepted.best_match(["application/json", "text/html"], "application/json")
    return best == "text/html"
