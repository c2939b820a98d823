"""What all pages for a demo and for development share: who gets them, and how they look.

They exist only while the setting `demo` or `debug` is on, because they show what is nobody else's
business: codes in mails, statements of requests. What is on them belongs to others.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import flask
from flask import url_for

from torg import config, pages

PREFIX = "/dev/"
_STYLE = "torg_dev_style"
_POLICY = (
    "default-src 'none'; style-src 'self'; frame-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def are_on(app: flask.Flask) -> bool:
    """Whether this deployment is a demo or is being worked on."""
    host = config.of(app).host
    return host.demo or host.debug


def mount(app: flask.Flask, rules: Iterable[tuple[str, str, Any]]) -> None:
    """Add pages (rule, endpoint, view) where they belong, and nowhere else."""
    if not are_on(app):
        return
    for rule, endpoint, view in rules:
        app.add_url_rule(rule, endpoint, view, methods=["GET"])
    if _STYLE not in app.view_functions:
        app.add_url_rule(f"{PREFIX}style.css", _STYLE, _style, methods=["GET"])


def render(name: str, /, **context: Any) -> flask.Response:
    """A page from `templates/pages/dev/`; it may run nothing, and nobody keeps it."""
    answer = pages.render(
        f"dev/{name}", site_name=config.settings().host.site_name, url_for=url_for, **context
    )
    answer.headers["Content-Security-Policy"] = _POLICY
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _style() -> flask.Response:
    path = Path(__file__).parent / "templates" / "pages" / "dev" / "dev.css"
    return flask.Response(path.read_text(encoding="utf-8"), mimetype="text/css")
