"""Cells of exchanged tables: no text that came from people may act as a formula.

Pure. Source: OWASP, CSV Injection.
"""

import re

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
# XML 1.0 has no form for these.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NAME = re.compile(r"(?:[^|\\]|\\.|\\$)+", re.DOTALL)
_ESCAPED = re.compile(r"\\([|\\])")
_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def harmless(text: str) -> str:
    """A text that a spreadsheet shows and does not compute."""
    # Also what looks as if it had been made harmless before, or `original` would change it.
    return f"'{text}" if text.lstrip("'").startswith(_STARTS) else text


def original(text: str) -> str:
    """What `harmless` was given."""
    return text[1:] if text[:1] == "'" and text.lstrip("'").startswith(_STARTS) else text


def names(text: str) -> list[str]:
    r"""The names that a cell holds: `new|loud`; in a name `|` is written `\|` and `\` is `\\`."""
    found = (_ESCAPED.sub(r"\1", each).strip() for each in _NAME.findall(text))
    return [each for each in found if each]


def xml(text: str) -> str:
    """The text as the content of an XML element."""
    return _UNWRITABLE.sub("", text).translate(_MARKUP)
