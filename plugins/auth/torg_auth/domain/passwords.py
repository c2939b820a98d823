"""Which passwords are accepted (NIST SP 800-63B-4, 3.1.1.2; OWASP ASVS 5.0, 6.2).

Length and a list of common ones decide; kinds of characters do not. Hashing is a service's.
"""

import unicodedata
from collections.abc import Container, Iterable
from enum import StrEnum

SHORTEST = 10
LONGEST = 128


class Weakness(StrEnum):
    """Why a password is refused."""

    TOO_SHORT = "password_too_short"
    TOO_LONG = "password_too_long"
    COMMON = "password_common"
    OWN_NAME = "password_is_own_name"


def normalised(password: str) -> str:
    """The same password however a keyboard composed its letters (Unicode NFKC)."""
    return unicodedata.normalize("NFKC", password)


def weakness(
    password: str, common: Container[str], own_names: Iterable[str] = ()
) -> Weakness | None:
    """What is wrong with a password, or None.

    Args:
        password: as normalised; counted in Unicode code points.
        common: refused passwords in lower case.
        own_names: username and e-mail address, which the password must not simply be.
    """
    if len(password) < SHORTEST:
        return Weakness.TOO_SHORT
    if len(password) > LONGEST:
        return Weakness.TOO_LONG
    lowered = password.lower()
    if lowered in common:
        return Weakness.COMMON
    if any(lowered in _forms(name.lower()) for name in own_names):
        return Weakness.OWN_NAME
    return None


def _forms(name: str) -> tuple[str, ...]:
    return (name, name.partition("@")[0], name * 2)
