"""Mail as a job: with its transaction, once, in the recipient's language; pages that show it."""

from __future__ import annotations

import json

import flask_mail
import pytest
from mail_server import MailServer
from sqlalchemy import text

from torg import contracts, db, jobs, mail
from torg.contracts import Service
from torg.identity import Contact
from torg.mail_rendering import MailTemplateError

FACTS = dict(mail.TEST_MAIL.sample)


PEOPLE = {
    7: Contact(7, "Анна", "anna@example.org", "ru", True),
    8: Contact(8, "bob", "bob@example.org", "en", True),
}


class Users:
    """A `users` contract of two people."""

    def contacts(self, ids):
        return {each: PEOPLE[each] for each in ids if each in PEOPLE}


@pytest.fixture
def app(make_app):
    """An application of the host alone, with two people."""
    app = make_app([])
    registry = contracts.init(app)
    registry._services.clear()
    registry.provide("test", Service("users", "1.0", Users()))
    return app


@pytest.fixture
def box(app):
    return mail.Mailbox(app)


@pytest.fixture
def run(app):
    return lambda: jobs.run_due(app)


def queue(app, recipient="anna@example.org", key="1", **rest):
    with db.unit_of_work("write", app):
        return mail.queue_mail("host.test_mail", recipient, FACTS, key=key, **rest)


def rows(app):
    with db.unit_of_work("read", app) as session:
        statement = "SELECT state, attempts, payload, last_error, result FROM torg_outbox"
        return session.execute(text(f"{statement} WHERE job = 'host.send_mail'")).all()


class TestQueue:
    """A mail belongs to the transaction that asks for it."""

    def test_mail_is_sent_after_the_commit(self, app, box, run):
        queue(app)
        assert len(box) == 0

        run()

        assert box.last("anna@example.org").subject == "A test of mail from Torg"

    def test_mail_of_a_rolled_back_change_is_never_sent(self, app, box, run):
        def change_and_fail():
            with db.unit_of_work("write", app):
                mail.queue_mail("host.test_mail", "anna@example.org", FACTS, key="1")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            change_and_fail()

        run()

        assert len(box) == 0

    def test_same_mail_is_queued_once_for_each_recipient(self, app, box, run):
        made = [queue(app, who) for who in (7, 7, 8, "bob@example.org", "BOB@example.org")]

        run()

        assert [each is not None for each in made] == [True, False, True, True, False]
        assert len(box) == 3

    def test_identity_gets_it_in_his_own_language(self, app, box, run):
        queue(app, 7)
        queue(app, 8)
        queue(app, 8, key="2", locale="ru-RU")

        run()

        assert box.last("anna@example.org").subject == "Проверка почты от Torg"
        assert "Анна" in box.last("anna@example.org").to
        assert {each.subject for each in box.to("bob@example.org")} == {
            "A test of mail from Torg",
            "Проверка почты от Torg",
        }

    def test_nobody_is_written_to_when_the_person_is_gone(self, app, box, run):
        queue(app, 99)

        run()

        assert len(box) == 0
        assert [(row.state, row.result) for row in rows(app)] == [
            ("done", {"skipped": "nobody to write to"})
        ]

    def test_sent_mail_leaves_no_facts_and_no_address_behind(self, app, run):
        queue(app)
        assert "482913" in json.dumps([row.payload for row in rows(app)])

        run()

        kept = json.dumps([[row.payload, row.result] for row in rows(app)])
        assert "482913" not in kept
        assert "example.org/" not in kept
        assert "anna@" not in kept

    def test_mail_carries_the_same_message_id_however_often_it_is_sent(self, app, box, run):
        queue(app)
        run()
        first = box.last().message_id
        with db.unit_of_work("write", app) as session:
            statement = "UPDATE torg_outbox SET state = 'queued', payload = CAST(:p AS jsonb)"
            payload = {"template": "host.test_mail", "email": "anna@example.org", "context": FACTS}
            session.execute(text(statement), {"p": json.dumps(payload)})

        run()

        assert (len(box), box.last().message_id) == (1, first)

    @pytest.mark.parametrize(
        ("facts", "error"), [({"x": object()}, TypeError), ({"x": float("nan")}, ValueError)]
    )
    def test_facts_that_are_no_json_are_refused_when_queued(self, app, facts, error):
        with db.unit_of_work("write", app), pytest.raises(error):
            mail.queue_mail("host.test_mail", 7, facts, key="1")

    @pytest.mark.parametrize("address", ["", "anna", "a@b\nBcc: x@y", "a b@example.org"])
    def test_broken_address_is_refused_when_queued(self, app, address):
        with db.unit_of_work("write", app), pytest.raises(ValueError, match="not an e-mail"):
            mail.queue_mail("host.test_mail", address, FACTS, key="1")

    @pytest.mark.parametrize("key", ["", "k" * 151])
    def test_key_is_needed_and_bounded(self, app, key):
        with db.unit_of_work("write", app), pytest.raises(ValueError, match="key"):
            mail.queue_mail("host.test_mail", 7, FACTS, key=key)

    def test_unknown_template_is_refused_when_queued(self, app):
        with db.unit_of_work("write", app), pytest.raises(MailTemplateError, match="shop"):
            mail.queue_mail("shop.nothing", 7, FACTS, key="1")

    def test_urgent_mail_overtakes_others(self, app):
        urgent = mail.MailTemplate("host.urgent_mail", sample=FACTS, urgent=True)
        app.extensions[mail.EXTENSION].templates["host.urgent_mail"] = urgent
        with db.unit_of_work("write", app) as session:
            mail.queue_mail("host.test_mail", 7, FACTS, key="1")
            mail.queue_mail("host.urgent_mail", 7, FACTS, key="1")
            found = session.execute(
                text("SELECT payload->>'template' FROM torg_outbox ORDER BY priority")
            ).scalars()
            assert list(found) == ["host.urgent_mail", "host.test_mail"]


class TestSending:
    """By a real server."""

    def test_refused_mail_is_given_up_with_the_servers_words(self, make_app):
        with MailServer(refuse={"anna@example.org": "550 no such user"}) as server:
            app = make_app([], mail_url=f"smtp://localhost:{server.port}")
            queue(app)

            jobs.run_due(app)

            (row,) = rows(app)
            assert (row.state, row.attempts) == ("dead", 1)
            assert "550 no such user" in row.last_error

    def test_server_that_is_away_is_tried_again(self, make_app):
        app = make_app([], mail_url="smtp://127.0.0.1:9", mail_timeout_seconds=1)
        queue(app)

        jobs.run_due(app)

        (row,) = rows(app)
        assert (row.state, row.attempts) == ("queued", 1)
        assert row.payload["context"] == FACTS

    def test_flask_mail_sends_each_recipient_a_mail_of_his_own(self, make_app):
        with MailServer() as server:
            app = make_app([], mail_url=f"smtp://localhost:{server.port}")
            with app.app_context():
                message = flask_mail.Message(
                    "Hello", recipients=["a@example.org", "b@example.org"], body="x"
                )
                sender = app.extensions[mail.EXTENSION].sender
                with sender.record_messages() as recorded:
                    sender.send(message)

        assert [each.recipients for each in server.delivered] == [
            ["a@example.org"],
            ["b@example.org"],
        ]
        assert [str(each.message["To"]) for each in server.delivered] == [
            "a@example.org",
            "b@example.org",
        ]
        assert len(recorded) == 2


class TestTemplates:
    """What plugins bring."""

    def test_every_template_renders_in_every_language(self, app):
        assert mail.problems(app) == []

    def test_template_must_carry_its_plugins_name(self, app):
        with pytest.raises(MailTemplateError, match="must start with"):
            mail.register(app, "shop", mail.MailTemplate("auction.outbid", sample={}))

    def test_withdrawn_plugin_takes_its_mails_along(self, app):
        mail.withdraw(app, "host")

        assert mail.templates(app) == {}


class TestPages:
    """The developer's pages."""

    def test_caught_mails_are_listed_newest_first_and_can_be_read(self, app, box, run):
        for number in range(2):
            queue(app, f"p{number}@example.org")
            run()

        listing = app.test_client().get("/dev/mail").text
        shown = app.test_client().get(f"/dev/mail/{box.last().name}").text

        assert listing.index("p1@example.org") < listing.index("p0@example.org")
        assert "A test of mail from Torg" in shown
        assert 'sandbox="allow-popups' in shown
        assert "482913" in shown

    def test_programs_read_caught_mail_as_json(self, app, run):
        queue(app, 7)
        queue(app, 8)
        run()

        answer = app.test_client().get("/dev/mail.json?to=anna@example.org").get_json()

        (item,) = answer["items"]
        assert item["to"] == "anna@example.org"
        assert "482913" in item["text"]

    def test_mail_is_framed_so_that_it_can_run_and_reach_nothing(self, app, box, run):
        queue(app)
        run()

        answer = app.test_client().get(f"/dev/mail/{box.last().name}/body")

        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "sandbox" in policy
        assert "script-src" not in policy
        assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"

    @pytest.mark.parametrize("locale", ["en", "ru"])
    @pytest.mark.parametrize("width", ["phone", "desktop"])
    def test_every_template_is_previewed_with_its_sample(self, app, locale, width):
        client = app.test_client()

        overview = client.get("/dev/mails").text
        page = client.get(f"/dev/mails/host/test_mail?locale={locale}&width={width}")
        body = client.get(f"/dev/mails/host/test_mail/body?locale={locale}")

        assert "host.test_mail" in overview
        assert page.status_code == body.status_code == 200
        assert "482913" in body.text
        assert f'class="{width}"' in page.text

    def test_pages_run_no_script_and_load_nothing_from_elsewhere(self, app, run):
        queue(app)
        run()

        for address in ("/dev/mail", "/dev/mails", "/dev/mails/host/test_mail"):
            answer = app.test_client().get(address)
            assert "<script" not in answer.text
            assert "style=" not in answer.text
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert app.test_client().get("/dev/style.css").mimetype == "text/css"

    @pytest.mark.parametrize(
        "address",
        [
            "/dev/mail/" + "0" * 32,
            "/dev/mail/..%2F..%2Fetc%2Fpasswd",
            "/dev/mails/host/nothing",
            "/dev/mails/host/test_mail?locale=xx",
        ],
    )
    def test_what_is_not_there_is_not_found(self, app, address):
        assert app.test_client().get(address).status_code == 404

    def test_production_has_none_of_these_pages(self, make_app):
        app = make_app([], debug=False, secret_key="n3Vw-8sTq0ZpLr7Yc2Xk5Bm9Hd4Jf6Ga")

        addresses = ["/dev/mail", "/dev/mail.json", "/dev/mails", "/dev/mails/host/test_mail"]
        assert {app.test_client().get(each).status_code for each in addresses} == {404}
