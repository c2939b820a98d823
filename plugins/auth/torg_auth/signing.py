"""The keys of this deployment, one set for each use, and the signing of links and marks.

All come from the host's `secret_key`; those from its `secret_key_fallbacks` are still accepted, so
a key is rotated by moving the old one there.
"""

import hashlib
from typing import Any

from flask import current_app
from itsdangerous import BadData, URLSafeTimedSerializer

from torg.config import settings
from torg_auth.domain.tokens import Keys


def keys(use: str) -> Keys:
    """The keys of one use; tokens of one use mean nothing under the keys of another."""
    kept: dict[str, Keys] = current_app.extensions.setdefault("torg_auth.keys", {})
    if use not in kept:
        host = settings().host
        secrets = (host.secret_key, *host.secret_key_fallbacks)
        kept[use] = Keys.derived([each.get_secret_value() for each in secrets], use)
    return kept[use]


def signed(use: str, value: list[Any]) -> str:
    """The value as text for an address or a cookie, signed and stamped with the time."""
    return str(_serializer(use).dumps(value))


def unsigned(use: str, text: str, max_age_seconds: int) -> list[Any] | None:
    """The value, when the text was signed here for this use and is young enough; else None."""
    try:
        value = _serializer(use).loads(text, max_age=max_age_seconds)
    except BadData:
        return None
    return value if isinstance(value, list) else None


def _serializer(use: str) -> URLSafeTimedSerializer:
    # The library signs with the last key of the list and accepts them all.
    accepted = [key.secret for key in reversed(keys(use).all)]
    return URLSafeTimedSerializer(
        accepted, salt=use, signer_kwargs={"digest_method": hashlib.sha256}
    )
