"""One-time codes that prove a mailbox: six digits to type, beside a signed link.

A code is computed from the deployment's key and the row it belongs to, so that it need not be
written down anywhere while its mail waits to be sent; the row keeps only a keyed hash.
"""

import hmac
from enum import StrEnum

DIGITS = 6
CODE_USE = "one-time code"


class Purpose(StrEnum):
    """What a code is for. One of one purpose never works for another."""

    CONFIRM_EMAIL = "confirm_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - the name of a purpose
    RESET_BY_PHONE = "reset_by_phone"
    CHANGE_USERNAME = "change_username"
    CHANGE_EMAIL = "change_email"
    CHANGE_PHONE = "change_phone"
    CHANGE_PASSWORD = "change_password"  # noqa: S105 - the name of a purpose


def link_use(purpose: Purpose) -> str:
    """The use of the keys that sign links of a purpose: one never works for another."""
    return f"link {purpose.value}"


def code_of(key: bytes, purpose: Purpose, user_id: int, nonce: str) -> str:
    """The six digits that are mailed.

    Args:
        key: 32 bytes or more, known to this deployment alone.
        purpose: see there.
        user_id: the account.
        nonce: at least 128 random bits, new for each code.
    """
    number = int.from_bytes(_mac(key, "code", purpose, str(user_id), nonce)[:16], "big")
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def hash_of(key: bytes, purpose: Purpose, user_id: int, nonce: str, code: str) -> str:
    """What the database keeps of a code: without the key, trying all codes finds nothing."""
    return _mac(key, "hash", purpose, str(user_id), nonce, code).hex()


def is_same(one: str, other: str) -> bool:
    """Whether two hashes are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def _mac(key: bytes, *parts: str) -> bytes:
    # Lengths in front keep ("ab", "c") and ("a", "bc") apart.
    message = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
    return hmac.digest(key, message, "sha256")
