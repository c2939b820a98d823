"""From words and addresses to a message as it travels: headers, encodings, identity.

Pure; nothing here knows templates, servers or the application. Line breaks in headers and broken
addresses are refused, never repaired.
"""

from __future__ import annotations

import hashlib
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import formatdate, parseaddr
from typing import Any

import flask_mail


class _Policy(EmailPolicy):
    """The standard library's, except for long headers in other letters.

    Where the library breaks such a line between two encoded words it loses the space that stood
    there, so a Russian subject arrives with two words grown together. `Header`, its older encoder,
    keeps it.
    """

    def fold(self, name: str, value: Any) -> str:
        if self.utf8 or value.isascii():
            plain: str = super().fold(name, value)
            return plain
        addresses = getattr(value, "addresses", None)
        if addresses is None:
            words = self._encoded(str(value), name)
        else:
            words = ", ".join(
                f"{self._encoded(each.display_name, name)} <{each.addr_spec}>" for each in addresses
            )
        return f"{name}: {words}{self.linesep}"

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self.fold(name, value).encode("utf-8" if self.utf8 else "ascii", "surrogateescape")

    def _encoded(self, text: str, name: str) -> str:
        return Header(text, "utf-8", header_name=name).encode(linesep=self.linesep)


# Seven-bit bodies pass every server, also one without 8BITMIME.
_POLICY = _Policy(linesep="\r\n", cte_type="7bit")


def as_email(message: flask_mail.Message) -> EmailMessage:
    """A Flask-Mail message as the standard library's, which refuses line breaks in headers.

    Raises:
        ValueError: a header holds a line break, or an address is none.
    """
    finished = EmailMessage(_POLICY)
    finished["Subject"] = message.subject
    finished["From"] = address(message.sender)
    finished["To"] = [address(recipient) for recipient in message.recipients]
    finished["Date"] = formatdate(message.date, usegmt=True)
    finished["Message-ID"] = message.msgId
    if message.reply_to:
        finished["Reply-To"] = address(message.reply_to)
    for name, value in (message.extra_headers or {}).items():
        finished[name] = value
    finished.set_content(message.body or "")
    if message.html:
        finished.add_alternative(message.html, subtype="html")
    for attachment in message.attachments:
        kind, _, subtype = attachment.content_type.partition("/")
        data = attachment.data
        content = data.encode() if isinstance(data, str) else data
        finished.add_attachment(
            content, maintype=kind, subtype=subtype, filename=attachment.filename
        )
    return finished


def address(given: str | tuple[str, str]) -> Address:
    """An address with its name; a domain in other letters becomes ASCII (IDNA).

    Raises:
        ValueError: it is no address, or holds a line break or a space.
    """
    # Looked at before parsing, which drops line breaks silently.
    whole = given if isinstance(given, str) else "".join(given)
    if any(ord(character) < 32 or ord(character) == 127 for character in whole):
        raise ValueError("not an e-mail address")
    name, bare = parseaddr(given) if isinstance(given, str) else given
    local, at, domain = bare.rpartition("@")
    if not (at and local and domain) or any(character.isspace() for character in bare):
        raise ValueError("not an e-mail address")
    try:
        ascii_domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError("not an e-mail address") from None
    return Address(display_name=name, username=local, domain=ascii_domain)


def message_id(key: str, mail_from: str) -> str:
    """The same for the same key, so that a mail sent twice is shown once."""
    domain = address(mail_from).domain
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{domain}>"
