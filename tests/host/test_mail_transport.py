"""Mail leaves by a real server: verified TLS, time limits, refusals, foreign letters."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import traceback

import flask_mail
import pytest
from mail_server import AUTHORITY, MailServer

from torg import caught_mail
from torg.mail_building import address, as_email, message_id
from torg.mail_transport import MailError, MailRefusedError, open_transport

PASSWORD = "canary-right-password"


@pytest.fixture
def serve():
    """Starts mail servers that end with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(MailServer(**options))


def letter(recipient="anna@example.org", subject="Hello", body="Text", **rest):
    message = flask_mail.Message(
        subject=subject,
        recipients=[recipient],
        body=body,
        html="<p>Text</p>",
        sender="Торг <torg@example.org>",
        **rest,
    )
    return as_email(message)


def send(transport, message=None, recipient="anna@example.org"):
    transport.send(message or letter(recipient), "torg@example.org", recipient)


def smtp(server, user="", query="", scheme="smtp", host="localhost", timeout_seconds=10.0):
    url = f"{scheme}://{user}{host}:{server.port}{query}"
    return open_transport(url, timeout_seconds)


class TestDelivery:
    """What arrives."""

    def test_mail_arrives_with_text_and_html_for_its_one_recipient(self, serve):
        server = serve()

        send(smtp(server))

        (delivered,) = server.delivered
        assert (delivered.sender, delivered.recipients) == (
            "torg@example.org",
            ["anna@example.org"],
        )
        assert delivered.message.get_body(("plain",)).get_content().strip() == "Text"
        assert delivered.message.get_body(("html",)).get_content().strip() == "<p>Text</p>"

    def test_foreign_letters_arrive_in_names_subject_and_body(self, serve):
        server = serve()
        message = letter(
            ("Анна Ёжикова, «Торг» <x>", "anna@example.org"),
            subject="Вашу ставку перебили — “ÄÖ” 🔔" * 4,
            body="Привет, Zoë! " * 200,
        )

        send(smtp(server), message)

        got = server.delivered[0].message
        assert got["To"].addresses[0].display_name == "Анна Ёжикова, «Торг» <x>"
        assert got["To"].addresses[0].addr_spec == "anna@example.org"
        assert got["From"].addresses[0].display_name == "Торг"
        assert got["Subject"] == "Вашу ставку перебили — “ÄÖ” 🔔" * 4
        assert got.get_body(("plain",)).get_content().strip() == ("Привет, Zoë! " * 200).strip()
        server.delivered[0].raw.decode("ascii")
        assert max(map(len, server.delivered[0].raw.splitlines())) <= 998

    def test_domain_in_other_letters_is_written_in_ascii(self, serve):
        server = serve()
        recipient = address("anna@почта.рф")

        send(smtp(server), letter("anna@почта.рф"), recipient.addr_spec)

        assert server.delivered[0].recipients == ["anna@xn--80a1acny.xn--p1ai"]

    def test_name_in_other_letters_needs_a_server_that_can(self, serve):
        able, unable = serve(unicode_addresses=True), serve()

        send(smtp(able), letter("анна@example.org"), "анна@example.org")

        assert able.delivered[0].recipients == ["анна@example.org"]
        with pytest.raises(MailError):
            send(smtp(unable), letter("анна@example.org"), "анна@example.org")
        assert unable.delivered == []


class TestTrust:
    """Whom the password is told."""

    @pytest.mark.parametrize(
        ("implicit", "scheme", "query"), [(False, "smtp", "?starttls=1"), (True, "smtps", "")]
    )
    def test_foreign_certificate_is_refused_before_any_password(
        self, serve, implicit, scheme, query
    ):
        server = serve(certificate="stranger", implicit_tls=implicit)

        with pytest.raises(MailError, match="CERTIFICATE_VERIFY_FAILED"):
            send(smtp(server, f"u:{PASSWORD}@", query, scheme))

        assert (server.passwords, server.delivered) == ([], [])

    def test_right_authority_with_a_wrong_name_is_refused(self, serve):
        server = serve(certificate="localhost")
        query = f"?starttls=1&ca_file={AUTHORITY}"

        with pytest.raises(MailError, match="CERTIFICATE_VERIFY_FAILED"):
            send(smtp(server, f"u:{PASSWORD}@", query, host="127.0.0.1"))

        assert server.passwords == []

    @pytest.mark.parametrize(
        ("implicit", "scheme", "query"),
        [
            (False, "smtp", f"?starttls=1&ca_file={AUTHORITY}"),
            (True, "smtps", f"?ca_file={AUTHORITY}"),
        ],
    )
    def test_trusted_server_is_told_the_password(self, serve, implicit, scheme, query):
        server = serve(certificate="localhost", implicit_tls=implicit)

        send(smtp(server, "u:right@", query, scheme))

        assert server.passwords == [b"right"]
        assert len(server.delivered) == 1

    def test_server_without_starttls_gets_nothing(self, serve):
        server = serve()

        with pytest.raises(MailError, match="STARTTLS"):
            send(smtp(server, f"u:{PASSWORD}@", "?starttls=1"))

        assert (server.passwords, server.delivered) == ([], [])

    def test_password_is_not_sent_in_the_clear_to_another_machine(self):
        with pytest.raises(ValueError, match="clear") as caught:
            open_transport(f"smtp://u:{PASSWORD}@mail.example.org")
        assert PASSWORD not in str(caught.value)

    def test_password_stands_in_no_error_and_no_text_form(self, serve):
        server = serve(certificate="localhost")
        transport = smtp(server, f"u:{PASSWORD}@", f"?starttls=1&ca_file={AUTHORITY}")

        with pytest.raises(MailError, match="535") as caught:
            send(transport)

        shown = "".join(traceback.format_exception(caught.value))
        assert PASSWORD.encode() in server.passwords
        assert PASSWORD not in shown + repr(transport) + str(transport)

    def test_misspelt_parameter_is_refused(self):
        with pytest.raises(ValueError, match="startls"):
            open_transport("smtp://mail.example.org?startls=1")


class TestTrouble:
    """What is wrong comes out as an error, and soon."""

    def test_refused_recipient_is_an_error_for_good(self, serve):
        server = serve(refuse={"anna@example.org": "550 5.1.1 no such user"})

        with pytest.raises(MailRefusedError, match=r"550 5\.1\.1 no such user"):
            send(smtp(server))

    def test_recipient_refused_for_now_may_be_tried_again(self, serve):
        server = serve(refuse={"anna@example.org": "451 greylisted"})

        with pytest.raises(MailError, match="451") as caught:
            send(smtp(server))
        assert not isinstance(caught.value, MailRefusedError)

    @pytest.mark.parametrize(
        ("answer", "kind"), [("554 looks like spam", MailRefusedError), ("452 full", MailError)]
    )
    def test_refused_content_is_an_error(self, serve, answer, kind):
        server = serve(data_answer=answer)

        with pytest.raises(MailError) as caught:
            send(smtp(server))
        assert type(caught.value) is kind

    def test_server_that_accepts_and_stays_silent_is_given_up(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            transport = open_transport(f"smtp://localhost:{silent.getsockname()[1]}", 0.3)
            started = time.monotonic()

            with pytest.raises(MailError, match=r"[Tt]ime"):
                send(transport)

        assert time.monotonic() - started < 15

    def test_server_that_falls_silent_midway_is_given_up(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def greet():
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(b"220 mail.example\r\n")
                    while connection.recv(1000):
                        pass

            threading.Thread(target=greet, daemon=True).start()
            transport = open_transport(f"smtp://127.0.0.1:{listener.getsockname()[1]}", 0.3)

            with pytest.raises(MailError, match=r"[Tt]ime"):
                send(transport)

    def test_server_that_is_away_is_an_error(self):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]

        with pytest.raises(MailError, match="refused"):
            send(open_transport(f"smtp://127.0.0.1:{port}", 2))

    def test_check_signs_in_nowhere_and_sends_nothing(self, serve):
        server = serve(certificate="localhost")
        transport = smtp(server, "u:right@", f"?starttls=1&ca_file={AUTHORITY}")

        assert "over TLS" in transport.check()
        assert (server.passwords, server.delivered) == ([], [])


class TestHeaders:
    """Headers hold what they should and nothing that was smuggled in."""

    @pytest.mark.parametrize("break_", ["\n", "\r", "\r\n", "\r\n ", "\0"])
    @pytest.mark.parametrize("place", ["subject", "name", "address", "extra"])
    def test_line_break_in_a_header_is_refused(self, break_, place):
        evil = f"x{break_}Bcc: victim@example.org"
        parts = {
            "subject": {"subject": evil},
            "name": {"recipient": (evil, "anna@example.org")},
            "address": {"recipient": f"anna@example.org{break_}Bcc: v@example.org"},
            "extra": {"extra_headers": {"X-Note": evil}},
        }
        if break_ == "\0" and place in ("subject", "extra"):
            assert "Bcc" not in letter(**parts[place])
            return

        with pytest.raises(ValueError):
            letter(**parts[place])

    @pytest.mark.parametrize(
        "given",
        ["", "anna", "@example.org", "anna@", "a b@example.org", "a@b@c d", "a@" + "x" * 70],
    )
    def test_text_that_is_no_address_is_refused(self, given):
        with pytest.raises(ValueError):
            address(given)

    def test_message_id_is_the_same_for_the_same_mail_only(self):
        first = message_id("auction.outbid:7:1", "Torg <torg@example.org>")

        assert first == message_id("auction.outbid:7:1", "Torg <torg@example.org>")
        assert first != message_id("auction.outbid:7:2", "Torg <torg@example.org>")
        assert first.endswith("@example.org>")


class TestFiles:
    """Mails kept as files."""

    def test_mail_is_kept_and_can_be_read(self, tmp_path):
        transport = open_transport((tmp_path / "mail").as_uri())

        send(transport, letter(("Анна", "anna@example.org"), subject="Код 482913"))

        (caught,) = caught_mail.newest_first(tmp_path / "mail")
        assert (caught.subject, caught.address) == ("Код 482913", "anna@example.org")
        assert caught.text.strip() == "Text"
        assert caught.html.strip() == "<p>Text</p>"

    def test_same_mail_sent_twice_is_one_file(self, tmp_path):
        transport = open_transport(tmp_path.as_uri())
        message = letter()

        send(transport, message)
        send(transport, message)

        assert len(list(caught_mail.newest_first(tmp_path))) == 1
        assert len(list(tmp_path.iterdir())) == 1

    def test_newest_comes_first_and_their_number_is_bounded(self, tmp_path):
        import os

        transport = open_transport(tmp_path.as_uri())
        for number in range(4):
            send(transport, letter(subject=str(number)))
        for path in tmp_path.glob("*.eml"):
            moment = 1_700_000_000 + int(caught_mail.read(tmp_path, path.stem).subject)
            os.utime(path, (moment, moment))

        found = [mail.subject for mail in caught_mail.newest_first(tmp_path, limit=3)]

        assert found == ["3", "2", "1"]

    @pytest.mark.parametrize("name", ["../x", "a" * 31, "A" * 32, "", "a" * 32 + "\n", "."])
    def test_name_that_was_never_given_finds_nothing(self, tmp_path, name):
        assert caught_mail.read(tmp_path, name) is None

    def test_console_shows_the_text(self, capsys):
        send(open_transport("console:"))

        assert "Text" in capsys.readouterr().err
