"""Cells of exchanged tables: no text that came from people may act as a formula.

Pure. Source: OWASP, CSV Injection.
"""

import re

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
# XML 1.0 has no form for these.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def harmless(text: str) -> str:
    """A text that a spreadsheet shows and does not compute."""
    return f"'{text}" if text.startswith(_STARTS) else text


def original(text: str) -> str:
    """What `harmless` was given."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(_STARTS) else text


def xml(text: str) -> str:
    """The text as the content of an XML element."""
    return _UNWRITABLE.sub("", text).translate(_MARKUP)
