"""The one page of accounts: a button for a link that must do nothing by being opened alone.

Mail programs open links to look for harm, so a link that changes something only shows this page.
"""

from functools import cache

import flask
import jinja2

from torg.config import settings
from torg.i18n import gettext, locale
from torg_auth.domain.changes import Kind

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_QUESTIONS = {
    Kind.USERNAME: "Get the previous username back?",
    Kind.EMAIL: "Get the previous e-mail address back?",
    Kind.PHONE: "Get the previous telephone number back?",
}
WORDS = (
    *_QUESTIONS.values(),
    "Undo the change",
    "Everybody is signed out then. Set a new password afterwards.",
)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("torg_auth", "templates/auth/pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )


def undo_page(kind: Kind) -> flask.Response:
    """Ask whether a change is to be taken back; the button posts to the same address."""
    html = (
        _environment()
        .get_template("undo.html")
        .render(
            _=gettext,
            language=locale(),
            question=_QUESTIONS[kind],
            site_name=settings().host.site_name,
        )
    )
    page = flask.Response(html, mimetype="text/html")
    page.headers["Content-Security-Policy"] = _POLICY
    page.headers["Cache-Control"] = "no-store"
    return page
