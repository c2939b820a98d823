"""Speaking with providers of sign-in: OpenID Connect by discovery (Google too), and GitHub.

The flow is the authorization code with PKCE S256 (RFC 7636, RFC 9700). Who of our accounts the
person is, is decided in `torg_auth.services.social`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from flask import current_app
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from torg.config import plugin_settings, settings
from torg_auth.domain.names import email_or_none
from torg_auth.domain.providers import GITHUB, GOOGLE, GOOGLE_ISSUER, OIDC, Person
from torg_auth.errors import ProviderAwayError, ProviderNotFoundError, SocialRefusedError
from torg_auth.settings import AuthSettings

_TIMEOUT_SECONDS = 5.0
_KEPT_SECONDS = 3600.0
_LEEWAY_SECONDS = 60
# Keys in pairs alone: with a shared secret whoever knows it could sign in as anybody.
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
# The provider's answers come from outside, too: whatever is wrong with them, they prove nothing.
_UNREADABLE = (JoseError, ValueError, TypeError, LookupError, AttributeError)


@dataclass(frozen=True, slots=True)
class Provider:
    """A configured provider. `issuer` is empty for GitHub, which knows no OpenID Connect."""

    name: str
    client_id: str
    client_secret: str
    issuer: str = ""


def provider_of(name: str) -> Provider:
    """The provider of that name, if this deployment has credentials for it.

    Raises:
        ProviderNotFoundError: unknown, or not configured.
    """
    chosen = plugin_settings("auth", AuthSettings)
    known = {
        OIDC: (chosen.oidc_client_id, chosen.oidc_client_secret, chosen.oidc_issuer),
        GOOGLE: (chosen.google_client_id, chosen.google_client_secret, GOOGLE_ISSUER),
        GITHUB: (chosen.github_client_id, chosen.github_client_secret, ""),
    }
    client_id, secret, issuer = known.get(name, ("", None, ""))
    if not client_id or secret is None or (name != GITHUB and not issuer):
        raise ProviderNotFoundError(provider=name)
    return Provider(name, client_id, secret.get_secret_value(), issuer)


def callback_address(name: str) -> str:
    """Where the provider sends the browser back to; to be registered with the provider."""
    own_page = plugin_settings("auth", AuthSettings).social_callback_url
    if own_page:
        return own_page.replace("{provider}", name)
    return f"{settings().host.base_url}/api/v1/auth/login/{name}/callback"


def authorize_address(provider: Provider, state: str, nonce: str, verifier: str) -> str:
    """The provider's page that the browser is to open.

    Raises:
        ProviderAwayError: the provider's description cannot be fetched.
    """
    extra = {"nonce": nonce} if provider.issuer else {}
    with _session(provider) as client:
        address, _ = client.create_authorization_url(
            _endpoint(provider, "authorization_endpoint"),
            state=state,
            code_verifier=verifier,
            **extra,
        )
    return str(address)


def person_behind(provider: Provider, code: str, nonce: str, verifier: str) -> Person:
    """Exchange the code and learn for whom the provider vouches.

    Raises:
        SocialRefusedError: the code or what came for it proves nothing.
        ProviderAwayError: the provider does not answer.
    """
    try:
        with _session(provider) as client:
            token = client.fetch_token(
                _endpoint(provider, "token_endpoint"),
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
                allow_redirects=False,
            )
            if provider.issuer:
                return _person_of_token(provider, client, token, nonce)
            return _person_of_github(provider, client)
    except OAuthError as error:
        raise SocialRefusedError(reason=str(error.error)[:100]) from error
    except (requests.RequestException, OSError) as error:
        raise ProviderAwayError(provider=provider.name) from error
    except _UNREADABLE as error:
        raise SocialRefusedError(reason=type(error).__name__) from error


def _session(provider: Provider) -> Any:
    if provider.issuer:
        offered = _description(provider).get("token_endpoint_auth_methods_supported")
        by_post = isinstance(offered, list) and "client_secret_basic" not in offered
        scope = "openid email profile"
    else:
        by_post, scope = True, "read:user user:email"
    return OAuth2Session(
        provider.client_id,
        provider.client_secret,
        scope=scope,
        redirect_uri=callback_address(provider.name),
        code_challenge_method="S256",
        token_endpoint_auth_method="client_secret_post" if by_post else "client_secret_basic",
        default_timeout=_TIMEOUT_SECONDS,
    )


def _endpoint(provider: Provider, name: str) -> str:
    if provider.issuer:
        return str(_description(provider)[name])
    chosen = plugin_settings("auth", AuthSettings)
    pages = {"authorization_endpoint": "authorize", "token_endpoint": "access_token"}
    return f"{chosen.github_url}/login/oauth/{pages[name]}"


def _person_of_token(provider: Provider, client: Any, token: Any, nonce: str) -> Person:
    claims = _claims(provider, token, nonce)
    facts: dict[str, Any] = dict(claims)
    if "email" not in facts and "userinfo_endpoint" in _description(provider):
        told = _get(client, _endpoint(provider, "userinfo_endpoint"))
        # An answer about somebody else proves nothing about this one (OpenID Connect Core, 5.3.2).
        if told.get("sub") != facts["sub"]:
            raise SocialRefusedError(reason="userinfo of another subject")
        facts = {**told, **facts}
    name = facts.get("preferred_username") or facts.get("name") or ""
    locale = facts.get("locale")
    return Person(
        provider=provider.name,
        subject=facts["sub"],
        email=_address(facts.get("email")),
        is_email_verified=facts.get("email_verified") is True,
        name=name if isinstance(name, str) else "",
        locale=locale.partition("-")[0].lower() if isinstance(locale, str) else None,
    )


def _claims(provider: Provider, token: Any, nonce: str) -> CodeIDToken:
    encoded = token["id_token"]
    try:
        read = _decoded(encoded, _keys(provider))
    except InvalidKeyIdError:
        # The provider may have rotated its keys since they were fetched.
        read = _decoded(encoded, _keys(provider, renew=True))
    wanted: Any = {
        "iss": {"essential": True, "value": provider.issuer},
        "aud": {"essential": True, "value": provider.client_id},
        "nonce": {"essential": True, "value": nonce},
    }
    facts = {
        "nonce": nonce,
        "client_id": provider.client_id,
        "access_token": token.get("access_token"),
    }
    claims = CodeIDToken(read.claims, read.header, wanted, facts)
    claims.validate(leeway=_LEEWAY_SECONDS)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or "\0" in subject:
        raise SocialRefusedError(reason="subject")
    return claims


def _decoded(encoded: str, keys: KeySet) -> Any:
    registry = JWSRegistry(algorithms=_ALGORITHMS, strict_check_header=False)
    return jwt.decode(encoded, keys, registry=registry)


def _person_of_github(provider: Provider, client: Any) -> Person:
    base = plugin_settings("auth", AuthSettings).github_api_url
    user, addresses = _get(client, f"{base}/user"), _get(client, f"{base}/user/emails")
    if not isinstance(user["id"], int):
        raise SocialRefusedError(reason="subject")
    primary: dict[str, Any] = next((each for each in addresses if each["primary"] is True), {})
    login = user.get("login")
    return Person(
        provider=provider.name,
        subject=str(user["id"]),
        email=_address(primary.get("email")),
        is_email_verified=primary.get("verified") is True,
        name=login if isinstance(login, str) else "",
    )


def _address(value: object) -> str | None:
    return email_or_none(value) if isinstance(value, str) else None


def _get(client: Any, address: str) -> Any:
    answer = client.get(address, headers={"Accept": "application/json"}, allow_redirects=False)
    answer.raise_for_status()
    return answer.json()


def _description(provider: Provider) -> dict[str, Any]:
    address = f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration"
    found: dict[str, Any] = _kept(provider, "description", lambda: _fetch(provider, address))
    wanted = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    if not isinstance(found, dict) or found.get("issuer") != provider.issuer:
        raise ProviderAwayError(provider=provider.name)
    if not all(_is_safe(found.get(name), provider) for name in wanted):
        raise ProviderAwayError(provider=provider.name)
    return found


def _is_safe(address: object, provider: Provider) -> bool:
    # Plain HTTP is for a provider on this machine alone, which the settings make sure of.
    if not isinstance(address, str):
        return False
    return urlsplit(address).scheme in {"https", urlsplit(provider.issuer).scheme}


def _keys(provider: Provider, *, renew: bool = False) -> KeySet:
    address = str(_description(provider)["jwks_uri"])
    fetched = _kept(provider, "keys", lambda: _fetch(provider, address), renew=renew)
    return KeySet.import_key_set(fetched)


def _kept(provider: Provider, what: str, fetch: Callable[[], Any], *, renew: bool = False) -> Any:
    kept: dict[Any, tuple[float, Any]] = current_app.extensions.setdefault("torg_auth.social", {})
    place, now = (provider.name, provider.issuer, what), time.monotonic()
    found = kept.get(place)
    if renew or found is None or now - found[0] > _KEPT_SECONDS:
        found = kept[place] = (now, fetch())
    return found[1]


def _fetch(provider: Provider, address: str) -> Any:
    try:
        answer = requests.get(address, timeout=_TIMEOUT_SECONDS, allow_redirects=False)
        answer.raise_for_status()
        return answer.json()
    except (requests.RequestException, OSError, ValueError) as error:
        raise ProviderAwayError(provider=provider.name) from error
