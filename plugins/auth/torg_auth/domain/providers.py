"""Whom another provider vouches for, and what name he gets here."""

import re
from dataclasses import dataclass

from torg_auth.domain.names import USERNAME_LENGTH

OIDC = "oidc"
GOOGLE = "google"
GITHUB = "github"
NAMES = (OIDC, GOOGLE, GITHUB)
GOOGLE_ISSUER = "https://accounts.google.com"

_FOREIGN = re.compile(r"[^A-Za-z0-9._-]+")
_ROOM_FOR_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody as a provider describes him.

    `email` is None when the provider names none that mail can be sent to; `is_email_verified`
    only when it says so itself.
    """

    provider: str
    subject: str
    email: str | None
    is_email_verified: bool
    name: str = ""
    locale: str | None = None


def username_stem(name: str) -> str:
    """The beginning of a username: what is left of a name of any form, or `user`.

    Never made of the e-mail address: usernames are public, addresses are not.
    """
    shortest, longest = USERNAME_LENGTH
    cut = _FOREIGN.sub("", name)[: longest - _ROOM_FOR_DIGITS].strip("._-")
    return cut if len(cut) >= shortest else "user"
