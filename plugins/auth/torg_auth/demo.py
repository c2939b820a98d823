"""The people of the demo: three to sign in as, and a crowd."""

from torg.demo import Demo
from torg_auth.domain.access import ADMIN, USER
from torg_auth.models import SecurityEventKind
from torg_auth.services import access
from torg_auth.services.accounts import NewAccount, add_user
from torg_auth.services.callers import present_caller
from torg_auth.services.passwords import hasher
from torg_auth.services.record import record

_NAMED = (
    ("admin", [USER, ADMIN], "DE", "en", "sees and changes everything"),
    ("seller", [USER], "GB", "en", "sells"),
    ("buyer", [USER], "FR", "en", "buys"),
)
_CROWD = (
    ("alena", "BY"),
    ("boris", "RU"),
    ("chiara", "IT"),
    ("dmitry", "KZ"),
    ("elena", "RU"),
    ("farid", "AZ"),
    ("greta", "SE"),
    ("hugo", "PT"),
    ("irina", "RU"),
    ("jonas", "LT"),
    ("katya", "UA"),
    ("lars", "NO"),
    ("maria", "ES"),
    ("nikolai", "BG"),
    ("olga", "RU"),
    ("pierre", "FR"),
    ("quinn", "IE"),
    ("rosa", "MX"),
    ("stefan", "AT"),
    ("tamara", "GE"),
)
_SPEAK_RUSSIAN = frozenset({"BY", "RU", "KZ"})


def fill(demo: Demo) -> None:
    """Add the people, all confirmed and with the demo's password."""
    # One hash for all: hashing two dozen times would only slow the first start.
    password_hash = hasher().hash(demo.password)
    for username, roles, country, locale, note in _NAMED:
        _add(username, roles, country, locale, password_hash)
        demo.login(username, roles[-1], note)
    for username, country in _CROWD:
        locale = "ru" if country in _SPEAK_RUSSIAN else "en"
        _add(username, [USER], country, locale, password_hash)
    demo.show(
        "Sign in",
        "curl -s {base_url}/api/v1/auth/login -H 'Content-Type: application/json' "
        f'-d \'{{"username": "buyer", "password": "{demo.password}"}}\'',
    )


def _add(username: str, roles: list[str], country: str, locale: str, password_hash: str) -> None:
    new = NewAccount(username, f"{username}@demo.example", "", country, locale)
    added = add_user(new, password_hash, verified=True)
    access.add_roles(added.id, roles)
    record(SecurityEventKind.REGISTERED, present_caller(), user_id=added.id, roles=sorted(roles))
