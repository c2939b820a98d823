"""The mails of accounts: both languages, both forms, and every word translated."""

import re
from typing import Any

from torg import i18n, mail
from torg.errors import catalogue
from torg_auth import change_errors, errors, pages, plugin
from torg_auth.services.passwords import _EXPLANATIONS
from torg_auth.services.texts import WORDS


def test_every_mail_renders_in_every_language_and_form(app: Any) -> None:
    assert mail.problems(app, "auth") == []
    with app.app_context():
        for template in plugin.torg_mail_templates():
            for locale in i18n.LOCALES:
                rendered = mail.preview(template, locale)
                assert rendered.locale == locale
                assert rendered.subject
                assert "anna" in rendered.text
                assert "anna" in rendered.html
                for fact in template.sample.values():
                    if isinstance(fact, str) and not fact.endswith("Z"):
                        assert fact in rendered.text


def test_russian_mails_are_russian(app: Any) -> None:
    with app.app_context():
        for template in plugin.torg_mail_templates():
            rendered = mail.preview(template, "ru")
            assert re.search("[а-яё]", rendered.subject)
            letters = re.findall("[A-Za-zА-Яа-яё]", rendered.text)
            russian = [letter for letter in letters if re.match("[А-Яа-яё]", letter)]
            assert len(russian) > len(letters) / 3


def test_a_waiting_mail_holds_neither_code_nor_link(
    api: Any, app: Any, sql: Any, mails: Any
) -> None:
    from torg_auth.services import mailing

    api.register("anna")
    mails("anna@example.com")
    from torg.db import unit_of_work
    from torg_auth.domain.codes import Purpose

    with unit_of_work(app=app):
        mailing.send_code(1, Purpose.CONFIRM_EMAIL)
    [(payload,)] = sql(
        "SELECT payload::text FROM torg_outbox WHERE job = 'host.send_mail' AND state = 'queued'"
    )
    text = mails("anna@example.com")[0].text
    code = next(line.strip() for line in text.splitlines() if line.strip().isdigit())
    token = next(word for word in text.split() if "token=" in word).partition("token=")[2]
    assert f'"{code}"' not in payload
    assert token not in payload


def test_every_refusal_and_explanation_is_translated(app: Any) -> None:
    modules = {errors.__name__, change_errors.__name__}
    own = [each for each in catalogue().values() if each.__module__ in modules]
    assert len(own) >= 10
    texts = [text for each in own for text in (each.title, each.detail)]
    with app.app_context():
        words = [*texts, *_EXPLANATIONS.values(), *WORDS, *pages.WORDS]
        assert i18n.untranslated("ru", words) == []
