"""The host's few HTML pages: rendering with escaping always on.

Owns the template environment of pages about the API. Mail has its own, in `torg.mail`.
"""

import functools
from typing import Any

import flask
import jinja2

from torg import __version__
from torg.i18n import gettext, locale


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("torg", "templates/pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )


def render(template: str, **context: Any) -> flask.Response:
    """A page from `templates/pages/`."""
    html = (
        _environment()
        .get_template(template)
        .render(_=gettext, language=str(locale()), version=__version__, **context)
    )
    return flask.Response(html, mimetype="text/html")
