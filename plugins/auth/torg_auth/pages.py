"""The pages of accounts, for people who open the links of mails in a browser.

Mail programs open links to look for harm, so a link that takes something back only shows a button.
Programs get JSON at the same addresses.
"""

from functools import cache
from typing import Any

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
_CONFIRMED = ("Your e-mail address is confirmed.", "You can close this page and go on.")
_UNDONE = (
    "It is as it was before.",
    "Everybody is signed out. Ask for a new password now: somebody may know the present one.",
)
WORDS = (
    *_QUESTIONS.values(),
    *_CONFIRMED,
    *_UNDONE,
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


def is_wanted() -> bool:
    """Whether the present request comes from a browser rather than from a program."""
    accepted = flask.request.accept_mimetypes
    return accepted.best_match(["application/json", "text/html"]) == "text/html"


def undo_page(kind: Kind) -> flask.Response:
    """Ask whether a change is to be taken back; the button posts to the same address."""
    return _page("undo.html", "Undo the change", question=_QUESTIONS[kind])


def undone_page() -> flask.Response:
    """Say that a change was taken back, and what to do now."""
    title, next_step = _UNDONE
    return _page("done.html", title, next_step=next_step)


def confirmed_page() -> flask.Response:
    """Say that an address is confirmed."""
    title, next_step = _CONFIRMED
    return _page("done.html", title, next_step=next_step)


def _page(name: str, title: str, **facts: Any) -> flask.Response:
    html = (
        _environment()
        .get_template(name)
        .render(
            _=gettext,
            language=locale(),
            title=gettext(title),
            site_name=settings().host.site_name,
            **facts,
        )
    )
    page = flask.Response(html, mimetype="text/html")
    page.headers["Content-Security-Policy"] = _POLICY
    page.headers["Cache-Control"] = "no-store"
    return page
