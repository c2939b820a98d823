"""Cells of tables: no text that came from people may act as a formula.

Pure. Source: OWASP, CSV Injection.
"""

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def harmless(text: str) -> str:
    """A text that a spreadsheet shows and does not compute; negative numbers stay numbers."""
    return f"'{text}" if text.startswith(_STARTS) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    digits = text.removeprefix("-").replace(".", "", 1)
    return digits.isascii() and digits.isdigit()
