"""Mails look as meant: both languages, text and HTML, the deployer's own files, no surprises."""

from __future__ import annotations

import re

import pytest

from torg.mail import SAMPLE_RECIPIENT, TEST_MAIL
from torg.mail_rendering import MailTemplate, MailTemplateError, Recipient, Renderer

SAMPLE = {"title": "A <b>watch</b>\nBcc: x", "price": {"amount": "1250.00", "currency": "EUR"}}
OUTBID = MailTemplate("auction.outbid", sample=SAMPLE)
FILES = {
    "outbid.en.txt": "Subject: Outbid on {{ title }}\nHello {{ recipient.username }},\n"
    "{{ price | money }}",
    "outbid.en.html": '{% extends "host/mail/base.html" %}{% block content %}<p>{{ title }}</p>'
    "{% endblock %}",
    "outbid.ru.txt": "Subject: Ставку на {{ title }} перебили\n{{ price | money }}",
    "outbid.ru.html": '{% extends "host/mail/base.html" %}{% block content %}<p>{{ title }}</p>'
    "{% endblock %}",
}


@pytest.fixture
def plugin(tmp_path):
    """A plugin's template folder, to be changed by the test."""
    folder = tmp_path / "plugin"
    (folder / "auction" / "mail").mkdir(parents=True)
    for name, text in FILES.items():
        (folder / "auction" / "mail" / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def renderer(plugin, tmp_path):
    made = Renderer("Torg", "https://torg.example", override=tmp_path / "own")
    made.folders["auction"] = plugin
    return made


def show(renderer, template=OUTBID, facts=None, locale="en"):
    return renderer.render(template, SAMPLE_RECIPIENT, facts or template.sample, locale)


class TestWords:
    """Subject, HTML and text."""

    def test_mail_has_subject_html_and_text_in_both_languages(self):
        renderer = Renderer("Torg", "https://torg.example")

        english, russian = (show(renderer, TEST_MAIL, locale=each) for each in ("en", "ru"))

        assert english.subject == "A test of mail from Torg"
        assert russian.subject == "Проверка почты от Torg"
        assert "€1,250.00" in english.text
        assert "1 250,00 €" in russian.text.replace("\xa0", " ")
        assert "1 March 2026, 12:30 UTC" in english.html
        assert "1 марта 2026, 12:30 UTC" in russian.html
        assert 'lang="ru"' in russian.html
        assert "учётная запись на Torg" in russian.text

    def test_fact_is_escaped_in_html_and_plain_in_text(self, renderer):
        shown = show(renderer)

        assert "A &lt;b&gt;watch&lt;/b&gt;" in shown.html
        assert "<b>watch" not in shown.html

    def test_line_break_in_a_fact_does_not_leave_the_subject(self, renderer):
        shown = show(renderer)

        assert shown.subject == "Outbid on A <b>watch</b> Bcc: x"
        assert not shown.text.startswith("Bcc")

    def test_missing_fact_is_an_error_with_its_name(self, renderer):
        with pytest.raises(MailTemplateError, match=r"auction\.outbid .*price"):
            show(renderer, facts={"title": "x"})

    def test_language_without_files_falls_back_to_english(self, renderer, plugin):
        (plugin / "auction/mail/outbid.ru.txt").unlink()
        (plugin / "auction/mail/outbid.ru.html").unlink()

        shown = show(renderer, locale="ru")

        assert (shown.locale, shown.subject[:6]) == ("en", "Outbid")

    def test_recipient_without_a_name_is_greeted_by_address(self):
        renderer = Renderer("Torg", "https://torg.example")

        shown = renderer.render(TEST_MAIL, Recipient("zoe@example.org"), TEST_MAIL.sample, "en")

        assert "Hello zoe@example.org" in shown.text


class TestLook:
    """What a phone and a dark screen make of it."""

    @pytest.fixture
    def html(self):
        return show(Renderer("Torg", "https://torg.example"), TEST_MAIL).html

    def test_styles_are_inlined_and_at_rules_are_kept(self, html):
        assert re.search(r'<p style="[^"]*font-size: 16px', html)
        assert "@media (prefers-color-scheme: dark)" in html
        assert "@media (max-width: 600px)" in html
        assert '<meta name="color-scheme" content="light dark">' in html

    def test_mail_reaches_for_nothing_outside_of_itself(self, html):
        assert not re.search(r"<(img|script|link|iframe|object)\b", html)
        assert "@import" not in html
        assert "url(" not in html

    def test_layout_tables_are_hidden_from_screen_readers(self, html):
        layout = re.findall(r"<table[^>]*>", html.replace('class="facts"', ""))

        assert sum('role="presentation"' in table for table in layout) >= 4


class TestPlaces:
    """Where templates are looked for."""

    def test_deployers_file_wins_over_the_plugins(self, renderer, tmp_path):
        own = tmp_path / "own" / "auction" / "mail"
        own.mkdir(parents=True)
        (own / "outbid.en.txt").write_text("Subject: Our own words\n{{ title }}")

        shown = show(renderer)

        assert shown.subject == "Our own words"
        assert "A &lt;b&gt;watch" in shown.html

    def test_deployer_changes_the_layout_of_all_mails(self, renderer, tmp_path):
        own = tmp_path / "own" / "host" / "mail"
        own.mkdir(parents=True)
        (own / "base.html").write_text("<html><body>OURS {% block content %}{% endblock %}</body>")

        assert "OURS" in show(renderer).html

    def test_changed_file_counts_at_once(self, renderer, plugin):
        show(renderer)
        (plugin / "auction/mail/outbid.en.txt").write_text("Subject: New words\nx")

        assert show(renderer).subject == "New words"

    @pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", "shop/mail/other.txt"])
    def test_template_includes_nothing_from_elsewhere(self, renderer, plugin, path):
        (plugin / "auction/mail/outbid.en.html").write_text('{% include "' + path + '" %}')

        with pytest.raises(MailTemplateError, match="is missing"):
            show(renderer)

    @pytest.mark.parametrize("kind", ["txt", "html"])
    def test_missing_file_is_named(self, renderer, plugin, kind):
        (plugin / f"auction/mail/outbid.en.{kind}").unlink()

        with pytest.raises(MailTemplateError, match=f"auction/mail/outbid.en.{kind} is missing"):
            renderer.check(OUTBID)

    def test_text_without_a_subject_is_named(self, renderer, plugin):
        (plugin / "auction/mail/outbid.en.txt").write_text("Hello")

        with pytest.raises(MailTemplateError, match="first line must be 'Subject"):
            show(renderer)

    @pytest.mark.parametrize("name", ["outbid", "Auction.outbid", "auction.../x", "a.b.c"])
    def test_template_name_that_is_none_is_refused(self, renderer, name):
        with pytest.raises(MailTemplateError):
            renderer.check(MailTemplate(name, sample={}))

    def test_fact_that_the_host_gives_is_refused(self, renderer):
        with pytest.raises(MailTemplateError, match="recipient"):
            renderer.check(MailTemplate("auction.outbid", sample={"recipient": "x"}))
