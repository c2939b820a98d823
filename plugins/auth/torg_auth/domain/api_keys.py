"""The form of an API key, and which scopes one may hand to a program."""

import secrets
from collections.abc import Collection, Iterable

MARK = "torg_"
# Enough of a key to tell it from others in a list, too little to be of use.
PREFIX_LENGTH = len(MARK) + 8
DAYS = (1, 366)
DEFAULT_DAYS = 90
MOST_KEYS = 20


def new_key() -> str:
    """A key: 256 random bits behind a mark by which scanners of leaked secrets know it."""
    return MARK + secrets.token_urlsafe(32)


def prefix_of(key: str) -> str:
    """What may be shown of a key for good."""
    return key[:PREFIX_LENGTH]


def foreign_scopes(wanted: Iterable[str], own: Collection[str]) -> list[str]:
    """The scopes that somebody with these permissions cannot hand on, sorted."""
    return sorted(set(wanted) - set(own))
