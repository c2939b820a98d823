"""Writing and reading tokens: access tokens (JWT), signed links and marks of known devices.

What the claims of an access token must be is `torg_auth.domain.tokens`' rule; whether its session
still lives is asked of the database elsewhere.
"""

import secrets
from datetime import timedelta
from typing import Any

import flask
from flask_jwt_extended import JWTManager, create_access_token, decode_token
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt import PyJWTError

from torg.config import plugin_settings, settings
from torg_auth.domain.tokens import ACCESS, ALGORITHM, Access, access_or_none
from torg_auth.errors import TokenInvalidError
from torg_auth.settings import AuthSettings
from torg_auth.signing import keys, signed, unsigned

DEVICE_DAYS = 180

# A token comes from outside: whatever a hostile one makes the decoder raise, it is not ours.
_UNREADABLE = (
    PyJWTError,
    JWTExtendedException,
    ValueError,
    TypeError,
    ArithmeticError,
    RecursionError,
    LookupError,
    AttributeError,
)


def init(app: flask.Flask) -> None:
    """Set up the writer and reader of access tokens, before the first request."""
    chosen = settings().plugin("auth", AuthSettings)
    app.config.update(
        JWT_ALGORITHM=ALGORITHM,
        JWT_DECODE_ALGORITHMS=[ALGORITHM],
        JWT_ENCODE_ISSUER=chosen.issuer,
        JWT_DECODE_ISSUER=chosen.issuer,
        JWT_ENCODE_AUDIENCE=chosen.audience,
        JWT_DECODE_AUDIENCE=chosen.audience,
        JWT_ENCODE_NBF=False,
        JWT_TOKEN_LOCATION=["headers"],
        JWT_COOKIE_CSRF_PROTECT=False,
    )
    manager = JWTManager(app)
    manager.encode_key_loader(lambda _identity: keys(ACCESS).newest.secret)
    manager.decode_key_loader(_accepted_secret)


def write_access(user_id: int, session_id: int) -> str:
    """An access token for a session."""
    chosen = plugin_settings("auth", AuthSettings)
    token: str = create_access_token(
        identity=str(user_id),
        additional_claims={"sid": str(session_id), "typ": ACCESS},
        additional_headers={"kid": keys(ACCESS).newest.id},
        expires_delta=timedelta(minutes=chosen.access_minutes),
    )
    return token


def read_access(token: str) -> Access:
    """Who the token speaks for, when it is one of ours and its time is not over.

    Raises:
        TokenInvalidError: anything else.
    """
    try:
        access = access_or_none(decode_token(token))
    except _UNREADABLE as error:
        raise TokenInvalidError from error
    if access is None:
        raise TokenInvalidError
    return access


def _accepted_secret(header: dict[str, Any], _claims: dict[str, Any]) -> bytes:
    key = keys(ACCESS).find(header.get("kid"))
    if key is None:
        raise TokenInvalidError
    return key.secret


def new_refresh_token() -> str:
    """A refresh token: 256 random bits, meaningless but for the row that keeps its hash."""
    return secrets.token_urlsafe(32)


def write_device(user_id: int) -> str:
    """The mark that a device keeps after a sign-in; it opens nothing, it only counts apart."""
    return signed("known device", [user_id, secrets.token_urlsafe(9)])


def read_device(text: str | None) -> tuple[int, str] | None:
    """Whose known device this is, and its number; None when the mark is not one of ours."""
    value = unsigned("known device", text, DEVICE_DAYS * 86400) if text else None
    return (value[0], value[1]) if value is not None and len(value) == 2 else None
