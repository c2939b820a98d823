"""From a template and facts to subject, HTML and text.

Owns where templates are looked for, what they may use and the inlining of styles. Who gets a mail
and when is `torg.mail`'s.

A plugin brings `templates/<plugin>/mail/<name>.<locale>.html` and `.txt`; the first line of the
text is `Subject: …`. A deployment overrides any of them by a file of the same path in the folder
that the setting `template_dir` names: `<template_dir>/news/mail/answered.ru.html`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import css_inline
import jinja2
from babel.dates import format_datetime
from babel.numbers import format_currency, format_decimal

from torg import i18n

HOST_FOLDER = Path(__file__).parent / "templates"
_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_PATH = re.compile(r"[a-z][a-z0-9_]*/mail/[a-z][a-z0-9_]*(\.[a-z]{2})?\.(html|txt)")
_SUBJECT = "Subject:"
# What every template gets besides its own facts.
GIVEN = frozenset({"recipient", "site_name", "base_url", "locale", "subject"})


class MailTemplateError(Exception):
    """A template is missing or wrong; the message names file and reason."""


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """A kind of mail that a plugin sends.

    Attributes:
        name: `<plugin>.<name>`; files are `<plugin>/mail/<name>.<locale>.html` and `.txt`.
        sample: facts for previews and tests: one of each fact, as JSON values.
        urgent: whether somebody waits for it, as for a code; it then overtakes other jobs.
        complete: called with the queued facts when a mail is sent, returns further ones: what must
            not wait in the queue, such as a code. Previews take them from the sample.
    """

    name: str
    sample: Mapping[str, Any]
    urgent: bool = False
    complete: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None

    @property
    def plugin(self) -> str:
        """Whose mail it is."""
        return self.name.partition(".")[0]

    def path(self, locale: str, kind: str) -> str:
        """The file of a locale, relative to a template folder."""
        plugin, _, name = self.name.partition(".")
        return f"{plugin}/mail/{name}.{locale}.{kind}"


@dataclass(frozen=True, slots=True)
class Recipient:
    """To whom a mail speaks; `username` is empty for a bare address."""

    email: str
    username: str = ""
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """The three parts of a mail in one language."""

    subject: str
    html: str
    text: str
    locale: str


@dataclass
class Renderer:
    """The templates of one application: the deployment's own, the host's and those of plugins."""

    site_name: str
    base_url: str
    override: Path | None = None
    folders: dict[str, Path] = field(default_factory=lambda: {"host": HOST_FOLDER})

    def __post_init__(self) -> None:
        """Make the environment once; templates are compiled when first used."""
        self._environment = jinja2.Environment(
            loader=jinja2.FunctionLoader(self._load),
            autoescape=jinja2.select_autoescape(("html",), default_for_string=False),
            # A fact that is missing must fail in a test, not print nothing in a customer's mail.
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(money=_money, moment=_moment, number=_number)
        self._environment.globals.update(_=i18n.gettext)

    def check(self, template: MailTemplate) -> None:
        """Refuse a template without name, plugin prefix or English files.

        Raises:
            MailTemplateError: naming what is missing.
        """
        if not _NAME.fullmatch(template.name):
            raise MailTemplateError(f"{template.name!r} is not <plugin>.<name> in lower case")
        clash = sorted(GIVEN & set(template.sample))
        if clash:
            raise MailTemplateError(f"{template.name}: facts {clash} are given by the host")
        for kind in ("html", "txt"):
            path = template.path(i18n.SOURCE_LOCALE, kind)
            if self._source(path) is None:
                raise MailTemplateError(f"{template.name}: file templates/{path} is missing")

    def render(
        self, template: MailTemplate, recipient: Recipient, facts: Mapping[str, Any], locale: str
    ) -> Rendered:
        """Fill a template in.

        Raises:
            MailTemplateError: a file is missing or wrong, or a fact is not given.
        """
        spoken = locale if self._source(template.path(locale, "txt")) is not None else "en"
        context = {
            **facts,
            "recipient": recipient,
            "site_name": self.site_name,
            "base_url": self.base_url,
            "locale": spoken,
        }
        try:
            with i18n.use_locale(spoken):
                subject, text = self._text(template.path(spoken, "txt"), context)
                page = self._environment.get_template(template.path(spoken, "html"))
                html = page.render({**context, "subject": subject})
        except jinja2.TemplateNotFound as error:
            raise MailTemplateError(f"{template.name}: file {error.name} is missing") from error
        except jinja2.TemplateError as error:
            raise MailTemplateError(f"{template.name} ({spoken}): {error.message}") from error
        return Rendered(subject, _inline(html), text, spoken)

    def _text(self, path: str, context: Mapping[str, Any]) -> tuple[str, str]:
        source = self._source(path)
        if source is None:
            raise jinja2.TemplateNotFound(path)
        head, _, body = source.partition("\n")
        if not head.startswith(_SUBJECT):
            raise MailTemplateError(f"{path}: the first line must be 'Subject: …'")
        # The line is a template of its own, so a line break inside a fact cannot leave it.
        subject = self._compile(head.removeprefix(_SUBJECT).strip()).render(context)
        subject = " ".join(subject.split())
        footer = self._environment.get_template("host/mail/footer.txt")
        filled = self._compile(body).render({**context, "subject": subject})
        parts = [filled.strip(), footer.render({**context, "subject": subject}).strip()]
        return subject, "\n\n".join(parts) + "\n"

    def _compile(self, source: str) -> jinja2.Template:
        return self._environment.from_string(source)

    def _source(self, path: str) -> str | None:
        found = self._find(path)
        return found.read_text(encoding="utf-8") if found is not None else None

    def _find(self, path: str) -> Path | None:
        if not _PATH.fullmatch(path):
            return None
        plugin = path.partition("/")[0]
        places = [self.override, self.folders.get(plugin)]
        for place in places:
            if place is not None and (place / path).is_file():
                return place / path
        return None

    def _load(self, path: str) -> tuple[str, str | None, Callable[[], bool]] | None:
        found = self._find(path)
        if found is None:
            return None
        changed_at = found.stat().st_mtime_ns

        def is_current() -> bool:
            return found == self._find(path) and found.stat().st_mtime_ns == changed_at

        return found.read_text(encoding="utf-8"), str(found), is_current


@lru_cache(maxsize=1)
def _inliner() -> css_inline.CSSInliner:
    # At-rules are kept: dark mode and narrow screens cannot be said in style attributes.
    return css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)


def _inline(html: str) -> str:
    inlined: str = _inliner().inline(html)
    return inlined


def _money(value: Mapping[str, str]) -> str:
    """`{"amount": "19.99", "currency": "EUR"}` as the reader writes it."""
    return format_currency(Decimal(value["amount"]), value["currency"], locale=i18n.locale())


def _moment(value: str, style: str = "long") -> str:
    """An RFC 3339 time as the reader writes it, in UTC and saying so."""
    moment = datetime.fromisoformat(value)
    words: str = format_datetime(moment, _STYLES[style], locale=i18n.locale())
    return f"{words} UTC"


_STYLES = {"long": "d MMMM y, HH:mm", "short": "dd.MM.y HH:mm"}


def _number(value: float) -> str:
    words: str = format_decimal(value, locale=i18n.locale())
    return words
