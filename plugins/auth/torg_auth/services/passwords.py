"""Hashing and checking passwords with argon2id, and the list of common ones.

Which passwords are acceptable is `torg_auth.domain.passwords`' rule.
"""

import secrets
from functools import lru_cache
from importlib import resources
from threading import BoundedSemaphore

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from torg.config import plugin_settings
from torg.i18n import gettext
from torg_auth.domain.passwords import LONGEST, SHORTEST, Weakness, normalised, weakness
from torg_auth.errors import PasswordRefusedError
from torg_auth.settings import AuthSettings

_EXPLANATIONS = {
    Weakness.TOO_SHORT: "It has fewer than {shortest} characters.",
    Weakness.TOO_LONG: "It has more than {longest} characters.",
    Weakness.COMMON: "It is among the most used passwords.",
    Weakness.OWN_NAME: "It is your own name or address.",
}


class Hasher:
    """argon2id with the parameters of the deployment, a few at once.

    Each check takes its memory and a core for tens of milliseconds, so a burst of sign-ins waits
    here instead of exhausting the machine.
    """

    def __init__(self, memory_kib: int, passes: int, parallel: int) -> None:
        self._argon2 = PasswordHasher(
            time_cost=passes, memory_cost=memory_kib, parallelism=1, type=Type.ID
        )
        self._turn = BoundedSemaphore(parallel)
        self._nobody = self.hash(secrets.token_urlsafe(16))

    def hash(self, password: str) -> str:
        """The hash to keep, with its own random salt and parameters inside."""
        with self._turn:
            return self._argon2.hash(normalised(password))

    def verify(self, kept: str | None, password: str) -> bool:
        """Whether this is the password. None (no such account) costs the same work and is False."""
        with self._turn:
            try:
                self._argon2.verify(kept or self._nobody, normalised(password))
            except (VerificationError, InvalidHashError):
                return False
        return kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Whether the hash was made with other parameters than those of today."""
        return self._argon2.check_needs_rehash(kept)


def hasher() -> Hasher:
    """The hasher of this deployment's settings."""
    chosen = plugin_settings("auth", AuthSettings)
    return _hasher(chosen.hash_memory_kib, chosen.hash_passes, chosen.parallel_hashes)


@lru_cache(maxsize=8)
def _hasher(memory_kib: int, passes: int, parallel: int) -> Hasher:
    return Hasher(memory_kib, passes, parallel)


@lru_cache(maxsize=1)
def common_passwords() -> frozenset[str]:
    """The shipped list in lower case; its source and licence stand beside it."""
    text = resources.files("torg_auth").joinpath("common_passwords.txt").read_text("utf-8")
    return frozenset(text.splitlines())


def require_strength(password: str, *own_names: str, pointer: str = "/password") -> None:
    """Accept or refuse a new password, which stands in the request at `pointer`.

    Raises:
        PasswordRefusedError: with the reason as the code of its field problem.
    """
    found = weakness(normalised(password), common_passwords(), own_names)
    if found is not None:
        explanation = gettext(_EXPLANATIONS[found], shortest=SHORTEST, longest=LONGEST)
        raise PasswordRefusedError(reason=found.value, explanation=explanation, pointer=pointer)
