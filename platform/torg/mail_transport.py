"""How a finished mail leaves: by a mail server, into files, or onto the console.

Owns connections, their time limits and the trust in servers. Building mails is `torg.mail`'s;
reading the caught ones is `torg.caught_mail`'s. Each mail has exactly one recipient, so that one
refused address never hides behind another that was accepted.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import smtplib
import ssl
import sys
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from torg.config_host import is_loopback

PARAMETERS = frozenset({"starttls", "ca_file"})


class MailError(Exception):
    """A mail could not be handed over; trying again later may help."""


class MailRefusedError(MailError):
    """The server will not take this mail for this recipient, now or later."""


class Transport(Protocol):
    """What every way of leaving can do."""

    def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """Hand over one mail to one recipient; MailError when that fails."""

    def check(self) -> str:
        """Look whether mail could leave; a note for people. Sends nothing and signs in nowhere."""


@dataclass(frozen=True)
class SmtpTransport:
    """A mail server, spoken to under a time limit and, where asked, under verified TLS only."""

    host: str
    port: int
    username: str = ""
    password: str = ""
    tls: bool = False
    starttls: bool = False
    timeout_seconds: float = 10.0
    ca_file: str | None = None
    own_name: str | None = None

    def __repr__(self) -> str:
        """Without the password."""
        return f"SmtpTransport({self.host}:{self.port})"

    def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """One connection for one mail."""
        try:
            connection = self._connect()
            try:
                if self.username:
                    connection.login(self.username, self.password)
                connection.send_message(message, sender, [recipient])
            finally:
                _close(connection)
        except smtplib.SMTPRecipientsRefused as error:
            code, reply = next(iter(error.recipients.values()))
            raise _refusal(code, reply) from None
        except (smtplib.SMTPDataError, smtplib.SMTPSenderRefused) as error:
            raise _refusal(error.smtp_code, error.smtp_error) from None
        except smtplib.SMTPNotSupportedError as error:
            # Such as an address that needs SMTPUTF8, or a server without STARTTLS.
            raise MailError(f"{self.host}: {error}") from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            # From None: the frames of smtplib hold the password.
            raise MailError(f"{self.host}:{self.port}: {_words(error)}") from None

    def check(self) -> str:
        """Connect, and start TLS where that is asked for."""
        try:
            _close(self._connect())
        except (smtplib.SMTPException, OSError) as error:
            raise MailError(f"{self.host}:{self.port}: {_words(error)}") from None
        return f"{self.host}:{self.port}" + (" over TLS" if self.tls or self.starttls else "")

    def _connect(self) -> smtplib.SMTP:
        if self.tls:
            return smtplib.SMTP_SSL(
                self.host,
                self.port,
                local_hostname=self.own_name,
                timeout=self.timeout_seconds,
                context=self._trust(),
            )
        connection = smtplib.SMTP(
            self.host, self.port, local_hostname=self.own_name, timeout=self.timeout_seconds
        )
        if self.starttls:
            try:
                connection.starttls(context=self._trust())
                connection.ehlo()
            except BaseException:
                connection.close()
                raise
        return connection

    def _trust(self) -> ssl.SSLContext:
        """Certificates are verified against the system's authorities, and names compared."""
        return ssl.create_default_context(cafile=self.ca_file)


@dataclass(frozen=True)
class FileTransport:
    """Mails as `.eml` files: for the first run, development and tests. Nobody receives them."""

    folder: Path

    def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """Write the file whole; the same mail sent again replaces itself."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        identity = f"{message['Message-ID']}\n{recipient}".encode()
        name = hashlib.sha256(identity).hexdigest()[:32]
        draft = self.folder / f".{name}.{secrets.token_hex(4)}"
        try:
            # An address in other letters can only be written as UTF-8 (RFC 6532).
            policy: Any = message.policy
            unicode = not recipient.isascii()
            draft.write_bytes(message.as_bytes(policy=policy.clone(utf8=unicode)))
            draft.replace(self.folder / f"{name}.eml")
        except OSError as error:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise MailError(f"{self.folder}: {error.strerror}") from error

    def check(self) -> str:
        """The folder can be written, or made."""
        present = self.folder
        while not present.exists():
            present = present.parent
        if not os.access(present, os.W_OK):
            raise MailError(f"{present} cannot be written")
        return f"files in {self.folder}"


@dataclass(frozen=True)
class ConsoleTransport:
    """Mails on standard error, as text."""

    def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """Print head and text part."""
        text = message.get_body(("plain",))
        body = text.get_content() if text is not None else ""
        heading = f"To: {recipient}\nSubject: {message['Subject']}"
        print(f"--- mail ---\n{heading}\n\n{body.rstrip()}\n--- end ---", file=sys.stderr)

    def check(self) -> str:
        """There is always a console."""
        return "console"


def open_transport(
    url: str, timeout_seconds: float = 10.0, own_name: str | None = None
) -> Transport:
    """The transport of a mail URL.

    Args:
        url: `smtp://user:password@host:587?starttls=1`, `smtps://…`, `file:///folder`, `console:`.
            `ca_file=/path` names the authority of a private mail server.
        timeout_seconds: longest wait for each answer of a server.
        own_name: how to introduce oneself to the server.

    Raises:
        ValueError: the URL cannot be used; the message says why and holds no password.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return FileTransport(Path(unquote(parts.path)))
    if parts.scheme == "console":
        return ConsoleTransport()
    if parts.scheme not in ("smtp", "smtps"):
        raise ValueError("mail goes by smtp, smtps, file or console")
    query = parse_qs(parts.query)
    unknown = sorted(set(query) - PARAMETERS)
    if unknown:
        raise ValueError(f"mail address has unknown parameters: {', '.join(unknown)}")
    tls = parts.scheme == "smtps"
    starttls = query.get("starttls", ["0"])[0].lower() in {"1", "true", "yes"}
    host = parts.hostname or ""
    if parts.password and not (tls or starttls or is_loopback(host)):
        raise ValueError("a password must not travel in the clear: add ?starttls=1 or use smtps://")
    return SmtpTransport(
        host=host,
        port=parts.port or (465 if tls else 587 if starttls else 25),
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls=tls,
        starttls=starttls,
        timeout_seconds=timeout_seconds,
        ca_file=query.get("ca_file", [None])[0],
        own_name=own_name,
    )


def _close(connection: smtplib.SMTP) -> None:
    """Say goodbye without waiting for an answer.

    The mail is accepted already, and until the job has committed a crash would send it again.
    """
    with suppress(smtplib.SMTPException, OSError):
        connection.putcmd("quit")
    connection.close()


def _refusal(code: int, reply: bytes | str) -> MailError:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    message = f"the mail server answered {code} {text}".strip()
    # RFC 5321, 4.2.1: 5xx is for good, 4xx may pass.
    return MailRefusedError(message) if 500 <= code < 600 else MailError(message)


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        reply = error.smtp_error
        text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
        return f"{type(error).__name__}: {error.smtp_code} {text}"
    return f"{type(error).__name__}: {error}"
