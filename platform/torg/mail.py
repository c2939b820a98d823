"""Mail: queued with the change it tells of, rendered and sent by a job, one for each recipient.

Owns templates by name, the queue's entry, the job and the building of messages. Rendering is
`torg.mail_rendering`'s, leaving the house `torg.mail_transport`'s, pages `torg.mail_pages`'.

    mail.queue_mail("news.answered", identity_id, {"title": title}, key=f"{answer_id}")

A mail is a job row in the caller's transaction: never sent for a change that was rolled back, never
lost for one that was committed. It may be sent twice after a crash; both then carry the same
Message-ID, by which mail programs show one.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import flask
import flask_mail
import structlog
from flask import current_app
from sqlalchemy import text

from torg import caught_mail, config, contracts, i18n, jobs, metrics, outbox, plugins
from torg.caught_mail import CaughtMail
from torg.db import session
from torg.identity import Contact
from torg.jobs import GiveUpError, Job, JobRun
from torg.mail_building import address, as_email, message_id
from torg.mail_rendering import (
    MailTemplate,
    MailTemplateError,
    Recipient,
    Rendered,
    Renderer,
)
from torg.mail_transport import (
    MailError,
    MailRefusedError,
    SmtpTransport,
    Transport,
    open_transport,
)

__all__ = [
    "MailError",
    "MailRefusedError",
    "MailTemplate",
    "MailTemplateError",
    "Mailbox",
    "check",
    "init",
    "is_delivered",
    "preview",
    "problems",
    "queue_mail",
    "register",
    "templates",
    "withdraw",
]

EXTENSION = "torg.mail"
JOB = "host.send_mail"
_LONGEST_KEY = 150

_log = structlog.get_logger(__name__)


@dataclass
class _Mail:
    """The mail of one application."""

    sender: flask_mail.Mail
    transport: Transport
    renderer: Renderer
    templates: dict[str, MailTemplate] = field(default_factory=dict)


class _Connection(flask_mail.Connection):
    """Takes the place of Flask-Mail's: that one waits for ever and trusts any certificate."""

    def __init__(self, mail: flask_mail.Mail, transport: Transport) -> None:
        super().__init__(mail)
        self._transport = transport

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *_error: object) -> None:
        """Nothing is kept open between two mails."""

    def send(
        self, message: flask_mail.Message, envelope_from: str | tuple[str, str] | None = None
    ) -> None:
        """Send to each recipient a mail of his own.

        Raises:
            MailError: it could not be handed over.
            ValueError: a header holds a line break.
        """
        for recipient in sorted(message.send_to, key=str):
            single = copy.copy(message)
            single.recipients, single.cc, single.bcc = [recipient], [], []
            finished = as_email(single)
            sender = address(envelope_from or single.sender).addr_spec
            self._transport.send(finished, sender, finished["To"].addresses[0].addr_spec)
            flask_mail.email_dispatched.send(current_app, message=single)


class _Sender(flask_mail.Mail):
    """Flask-Mail with our connection; `mail.send(message)` works as its users know it."""

    def connect(self) -> _Connection:
        return _Connection(self, _mail(current_app).transport)


def init(app: flask.Flask) -> None:
    """Open the transport, set up Flask-Mail and enter the job that sends."""
    host = config.of(app).host
    app.config["MAIL_DEFAULT_SENDER"] = host.mail_from
    transport = open_transport(
        host.mail_url, host.mail_timeout_seconds, own_name=urlsplit(host.base_url).hostname
    )
    renderer = Renderer(host.site_name, host.base_url, host.template_dir)
    app.extensions[EXTENSION] = _Mail(_Sender(app), transport, renderer)
    register(app, "host", TEST_MAIL)
    # A mail server may be away for most of a day; a minute after it is back all are on their way.
    # What it refuses for good is not tried again at all.
    sending = Job(JOB, send_mail, max_attempts=1500, limit_seconds=120, longest_wait_seconds=60)
    jobs.register(app, "host", sending)


def register(app: flask.Flask, plugin: str, template: MailTemplate) -> None:
    """Enter a template of a plugin.

    Raises:
        MailTemplateError: its name lacks the plugin's prefix or is taken, or a file is missing.
    """
    mail = _mail(app)
    if template.plugin != plugin or template.name in mail.templates:
        message = f"mail {template.name!r} of {plugin} must start with '{plugin}.' and be only one"
        raise MailTemplateError(message)
    if plugin != "host":
        manifest = plugins.registry(app).plugins[plugin].manifest
        mail.renderer.folders[plugin] = manifest.path / "templates"
    mail.renderer.check(template)
    mail.templates[template.name] = template


def withdraw(app: flask.Flask, plugin: str) -> None:
    """Take back the templates of a plugin."""
    mail = _mail(app)
    mail.templates = {
        name: template for name, template in mail.templates.items() if template.plugin != plugin
    }


def templates(app: flask.Flask | None = None) -> dict[str, MailTemplate]:
    """All templates by name, sorted."""
    return dict(sorted(_mail(app or current_app).templates.items()))


def queue_mail(
    template: str,
    recipient: int | str,
    context: Mapping[str, Any],
    *,
    key: str,
    locale: str | None = None,
) -> int | None:
    """Let a mail be sent once the present transaction has committed.

    Args:
        template: its name, such as "news.answered".
        recipient: an identity's id, whose address is looked up when the mail is sent, or an e-mail
            address.
        context: the facts of the template, as JSON values; money and times as the API writes them.
            They are forgotten once the mail is sent.
        key: what makes this mail this mail, such as the answer's id: for one template and recipient
            a second mail of the same key is never queued.
        locale: the language; by default the recipient's, else the deployment's.

    Returns:
        The job's id, or None when this mail is queued or sent already.

    Raises:
        MailTemplateError: no active plugin has such a template.
        TypeError: the context is not made of JSON values.
        ValueError: the address or the key cannot be used.
    """
    known = _template(template)
    payload: dict[str, Any] = {"template": template, "locale": locale, "context": dict(context)}
    json.dumps(payload["context"], allow_nan=False)
    if isinstance(recipient, int):
        payload["identity_id"] = recipient
        whom = str(recipient)
    else:
        payload["email"] = address(recipient).addr_spec
        whom = hashlib.sha256(payload["email"].lower().encode()).hexdigest()[:16]
    if not key or len(key) > _LONGEST_KEY:
        raise ValueError(f"the key of a mail has 1 to {_LONGEST_KEY} characters")
    priority = outbox.URGENT if known.urgent else outbox.NORMAL
    return outbox.enqueue(JOB, payload, key=f"{template}:{whom}:{key}", priority=priority)


def send_mail(payload: dict[str, Any], run: JobRun) -> dict[str, Any] | None:
    """The job: look the recipient up, render, send. Its result holds no address.

    Raises:
        MailError: tried again later.
        GiveUpError: the server will never take it, or the template cannot be filled in.
    """
    template = _template(payload["template"])
    recipient = _recipient(payload)
    if recipient is None:
        metrics.count_mail(template.name, "skipped")
        return {"skipped": "nobody to write to"}
    locale = i18n.nearest(payload.get("locale") or recipient.locale)
    facts = payload["context"]
    if template.complete is not None:
        facts = {**facts, **template.complete(facts)}
    rendered = _render(template, recipient, facts, locale)
    message = _message(rendered, recipient, run.key or str(run.id))
    # Before the sending: between that and the commit as little as possible may happen, so the
    # result is stored here, too, and not returned.
    result = json.dumps({"message_id": message.msgId})
    session.execute(_FORGET, {"id": run.id, "result": result})
    try:
        _mail(current_app).sender.send(message)
    except (MailRefusedError, ValueError) as error:
        metrics.count_mail(template.name, "refused")
        raise GiveUpError(str(error)) from error
    except MailError:
        metrics.count_mail(template.name, "failed")
        raise
    metrics.count_mail(template.name, "sent")
    return None


# Codes and links are for the recipient's eyes; once sent, no copy of them stays in the database.
_FORGET = text(
    "UPDATE torg_outbox SET payload = payload - 'context' - 'email',"
    " result = CAST(:result AS jsonb) WHERE id = :id"
)


def preview(template: MailTemplate, locale: str) -> Rendered:
    """The template with its sample, as `/dev/mails/…` shows it."""
    return _render(template, SAMPLE_RECIPIENT, template.sample, locale)


def problems(app: flask.Flask, plugin: str | None = None) -> list[str]:
    """Render every template in every language with its sample; what goes wrong, in words."""
    found = []
    with app.app_context():
        for template in templates(app).values():
            if plugin not in (None, template.plugin):
                continue
            for locale in i18n.LOCALES:
                try:
                    rendered = preview(template, locale)
                except MailTemplateError as error:
                    found.append(str(error))
                    continue
                if rendered.locale != locale:
                    found.append(f"{template.name}: {template.path(locale, 'txt')} is missing")
    return found


def check() -> str:
    """Whether mail could leave, for `torg doctor` and health: where it goes to, in words.

    Raises:
        MailError: the mail server cannot be used.
    """
    return _mail(current_app).transport.check()


def is_delivered() -> bool:
    """Whether mails leave this machine, rather than being kept in files or printed."""
    return isinstance(_mail(current_app).transport, SmtpTransport)


class Mailbox:
    """The mails that the file transport of an application has caught, newest first."""

    def __init__(self, app: flask.Flask) -> None:
        """Look into the folder of the setting `mail_url`."""
        parts = urlsplit(config.of(app).host.mail_url)
        if parts.scheme != "file":
            raise ValueError("only mails of a file:/// mail_url are caught")
        self.folder = Path(unquote(parts.path))

    def __iter__(self) -> Iterator[CaughtMail]:
        """Newest first."""
        return caught_mail.newest_first(self.folder)

    def __len__(self) -> int:
        """How many there are, at most 200 are counted."""
        return sum(1 for _ in self)

    def find(self, name: str) -> CaughtMail | None:
        """One mail by the name of its file."""
        return caught_mail.read(self.folder, name)

    def to(self, address: str) -> list[CaughtMail]:
        """The mails of one recipient, newest first."""
        return [mail for mail in self if mail.address.lower() == address.lower()]

    def last(self, address: str | None = None) -> CaughtMail:
        """The newest mail, of one recipient or of all; LookupError when there is none."""
        found = self.to(address) if address is not None else list(self)
        if not found:
            raise LookupError(f"no mail to {address or 'anybody'} was caught")
        return found[0]

    def clear(self) -> None:
        """Throw all away."""
        for path in self.folder.glob("*.eml"):
            path.unlink(missing_ok=True)


def _message(rendered: Rendered, recipient: Recipient, key: str) -> flask_mail.Message:
    host = config.settings().host
    message = flask_mail.Message(
        subject=rendered.subject,
        recipients=[(recipient.username, recipient.email)],
        body=rendered.text,
        html=rendered.html,
        sender=host.mail_from,
        extra_headers={
            "Content-Language": rendered.locale,
            # RFC 3834: keeps holiday notes and other robots from answering.
            "Auto-Submitted": "auto-generated",
        },
    )
    message.msgId = message_id(key, host.mail_from)
    return message


def _render(
    template: MailTemplate, recipient: Recipient, facts: Mapping[str, Any], locale: str
) -> Rendered:
    return _mail(current_app).renderer.render(template, recipient, facts, locale)


def _recipient(payload: Mapping[str, Any]) -> Recipient | None:
    """None: the identity is gone, or has no address."""
    if "email" in payload:
        return Recipient(payload["email"])
    users = contracts.require("users")
    contact: Contact | None = users.contacts([payload["identity_id"]]).get(payload["identity_id"])
    if contact is None or not contact.email:
        return None
    return Recipient(contact.email, contact.username, contact.locale)


def _template(name: str) -> MailTemplate:
    known = _mail(current_app).templates
    if name not in known:
        raise MailTemplateError(f"no active plugin has a mail {name!r}")
    return known[name]


def _mail(app: flask.Flask) -> _Mail:
    found: _Mail = app.extensions[EXTENSION]
    return found


SAMPLE_RECIPIENT = Recipient("anna@example.org", "anna", "en")
TEST_MAIL = MailTemplate(
    "host.test_mail",
    sample={
        "code": "482913",
        "amount": {"amount": "1250.00", "currency": "EUR"},
        "sent_at": "2026-03-01T12:30:00Z",
        "link": "https://example.org/",
    },
)
