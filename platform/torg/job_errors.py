"""What is kept of a job's error: kind, place and words, without secrets.

Owns how an exception becomes the one line in the outbox. Driver errors carry whole statements with
their values, network errors carry addresses with credentials: none of that may reach the table. The
full traceback goes to the log, which has its own guard.
"""

from __future__ import annotations

import re
import traceback
from pathlib import PurePath

from sqlalchemy.exc import DBAPIError

from torg.errors import TorgError
from torg.logs import MASK, Redaction

LONGEST = 500
_redaction = Redaction()
_QUERY = re.compile(r"(\w+://[^\s?]+)\?\S+")
# Long words that mix letters and digits are tokens, hashes and keys more often than words.
_OPAQUE = re.compile(r"(?<![\w/.-])(?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[\w+=-]{24,}(?:\.[\w+=-]+)*")


def describe_error(error: BaseException) -> str:
    """One line about an error, at most `LONGEST` characters."""
    return f"{type(error).__name__}{_place(error)}: {redacted(_text(error))}"[:LONGEST]


def redacted(words: str) -> str:
    """The words on one line, without what looks like a credential."""
    line = " ".join(words.replace("\x00", "").split())
    line = _QUERY.sub(rf"\1?{MASK}", _redaction.text(line))
    return _OPAQUE.sub(MASK, line)


def _text(error: BaseException) -> str:
    if isinstance(error, TorgError):
        return f"{error.code}: {error}"
    if isinstance(error, DBAPIError):
        # str(error) would quote the statement and every value in it.
        diagnosis = getattr(error.orig, "diag", None)
        primary = getattr(diagnosis, "message_primary", None) or type(error.orig).__name__
        return f"{primary} (SQLSTATE {getattr(error.orig, 'pgcode', None)})"
    return str(error)


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
