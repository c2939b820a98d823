"""Languages: who chooses them, where words come from, and that the host's are complete."""

from __future__ import annotations

import re
from pathlib import Path

import flask
import flask_babel
import pytest
from babel.messages.pofile import read_po

from torg import config, i18n, translatable
from torg.config import HostSettings, Settings

HOST = Path(i18n.__file__).parent
HOST_TEXT = "You receive this mail because you have an account at {site}."
CATALOGUE = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && \
(n%100<10 || n%100>=20) ? 1 : 2);\\n"

msgid "The lowest bid now is {amount}."
msgstr "Наименьшая ставка сейчас {amount}."

msgid "{count} bid"
msgid_plural "{count} bids"
msgstr[0] "{count} ставка"
msgstr[1] "{count} ставки"
msgstr[2] "{count} ставок"

#, fuzzy
msgid "Unsure"
msgstr "Неуверенно"

msgid "You receive this mail because you have an account at {site}."
msgstr "Подменено"
"""


@pytest.fixture
def app(tmp_path):
    """A bare application that speaks, with a plugin's catalogue."""
    app = flask.Flask("test")
    config.init(app, Settings.build(HostSettings(debug=True)))
    i18n.init(app)
    folder = tmp_path / "translations"
    folder.mkdir()
    (folder / "ru.po").write_text(CATALOGUE, encoding="utf-8")
    i18n.add_catalogue(app, folder)
    return app


class TestLocale:
    """Which language is spoken."""

    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("ru", "ru"),
            ("ru-RU,ru;q=0.9,en;q=0.8", "ru"),
            ("en;q=0.4, ru;q=0.6", "ru"),
            ("de-DE, en;q=0.5", "en"),
            ("de", "en"),
            ("", "en"),
            ("\x00;;q=x,,", "en"),
        ],
    )
    def test_client_chooses_the_language(self, app, header, expected):
        with app.test_request_context(environ_base={"HTTP_ACCEPT_LANGUAGE": header}):
            assert i18n.locale() == expected

    def test_deployment_chooses_for_clients_that_name_none(self):
        app = flask.Flask("test")
        config.init(app, Settings.build(HostSettings(debug=True, locale_default="ru")))
        i18n.init(app)

        with app.test_request_context():
            assert i18n.locale() == "ru"
        with app.test_request_context(headers={"Accept-Language": "en"}):
            assert i18n.locale() == "en"

    def test_job_speaks_a_chosen_language_and_then_the_former_again(self, app):
        with app.app_context():
            with i18n.use_locale("ru"):
                assert i18n.locale() == "ru"
                assert flask_babel.format_decimal(1.5) == "1,5"
                with i18n.use_locale("en"):
                    assert flask_babel.format_decimal(1.5) == "1.5"
                assert i18n.locale() == "ru"
            assert i18n.locale() == "en"

    @pytest.mark.parametrize("tag", ["ru-RU", "ru_RU", "RU"])
    def test_language_tag_with_a_region_is_understood(self, app, tag):
        with app.app_context(), i18n.use_locale(tag) as chosen:
            assert chosen == "ru"

    @pytest.mark.parametrize("tag", [None, "", "xx", "../../etc"])
    def test_unknown_language_means_the_default(self, app, tag):
        with app.app_context(), i18n.use_locale(tag) as chosen:
            assert chosen == "en"

    def test_languages_work_without_any_application(self):
        with i18n.use_locale("ru"):
            assert i18n.gettext(HOST_TEXT, site="Torg").startswith("Вы получили")
        assert i18n.locale() == "en"


class TestWords:
    """What is said."""

    def test_message_is_translated_and_filled_in(self, app):
        with app.app_context(), i18n.use_locale("ru"):
            said = i18n.gettext("The lowest bid now is {amount}.", amount="10 EUR")

        assert said == "Наименьшая ставка сейчас 10 EUR."

    @pytest.mark.parametrize(
        ("count", "expected"),
        [(1, "1 ставка"), (3, "3 ставки"), (5, "5 ставок"), (21, "21 ставка"), (112, "112 ставок")],
    )
    def test_russian_has_three_plural_forms(self, app, count, expected):
        with app.app_context(), i18n.use_locale("ru"):
            assert i18n.ngettext("{count} bid", "{count} bids", count) == expected

    @pytest.mark.parametrize("message", ["Never translated", "Unsure"])
    def test_message_without_sure_translation_stays_english(self, app, message):
        with app.app_context(), i18n.use_locale("ru"):
            assert i18n.gettext(message) == message

    @pytest.mark.parametrize("message", ["Lacks {this}", "Odd {", "{0}"])
    def test_template_that_cannot_be_filled_is_shown_as_it_is(self, message):
        assert i18n.gettext(message, other=1) == message

    def test_fact_is_never_taken_for_a_template(self, app):
        with app.app_context():
            said = i18n.gettext("By {name}", name="{name.__class__} %(x)s")

        assert said == "By {name.__class__} %(x)s"

    def test_plugin_does_not_change_the_words_of_the_host(self, app):
        with app.app_context(), i18n.use_locale("ru"):
            assert i18n.gettext(HOST_TEXT, site="Torg").startswith("Вы получили")

    def test_flask_babel_speaks_from_the_same_catalogues(self, app):
        with app.test_request_context(headers={"Accept-Language": "ru"}):
            assert flask_babel.ngettext("{count} bid", "{count} bids", 3) == "{count} ставки"

    def test_broken_catalogue_is_named(self, app, tmp_path):
        folder = tmp_path / "broken"
        folder.mkdir()
        (folder / "ru.po").write_text('msgid "a"\nmsgstr "unclosed\nrubbish', encoding="utf-8")

        with pytest.raises(i18n.CatalogueError, match=re.escape(str(folder / "ru.po"))):
            i18n.add_catalogue(app, folder)

    def test_package_without_translations_adds_nothing(self, app, tmp_path):
        i18n.add_catalogue(app, tmp_path / "nothing")

        with app.app_context():
            assert i18n.gettext("Hello") == "Hello"


class TestHostCatalogue:
    """The host speaks Russian throughout."""

    def test_every_text_of_the_host_is_translated(self):
        assert translatable.untranslated(HOST) == [], "add the missing ones to translations/ru.po"

    def test_translation_takes_the_same_facts_as_its_text(self):
        with (HOST / "translations" / "ru.po").open("rb") as stream:
            messages = [each for each in read_po(stream) if each.id]

        def facts(text):
            return sorted(re.findall(r"{\w+}", text))

        assert [m.id for m in messages if facts(m.id) != facts(m.string)] == []

    def test_finder_sees_errors_fields_calls_and_templates(self, tmp_path):
        (tmp_path / "templates").mkdir()
        (tmp_path / "templates" / "a.html").write_text("<p>{{ _('In a page') }}</p>")
        (tmp_path / "errors.py").write_text(
            'class LateError(GoneError):\n    code = "late"\n    title = "Too late"\n'
            '    detail = "It ended at {ends_at}."\n'
            'class Schema:\n    error_messages = {"a": Message("x", "Not so")}\n'
            'class Window:\n    title = "No text for people"\n'
            'def f():\n    gettext("Said {x}", x=1)\n    ngettext("One bid", "Bids", 2)\n'
        )

        assert translatable.untranslated(tmp_path) == [
            "Bids",
            "In a page",
            "It ended at {ends_at}.",
            "Not so",
            "One bid",
            "Said {x}",
            "Too late",
        ]
