"""How a text message leaves: by a provider's HTTP interface, into files, or onto the console.

Owns connections, their time limits and signatures. What is written to whom is
`torg_auth.services.texts`'. A new provider is one more class with `send`, or, without touching
this plugin, a small relay that speaks the form of `HttpTexts`.
"""

import hashlib
import hmac
import http.client
import json
import socket
import ssl
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from torg.mail_transport import FileTransport

# 408 and 429 ask for patience; every other 4xx will be the same the next time.
_LATER = frozenset({408, 425, 429})
_LONGEST_ANSWER = 65_536


class TextError(Exception):
    """A message could not be handed over; trying again later may help."""


class TextRefusedError(TextError):
    """The provider will not take this message, now or later."""


@dataclass(frozen=True, slots=True)
class TextMessage:
    """One message; `id` is the same however often it is tried."""

    id: str
    phone: str
    text: str


class TextTransport(Protocol):
    """What every way of leaving can do."""

    def send(self, message: TextMessage) -> None:
        """Hand over one message; TextError when that fails."""


@dataclass(frozen=True)
class ConsoleTexts:
    """Messages on standard error."""

    def send(self, message: TextMessage) -> None:
        """Print number and text."""
        print(f"--- text message to {message.phone} ---\n{message.text}\n---", file=sys.stderr)


@dataclass(frozen=True)
class FileTexts:
    """Messages as `.eml` files, so that they are shown where caught mails are. Nobody gets them.

    The recipient stands as `<number>@sms.invalid`.
    """

    folder: Path

    def send(self, message: TextMessage) -> None:
        """Write the file; the same message sent again replaces itself."""
        written = EmailMessage()
        written["Subject"] = f"Text message to {message.phone}"
        written["From"] = "sms@sms.invalid"
        written["To"] = f"{message.phone}@sms.invalid"
        written["Message-ID"] = f"<text-{message.id}@sms.invalid>"
        written.set_content(message.text)
        FileTransport(self.folder).send(written, "sms@sms.invalid", str(written["To"]))


@dataclass(frozen=True)
class HttpTexts:
    """A provider, or a relay to one, that takes a signed JSON object by POST.

    The body is `{"id", "to", "text"}`. `Torg-Signature` is `v1=` and the hexadecimal HMAC-SHA256,
    under the shared secret, of `Torg-Timestamp` (seconds since 1970), a full stop and the body.
    `Idempotency-Key` is the message's id. 2xx means taken, 408, 425, 429 and 5xx mean later, any
    other answer means no. Redirects are not followed: the secret's address is the one configured.
    """

    url: str
    secret: bytes
    timeout_seconds: float = 5.0

    def __repr__(self) -> str:
        """Without the secret."""
        return f"HttpTexts({urlsplit(self.url).netloc})"

    def send(self, message: TextMessage) -> None:
        """One connection for one message, within the time for all of it together."""
        body = json.dumps({"id": message.id, "to": message.phone, "text": message.text}).encode()
        stamp = str(int(time.time()))
        signature = hmac.digest(self.secret, f"{stamp}.".encode() + body, hashlib.sha256).hex()
        headers = {
            "Content-Type": "application/json",
            "Torg-Timestamp": stamp,
            "Torg-Signature": f"v1={signature}",
            "Idempotency-Key": message.id,
        }
        try:
            status = self._post(body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise TextError(f"{self!r}: {type(error).__name__}") from None
        if 200 <= status < 300:
            return
        problem = f"{self!r} answered {status}"
        if status in _LATER or status >= 500:
            raise TextError(problem)
        raise TextRefusedError(problem)

    def _post(self, body: bytes, headers: dict[str, str]) -> int:
        parts = urlsplit(self.url)
        connection = self._connection()
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # The library's time limit starts anew with every byte; this one does not.
        late = threading.Event()
        watchdog = threading.Timer(self.timeout_seconds, _cut, [connection, late])
        watchdog.daemon = True
        watchdog.start()
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            answer.read(_LONGEST_ANSWER)
            # Half an answer is none; the id lets the provider know the message when it comes again.
            if late.is_set():
                raise TimeoutError(self.timeout_seconds)
            return answer.status
        finally:
            watchdog.cancel()
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            return http.client.HTTPSConnection(
                host,
                parts.port,
                timeout=self.timeout_seconds,
                context=ssl.create_default_context(),
            )
        return http.client.HTTPConnection(host, parts.port, timeout=self.timeout_seconds)


def _cut(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    late.set()
    opened = connection.sock
    if opened is not None:
        with suppress(OSError):
            opened.shutdown(socket.SHUT_RDWR)


def open_transport(url: str, secret: str, timeout_seconds: float, mail_url: str) -> TextTransport:
    """The transport of the setting `sms_url`, which has been checked already.

    Args:
        url: `https://…`, `file:///folder`, `console:` or empty.
        secret: signs what is posted.
        timeout_seconds: for one whole call.
        mail_url: the host's; an empty `url` follows it into its folder.
    """
    if url.startswith("http"):
        return HttpTexts(url, secret.encode(), timeout_seconds)
    chosen = url or mail_url
    if chosen.startswith("file:"):
        return FileTexts(Path(unquote(urlsplit(chosen).path)))
    return ConsoleTexts()
