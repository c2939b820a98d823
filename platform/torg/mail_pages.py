"""Pages about mail for a demo and for development: caught mails, and a preview of every template.

`/dev/mail` shows what the file transport has caught, `/dev/mails` every template with its sample.
They exist only while the setting `demo` or `debug` is on: mails hold codes and links. A mail is
shown in a frame that may run nothing and reach nothing.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import flask
from flask import current_app, request

from torg import config, dev_pages, i18n, mail
from torg.caught_mail import CaughtMail
from torg.errors import NotFoundError
from torg.mail_rendering import MailTemplate

# The styles of a mail stand in its own markup; beyond those it may do nothing at all.
_FRAME_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
_WIDTHS = ("desktop", "phone")


def mount(app: flask.Flask) -> None:
    """Add the pages where they belong, and nowhere else."""
    rules: tuple[tuple[str, str, Any], ...] = (
        ("/dev/mail", "torg_dev_mail", _caught),
        ("/dev/mail.json", "torg_dev_mail_json", _caught_json),
        ("/dev/mail/<name>", "torg_dev_mail_one", _one),
        ("/dev/mail/<name>/body", "torg_dev_mail_body", _one_body),
        ("/dev/mail/<name>/raw", "torg_dev_mail_raw", _one_raw),
        ("/dev/mails", "torg_dev_mails", _templates),
        ("/dev/mails/<plugin>/<name>", "torg_dev_mails_one", _preview),
        ("/dev/mails/<plugin>/<name>/body", "torg_dev_mails_body", _preview_body),
    )
    dev_pages.mount(app, rules)


def _caught() -> flask.Response:
    box = _box()
    return dev_pages.render("mail/caught.html", mails=list(box) if box is not None else None)


def _caught_json() -> flask.Response:
    """The same for programs: a tutorial reads its code here. `?to=` picks one recipient."""
    box = _box()
    wanted = request.args.get("to")
    found: list[CaughtMail] = []
    if box is not None:
        found = box.to(wanted) if wanted else list(box)
    items = [
        {
            "name": each.name,
            "caught_at": each.caught_at.isoformat().replace("+00:00", "Z"),
            "to": each.address,
            "subject": each.subject,
            "text": each.text,
        }
        for each in found
    ]
    return flask.jsonify({"items": items})


def _one(name: str) -> flask.Response:
    caught = _mail_called(name)
    return dev_pages.render("mail/caught_one.html", mail=caught, **_width())


def _one_body(name: str) -> flask.Response:
    return _framed(_mail_called(name).html)


def _one_raw(name: str) -> flask.Response:
    answer = flask.Response(_mail_called(name).raw, mimetype="text/plain")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _templates() -> flask.Response:
    return dev_pages.render(
        "mail/previews.html", templates=list(mail.templates().values()), locales=i18n.LOCALES
    )


def _preview(plugin: str, name: str) -> flask.Response:
    template, locale = _template_called(plugin, name), _locale()
    return dev_pages.render(
        "mail/preview.html",
        mail_template=template,
        name=name,
        locale=locale,
        locales=i18n.LOCALES,
        rendered=mail.preview(template, locale),
        **_width(),
    )


def _preview_body(plugin: str, name: str) -> flask.Response:
    return _framed(mail.preview(_template_called(plugin, name), _locale()).html)


def _box() -> mail.Mailbox | None:
    """None: mails leave this machine, so there is nothing to show."""
    if urlsplit(config.settings().host.mail_url).scheme != "file":
        return None
    return mail.Mailbox(current_app._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001


def _mail_called(name: str) -> CaughtMail:
    box = _box()
    found = box.find(name) if box is not None else None
    if found is None:
        raise NotFoundError
    return found


def _template_called(plugin: str, name: str) -> MailTemplate:
    found = mail.templates().get(f"{plugin}.{name}")
    if found is None:
        raise NotFoundError
    return found


def _locale() -> str:
    asked = request.args.get("locale", i18n.locale())
    if asked not in i18n.LOCALES:
        raise NotFoundError
    return asked


def _width() -> dict[str, Any]:
    asked = request.args.get("width", "desktop")
    return {"width": asked if asked in _WIDTHS else "desktop", "widths": list(_WIDTHS)}


def _framed(html: str) -> flask.Response:
    # Links open beside the page: inside the frame they would meet its policy.
    outward = html.replace("<head>", '<head><base target="_blank">', 1)
    answer = flask.Response(outward, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = _FRAME_POLICY
    answer.headers["X-Frame-Options"] = "SAMEORIGIN"
    answer.headers["Cache-Control"] = "no-store"
    return answer
