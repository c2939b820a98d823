"""Signing in by another provider, in a browser: the way there and the way back."""

from typing import Any

import flask
import marshmallow

from torg_auth.errors import (
    ProviderAwayError,
    ProviderEmailUnverifiedError,
    ProviderNotFoundError,
    SocialRefusedError,
    SocialStateError,
)
from torg_auth.routes.blueprint import blueprint
from torg_auth.routes.cookies import leave
from torg_auth.schemas import Tokens
from torg_auth.schemas_personal import ProviderAnswer
from torg_auth.services import sessions, social
from torg_auth.services.callers import DEVICE_COOKIE, present_caller
from torg_auth.services.limiting import SOCIAL
from torg_auth.services.tokens import DEVICE_DAYS

_COOKIE = "torg_social"
# RFC 6749, 5.1: nothing on the way may keep an answer that holds tokens.
_NOT_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@blueprint.route("/login/<string:provider>", methods=["GET"])
@blueprint.public
@blueprint.limit(SOCIAL.rate, name=SOCIAL.name)
@blueprint.response(302, description="To the page of the provider.")
@blueprint.fails(ProviderNotFoundError, ProviderAwayError)
def begin_social_sign_in(provider: str) -> flask.Response:
    """Send the browser to a provider: oidc, google or github, as this deployment has them."""
    departure = social.begin(provider)
    leave(_COOKIE, departure.mark, social.COOKIE_SECONDS, "Lax")
    return flask.Response(status=302, headers={"Location": departure.address, **_NOT_KEPT})


@blueprint.route("/login/<string:provider>/callback", methods=["GET"])
@blueprint.public
@blueprint.limit(SOCIAL.rate, name=SOCIAL.name)
@blueprint.arguments(ProviderAnswer, location="query", unknown=marshmallow.EXCLUDE)
@blueprint.response(200, Tokens)
@blueprint.fails(
    ProviderNotFoundError,
    ProviderAwayError,
    ProviderEmailUnverifiedError,
    SocialRefusedError,
    SocialStateError,
)
def finish_social_sign_in(
    arguments: dict[str, Any], provider: str
) -> tuple[sessions.Tokens, dict[str, str]]:
    """Sign in whom the provider vouches for; the provider sends the browser here.

    Only the browser that began can finish, within ten minutes. Somebody new gets an account, if the
    provider has verified his e-mail address.
    """
    brought = social.Return(
        state=arguments["state"],
        code=arguments.get("code"),
        error=arguments.get("error"),
        issuer=arguments.get("iss"),
        mark=flask.request.cookies.get(_COOKIE),
    )
    leave(_COOKIE, "", 0, "Lax")
    opened = social.finish(provider, brought, present_caller())
    if opened.device is not None:
        leave(DEVICE_COOKIE, opened.device, DEVICE_DAYS * 86400, "Strict")
    return opened, _NOT_KEPT
