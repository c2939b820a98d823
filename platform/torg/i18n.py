"""Which language is spoken, and the words of it: English in the code, others from `.po` files.

Owns catalogues and the choice of the locale. A package brings `translations/<locale>.po`; files
are read at start and compiled in memory, so nothing needs building. Leaves formatting of numbers
and dates to Babel, and which texts exist to those who write them.

Templates are English sentences with `{facts}`, often class attributes far from any request:

    gettext(error.title)
    gettext("The lowest bid now is {amount}.", amount="10.00 EUR")
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import flask
import flask_babel
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

from torg import config

LOCALES = ("en", "ru")
SOURCE_LOCALE = "en"
EXTENSION = "torg.i18n"

_forced: ContextVar[str | None] = ContextVar("torg_locale", default=None)


class CatalogueError(Exception):
    """A `.po` file cannot be read; the text names it and the reason."""


@dataclass
class Catalogues:
    """The translations of one application: the host's first, then those of its plugins."""

    default: str = SOURCE_LOCALE
    folders: list[Path] = field(default_factory=list)

    def translations(self, wanted: str) -> Translations:
        """The compiled words of a locale."""
        return _compiled(wanted, tuple(self.folders))


class _Domain(flask_babel.Domain):  # type: ignore[misc]  # the library ships no types
    """Makes Flask-Babel's own functions and Jinja's `_()` speak from our catalogues."""

    def get_translations(self) -> Translations:
        return _catalogues().translations(locale())


def init(app: flask.Flask) -> None:
    """Set up Flask-Babel and the host's own catalogue; the default locale is a setting."""
    default = config.of(app).host.locale_default
    app.extensions[EXTENSION] = Catalogues(default=default, folders=[_host_folder()])
    babel = flask_babel.Babel()
    babel.init_app(app, default_locale=default, locale_selector=locale)
    babel.domain_instance = _Domain()


def add_catalogue(app: flask.Flask, folder: Path) -> None:
    """Add the `<locale>.po` files of a plugin's folder; one that does not exist adds nothing.

    Raises:
        CatalogueError: a file cannot be read.
    """
    catalogues: Catalogues = app.extensions[EXTENSION]
    if not folder.is_dir() or folder in catalogues.folders:
        return
    for wanted in LOCALES:
        _read(folder, wanted)
    catalogues.folders.append(folder)


def locale() -> str:
    """The locale that counts now: forced by `use_locale`, else asked for by the client."""
    forced = _forced.get()
    if forced is not None:
        return forced
    default = _catalogues().default
    if flask.has_request_context():
        return flask.request.accept_languages.best_match(LOCALES, default=default) or default
    return default


@contextmanager
def use_locale(wanted: str | None) -> Iterator[str]:
    """Speak a certain language inside the block, in jobs and outside of requests too.

    Args:
        wanted: a language tag such as "ru" or "ru-RU"; one we do not speak means the default.
    """
    chosen = nearest(wanted)
    token = _forced.set(chosen)
    try:
        if flask.has_app_context() and "babel" in flask.current_app.extensions:
            # Flask-Babel remembers a locale of its own for dates and numbers.
            with flask_babel.force_locale(chosen):
                yield chosen
        else:
            yield chosen
    finally:
        _forced.reset(token)


def nearest(wanted: str | None) -> str:
    """The spoken locale of a language tag, or the default."""
    language = (wanted or "").replace("_", "-").split("-")[0].lower()
    return language if language in LOCALES else _catalogues().default


def gettext(message: str, **facts: Any) -> str:
    """The message in the current locale, its `{facts}` filled in.

    A message without translation stays English; a fact that is missing leaves the template as it
    is, because a refusal must never turn into a failure.
    """
    return _filled(_catalogues().translations(locale()).ugettext(message), facts)


def ngettext(singular: str, plural: str, count: int, **facts: Any) -> str:
    """The form for `count`, which is also the fact `{count}`; Russian has three forms."""
    words = _catalogues().translations(locale()).ungettext(singular, plural, count)
    return _filled(words, {"count": count, **facts})


def untranslated(
    wanted: str, messages: Iterable[str], folders: Iterable[Path] | None = None
) -> list[str]:
    """The messages that a locale lacks, for tests that keep catalogues complete.

    Args:
        wanted: the locale, such as "ru".
        messages: English texts.
        folders: where catalogues lie; by default those of the current application, or the host's.
    """
    searched = tuple(folders) if folders is not None else tuple(_catalogues().folders)
    known = {
        message.id if isinstance(message.id, str) else message.id[0]
        for folder in searched
        for message in _read(folder, wanted)
        if message.id and message.string and not message.fuzzy
    }
    return sorted({message for message in messages if message and message not in known})


def _filled(text: str, facts: dict[str, Any]) -> str:
    if not facts:
        return text
    try:
        return text.format_map(facts)
    except (KeyError, IndexError, ValueError):
        return text


def _host_folder() -> Path:
    return Path(__file__).parent / "translations"


@lru_cache(maxsize=1)
def _host_catalogues() -> Catalogues:
    return Catalogues(folders=[_host_folder()])


def _catalogues() -> Catalogues:
    if flask.has_app_context():
        found: Catalogues | None = flask.current_app.extensions.get(EXTENSION)
        if found is not None:
            return found
    return _host_catalogues()


@lru_cache(maxsize=64)
def _compiled(wanted: str, folders: tuple[Path, ...]) -> Translations:
    merged = Catalog(locale=wanted)
    for folder in folders:
        for message in _read(folder, wanted):
            # The first to translate a message wins, so no plugin changes the host's words.
            if message.id and not message.fuzzy and merged.get(message.id, message.context) is None:
                merged.add(message.id, message.string, context=message.context)
    compiled = BytesIO()
    write_mo(compiled, merged)
    compiled.seek(0)
    return Translations(compiled)


@lru_cache(maxsize=128)
def _read(folder: Path, wanted: str) -> Catalog:
    path = folder / f"{wanted}.po"
    if not path.is_file():
        return Catalog(locale=wanted)
    try:
        with path.open("rb") as stream:
            return read_po(stream, locale=wanted, abort_invalid=True)
    except Exception as error:
        raise CatalogueError(f"{path}: {error}") from error
