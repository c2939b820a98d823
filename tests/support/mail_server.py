"""A real mail server for tests, on a free port, that remembers what it was told."""

from __future__ import annotations

import asyncio
import ssl
import threading
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope

CERTIFICATES = Path(__file__).parent / "certificates"
AUTHORITY = CERTIFICATES / "authority.pem"


@dataclass
class Delivered:
    """One accepted mail."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    raw: bytes


@dataclass
class MailServer:
    """Starts on entering, ends on leaving.

    Attributes:
        certificate: "localhost" or "stranger" offers STARTTLS (or speaks TLS at once).
        implicit_tls: speak TLS from the first byte.
        refuse: answer to RCPT by address.
        data_answer: answer to DATA instead of accepting.
        unicode_addresses: whether SMTPUTF8 is offered.
    """

    certificate: str | None = None
    implicit_tls: bool = False
    refuse: dict[str, str] = field(default_factory=dict)
    data_answer: str | None = None
    unicode_addresses: bool = False
    delivered: list[Delivered] = field(default_factory=list)
    passwords: list[bytes] = field(default_factory=list)
    port: int = 0

    def __enter__(self) -> MailServer:
        started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        if not started.wait(30):
            raise RuntimeError("the mail server did not start")
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        tls = self._tls()
        server = self._loop.run_until_complete(
            self._loop.create_server(
                lambda: self._session(None if self.implicit_tls else tls),
                "127.0.0.1",
                0,
                ssl=tls if self.implicit_tls else None,
            )
        )
        self.port = server.sockets[0].getsockname()[1]
        self._loop.call_soon(started.set)
        try:
            self._loop.run_forever()
        finally:
            server.close()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0.05))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def _session(self, tls: ssl.SSLContext | None) -> SMTP:
        return SMTP(
            self,
            enable_SMTPUTF8=self.unicode_addresses,
            tls_context=tls,
            authenticator=self._authenticate,
            # A password sent in the clear must be seen by the test, not refused by the server.
            auth_require_tls=False,
            hostname="mail.example",
            loop=self._loop,
        )

    def _tls(self) -> ssl.SSLContext | None:
        if self.certificate is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(CERTIFICATES / f"{self.certificate}.pem")
        return context

    def _authenticate(
        self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any
    ) -> AuthResult:
        self.passwords.append(data.password)
        return AuthResult(success=data.password == b"right", handled=False)

    async def handle_RCPT(  # noqa: N802 - the name is the library's
        self, _server: SMTP, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Refuse whom the test wants refused."""
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - the name is the library's
        self, _server: SMTP, _session: Any, envelope: Envelope
    ) -> str:
        """Keep the mail."""
        if self.data_answer is not None:
            return self.data_answer
        raw = bytes(envelope.content or b"")
        message = message_from_bytes(raw, policy=modern)
        self.delivered.append(
            Delivered(str(envelope.mail_from), list(envelope.rcpt_tos), message, raw)
        )
        return "250 OK"
