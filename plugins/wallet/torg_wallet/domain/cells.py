"""Cells of exported tables: no text that came from people may act as a formula.

Pure. Source: OWASP, CSV Injection.
"""

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def harmless(text: str) -> str:
    """A text that a spreadsheet shows and does not compute."""
    return f"'{text}" if text.startswith(_STARTS) else text
