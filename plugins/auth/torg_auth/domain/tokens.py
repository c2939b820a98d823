"""What an access token must say (RFC 8725), and the keys that sign it.

Encoding and signatures are a service's; here stands which claims make a token one of ours.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

ALGORITHM = "HS256"
ACCESS = "access"

_ID = re.compile(r"[1-9][0-9]{0,18}")
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key with the id that its tokens carry as `kid`."""

    id: str
    secret: bytes

    @classmethod
    def derived(cls, secret: str, use: str) -> "Key":
        """The key of one use, from the deployment's secret: no two uses share a key."""
        derived = hmac.digest(secret.encode(), f"torg auth {use}".encode(), "sha256")
        return cls(hashlib.sha256(derived).hexdigest()[:12], derived)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys in force: the first signs, all are accepted."""

    all: tuple[Key, ...]

    @classmethod
    def derived(cls, secrets: Iterable[str], use: str) -> "Keys":
        """The keys of one use from the present secret and its predecessors, newest first."""
        return cls(tuple(Key.derived(secret, use) for secret in secrets))

    @property
    def newest(self) -> Key:
        """The key that signs."""
        return self.all[0]

    def find(self, key_id: object) -> Key | None:
        """The accepted key of that id."""
        return next((key for key in self.all if key.id == key_id), None)


@dataclass(frozen=True, slots=True)
class Access:
    """Who an access token speaks for."""

    user_id: int
    session_id: int
    expires_at: float


def access_or_none(claims: Mapping[str, Any]) -> Access | None:
    """The meaning of the claims of a token whose signature, dates, issuer and audience are right.

    None when it is a token of another kind, or its ids are not plain positive BIGINTs.
    """
    if claims.get("typ") != ACCESS or not isinstance(claims.get("jti"), str):
        return None
    user_id, session_id = _id(claims.get("sub")), _id(claims.get("sid"))
    expires_at = claims.get("exp")
    if user_id is None or session_id is None or not isinstance(expires_at, int | float):
        return None
    return Access(user_id, session_id, float(expires_at))


def _id(value: object) -> int | None:
    # Digits are matched by hand: int() also reads " 1", "1_0" and digits of other scripts.
    if not isinstance(value, str) or not _ID.fullmatch(value):
        return None
    number = int(value)
    return number if number <= _LARGEST_ID else None
