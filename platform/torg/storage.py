"""Files that users bring or that jobs make: stored under generated keys, linked for a while.

Owns the port `Storage`, its choice by `TORG_STORAGE_URL`, the adapter for disks and signed links.
What a file may be (an image of 512 pixels, a table of prices) is decided by those who store it.
Nothing a client sends becomes part of a path: keys are made here and checked before each use.

A file is written before its row is committed and removed after: put, then commit; to remove one,
`db.after_commit(lambda: storage.delete(key))`. A rolled-back change may leave a file without a
row, never a row without a file.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlencode, urlsplit

import flask
from flask import current_app

from torg import config
from torg.errors import GoneError, NotFoundError

EXTENSION = "torg.storage"
LINK_SECONDS = 3600

_AREA = re.compile(r"[a-z][a-z0-9_]{0,29}(\.[a-z][a-z0-9_]{0,29})?")
_KEY = re.compile(r"[a-z][a-z0-9_.]{0,59}/[0-9a-f]{2}/[0-9a-f]{32}")
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
# Shown in the browser itself; anything else is only ever downloaded.
_SHOWN = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif", "text/plain"})


def is_key(text: str) -> bool:
    """Whether a text is of the form that `put` makes; nothing else is ever looked up."""
    return _KEY.fullmatch(text) is not None and ".." not in text


class FileMissingError(NotFoundError):
    """There is no such file, or it was removed."""

    code = "file_not_found"
    title = "No such file"
    detail = "There is no such file."


class LinkExpiredError(GoneError):
    """Links to files live for a while only: ask for the resource again, its link is fresh."""

    code = "link_expired"
    title = "Link expired"
    detail = "This link has expired. Read the resource again for a fresh one."


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file with what was said about it when it was put."""

    key: str
    content: bytes
    content_type: str


class Storage(Protocol):
    """What every adapter can do. Keys are those that `put` returned, nothing else."""

    def put(self, content: bytes, content_type: str, area: str) -> str:
        """Keep a file and return its key; it is there whole or not at all."""

    def get(self, key: str) -> StoredFile:
        """Fetch a file; FileMissingError when there is none."""

    def delete(self, key: str) -> None:
        """Remove a file; one that is gone already is no error."""

    def link(self, key: str, seconds: int) -> str | None:
        """A link that the storage itself serves for so long, or None: the host serves it."""

    def check(self) -> str:
        """Write, read and remove a small file; a note for people. Raises what goes wrong."""


class DiskStorage:
    """Files in a folder: `<area>/<2 hex>/<32 hex>`, each with its description beside it."""

    def __init__(self, folder: Path) -> None:
        """Use this folder; it is made when the first file comes."""
        self._folder = folder

    def put(self, content: bytes, content_type: str, area: str) -> str:
        """Write the description, then the content under a draft name, then rename it."""
        name = secrets.token_hex(16)
        key = f"{area}/{name[:2]}/{name}"
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        described = {
            "content_type": content_type,
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        _write_whole(path.with_name(f"{name}.json"), json.dumps(described).encode())
        _write_whole(path, content)
        return key

    def get(self, key: str) -> StoredFile:
        """Read content and description."""
        path = self._path(key)
        try:
            described = json.loads(path.with_name(f"{path.name}.json").read_bytes())
            return StoredFile(key, path.read_bytes(), described["content_type"])
        except FileNotFoundError:
            raise FileMissingError(key=key) from None

    def delete(self, key: str) -> None:
        """Remove content first: without it there is no file."""
        path = self._path(key)
        path.unlink(missing_ok=True)
        path.with_name(f"{path.name}.json").unlink(missing_ok=True)

    def link(self, key: str, seconds: int) -> str | None:
        """A disk serves nothing by itself."""
        return None

    def check(self) -> str:
        """The same round trip that a real file makes."""
        key = self.put(b"torg", "text/plain", "health")
        try:
            if self.get(key).content != b"torg":
                raise OSError("a file read back differs from what was written")
        finally:
            self.delete(key)
        return f"disk {self._folder}"

    def _path(self, key: str) -> Path:
        if not is_key(key):
            raise FileMissingError(key=key)
        return self._folder / key


def _bucket(url: str) -> Storage:
    # Its client library is large and an extra of its own.
    from torg.storage_s3 import BucketStorage

    return BucketStorage(url)


# Further schemes are further entries: a function from the URL to an adapter.
ADAPTERS: dict[str, Callable[[str], Storage]] = {
    "file": lambda url: DiskStorage(Path(unquote(urlsplit(url).path))),
    "s3": _bucket,
}


def open_storage(url: str) -> Storage:
    """The adapter of a storage URL.

    Raises:
        ValueError: no adapter knows the scheme; the message names those there are.
    """
    scheme = urlsplit(url).scheme
    if scheme not in ADAPTERS:
        raise ValueError(f"storage {scheme!r} is unknown; there are: {', '.join(sorted(ADAPTERS))}")
    return ADAPTERS[scheme](url)


def init(app: flask.Flask) -> None:
    """Open the storage of the settings and serve its links below `/files/`."""
    app.extensions[EXTENSION] = open_storage(config.of(app).host.storage_url)
    app.add_url_rule("/files/<path:key>", "torg_file", _serve, methods=["GET"])


def current() -> Storage:
    """The storage of the current application."""
    found: Storage = current_app.extensions[EXTENSION]
    return found


def put(content: bytes, content_type: str, area: str) -> str:
    """Keep a file and return its generated key, to be stored in the row that owns it.

    Args:
        content: the whole file.
        content_type: its media type as the caller has established it, never as a client says.
        area: the plugin's name, or `<plugin>.<what>`, such as "auth.avatar".

    Raises:
        ValueError: `content_type` or `area` is malformed.
    """
    if not _TYPE.fullmatch(content_type):
        raise ValueError(f"{content_type!r} is no media type")
    if not _AREA.fullmatch(area):
        raise ValueError(f"{area!r} is no area: use the plugin's name, or plugin.what")
    return current().put(content, content_type, area)


def get(key: str) -> StoredFile:
    """Fetch a file by its key.

    Raises:
        FileMissingError: there is none.
    """
    return current().get(key)


def delete(key: str) -> None:
    """Remove a file; harmless when it is gone. Call it after the commit."""
    current().delete(key)


@dataclass(frozen=True, slots=True)
class UploadLink:
    """Where a client may send one file himself: a form of `fields`, then the field `file`."""

    key: str
    url: str
    fields: dict[str, str]


def upload_link(
    area: str, content_type: str, most_bytes: int, seconds: int = LINK_SECONDS
) -> UploadLink | None:
    """A link for one upload past the host; None where the storage takes none.

    What arrives is what a stranger sent: fetch it by its key and check it before it is shown.
    """
    make = getattr(current(), "upload_link", None)
    return None if make is None else UploadLink(*make(area, content_type, most_bytes, seconds))


def url(key: str, seconds: int = LINK_SECONDS) -> str:
    """A link to a file that works for `seconds` to twice as long, without signing in.

    The end is rounded up, so that a list shows the same link for a while and browsers can keep
    the file.
    """
    return linker(seconds)(key)


def linker(seconds: int = LINK_SECONDS) -> Callable[[str], str]:
    """`url` for many keys of one answer: what is the same for all of them is looked up once."""
    storage, host = current(), config.settings().host
    until = (int(time.time()) // seconds + 2) * seconds
    signed = partial(_signed, host.base_url, host.secret_key.get_secret_value(), until)
    if isinstance(storage, DiskStorage):
        return signed
    return lambda key: storage.link(key, seconds) or signed(key)


# A list shows the same pictures again and again; their links stay the same for a while.
@lru_cache(maxsize=16384)
def _signed(base_url: str, secret: str, until: int, key: str) -> str:
    query = urlencode({"until": until, "signature": _sign(secret, key, until)})
    return f"{base_url}/files/{key}?{query}"


def _sign(secret: str, key: str, until: int) -> str:
    # A purpose of its own, so that no other signature made with the same key fits here.
    message = f"torg.storage.link\n{key}\n{until}".encode()
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def _is_signed(key: str, until: int, signature: str) -> bool:
    host = config.settings().host
    accepted = (host.secret_key, *host.secret_key_fallbacks)
    given = signature.encode("utf-8", "surrogateescape")
    matches = [
        hmac.compare_digest(_sign(secret.get_secret_value(), key, until).encode(), given)
        for secret in accepted
    ]
    return any(matches)


def _serve(key: str) -> flask.Response:
    until = flask.request.args.get("until", type=int) or 0
    if not _is_signed(key, until, flask.request.args.get("signature", "")):
        raise FileMissingError(key=key)
    if until < time.time():
        raise LinkExpiredError(key=key)
    return response(get(key), private_seconds=max(1, int(until - time.time())))


def response(file: StoredFile, private_seconds: int = 0) -> flask.Response:
    """An answer with the file that no browser can be led to run as a page."""
    shown = file.content_type in _SHOWN
    answer = flask.Response(file.content, content_type=file.content_type)
    name = file.key.rsplit("/", 1)[-1]
    disposition: Any = "inline" if shown else "attachment"
    answer.headers.set("Content-Disposition", disposition, filename=name)
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    cached = f"private, max-age={private_seconds}, immutable" if private_seconds else "no-store"
    answer.headers["Cache-Control"] = cached
    return answer


def _write_whole(path: Path, content: bytes) -> None:
    """Write under a draft name and rename, so that nobody ever reads half a file."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.draft")
    try:
        with draft.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
