"""Reads the mails that the file transport has written, newest first.

Used by the page `/dev/mail` and by tests; it knows files and nothing of sending.
"""

from __future__ import annotations

import email
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default as modern
from pathlib import Path

_NAME = re.compile(r"[0-9a-f]{32}")
# A folder of a long demo may hold many; pages need the newest.
LISTED = 200


@dataclass(frozen=True, slots=True)
class CaughtMail:
    """One mail as a reader would see it. `name` is that of its file, without ending."""

    name: str
    caught_at: datetime
    sender: str
    to: str
    subject: str
    text: str
    html: str
    message_id: str
    language: str
    raw: bytes

    @property
    def address(self) -> str:
        """The bare address of the recipient."""
        return self.to.rsplit("<", 1)[-1].rstrip(">").strip()


def read(folder: Path, name: str) -> CaughtMail | None:
    """One mail by its name; None when there is none, whatever the name is made of."""
    if not _NAME.fullmatch(name):
        return None
    path = folder / f"{name}.eml"
    try:
        raw = path.read_bytes()
        caught_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        return None
    message = email.message_from_bytes(raw, policy=modern)
    return CaughtMail(
        name=name,
        caught_at=caught_at,
        sender=str(message["From"] or ""),
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        message_id=str(message["Message-ID"] or ""),
        language=str(message["Content-Language"] or ""),
        raw=raw,
    )


def newest_first(folder: Path, limit: int = LISTED) -> Iterator[CaughtMail]:
    """The caught mails of a folder."""
    if not folder.is_dir():
        return
    aged = []
    for path in folder.glob("*.eml"):
        try:
            aged.append((path.stat().st_mtime_ns, path.stem))
        except FileNotFoundError:
            continue
    for _, name in sorted(aged, reverse=True)[:limit]:
        mail = read(folder, name)
        if mail is not None:
            yield mail


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part is not None else ""
