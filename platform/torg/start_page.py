"""The page at `/`: where everything is, for a person and, as JSON, for a program.

Owns only the list of links; what is behind them belongs to others.
"""

from __future__ import annotations

from importlib.resources import files

import flask
from flask import current_app, request

from torg import __version__, config, dev_pages, i18n, pages, plugins
from torg.plugins import Plugin


def mount(app: flask.Flask) -> None:
    """Add the page, its style and the icon of every page."""
    app.add_url_rule("/", "torg_start", _start, methods=["GET"])
    app.add_url_rule("/start.css", "torg_start_style", _style, methods=["GET"])
    # Every browser asks for it on every page, whether a page names it or not.
    app.add_url_rule("/favicon.ico", "torg_icon", _icon, methods=["GET"])


def links() -> dict[str, str]:
    """The addresses that exist in this deployment, by what they are."""
    host = config.settings().host
    found = {"ready": "/health/ready", "live": "/health/live"}
    if host.docs_enabled:
        found |= {
            "documents": "/docs",
            "reference": "/redoc",
            "openapi": "/openapi.json",
            "postman": "/postman.json",
            "errors": "/errors",
        }
    if dev_pages.are_on(current_app):
        found |= {
            "mail": "/dev/mail",
            "mail_templates": "/dev/mails",
            "requests": "/dev/requests",
        }
    return found


def _start() -> flask.Response:
    base = config.settings().host.base_url
    active = plugins.registry().active()
    wanted = request.accept_mimetypes.best_match(["application/json", "text/html"])
    if wanted != "text/html":
        return flask.jsonify(
            name="Torg",
            version=__version__,
            links={name: base + path for name, path in links().items()},
            plugins=[_described(plugin, base) for plugin in active],
        )
    demo = config.settings().host.demo
    response = pages.render("start.html", links=links(), plugins=active, demo=demo, base=base)
    response.headers["Vary"] = "Accept, Accept-Language"
    return response


def _described(plugin: Plugin, base: str) -> dict[str, str | None]:
    prefix = plugin.manifest.url_prefix
    return {
        "name": plugin.name,
        "title": i18n.gettext(plugin.manifest.title),
        "version": plugin.manifest.version,
        "url": f"{base}/api/v1/{prefix}" if prefix else None,
    }


def _style() -> flask.Response:
    return _file("start.css", "text/css")


def _icon() -> flask.Response:
    return _file("icon.svg", "image/svg+xml")


def _file(name: str, mimetype: str) -> flask.Response:
    content = files("torg").joinpath("templates/pages", name).read_text("utf-8")
    response = flask.Response(content, mimetype=mimetype)
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response
