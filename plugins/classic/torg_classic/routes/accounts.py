"""Registering and signing in."""

from typing import Any

from torg.errors import ConflictError, UnauthorizedError
from torg_accounts import REGISTER, SIGN_IN
from torg_classic import schemas, services
from torg_classic.routes.blueprint import blueprint

# RFC 6749, 5.1: nothing on the way may keep an answer that holds a token.
_NOT_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@blueprint.route("/api/register/", methods=["POST"])
@blueprint.public
@blueprint.limit(REGISTER.rate, name=REGISTER.name)
@blueprint.arguments(schemas.Registration)
@blueprint.response(201, schemas.Registered)
@blueprint.fails(ConflictError)
def register(arguments: dict[str, Any]) -> dict[str, str]:
    """Make an account and have its address told how to confirm it."""
    services.accounts().register(**arguments)
    return {"message": schemas.REGISTERED}


@blueprint.route("/api/login/", methods=["POST"])
@blueprint.public
@blueprint.limit(SIGN_IN.rate, name=SIGN_IN.name)
@blueprint.arguments(schemas.Login)
@blueprint.response(200, schemas.Token)
@blueprint.fails(UnauthorizedError)
@blueprint.transaction("statement")
def log_in(arguments: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Sign in by username or e-mail address; the token opens every other route."""
    opened = services.accounts().sign_in(arguments["username"], arguments["password"])
    return {"token": opened.token}, _NOT_KEPT
