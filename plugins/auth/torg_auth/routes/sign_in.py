"""Signing in and out, refreshing, and the sessions of the signed-in person."""

from typing import Any

from torg import identity
from torg.listing import Page
from torg_auth.errors import (
    CredentialsWrongError,
    RefreshTokenInvalidError,
    SessionNotFoundError,
)
from torg_auth.queries import lists
from torg_auth.queries import sign_in as queries
from torg_auth.routes.blueprint import blueprint
from torg_auth.schemas import Login, RefreshToken, SessionEntry, Tokens
from torg_auth.services import sessions
from torg_auth.services.callers import present_caller
from torg_auth.services.devices import keep_mark
from torg_auth.services.limiting import LOGIN, REFRESH

# RFC 6749, 5.1: nothing on the way may keep an answer that holds tokens.
_NOT_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@blueprint.route("/login", methods=["POST"])
@blueprint.public
@blueprint.limit(LOGIN.rate, name=LOGIN.name)
@blueprint.arguments(Login)
@blueprint.response(200, Tokens)
@blueprint.fails(CredentialsWrongError)
@blueprint.transaction("statement")
def log_in(arguments: dict[str, Any]) -> tuple[sessions.Tokens, dict[str, str]]:
    """Sign in by username, e-mail address or confirmed telephone number.

    The answer also sets a cookie that opens nothing: by it a device that was signed in before is
    told from a stranger who guesses passwords.
    """
    name = arguments.get("username") or arguments.get("email") or arguments["phone"]
    opened = sessions.log_in(name, arguments["password"], present_caller())
    if opened.device is not None:
        keep_mark(opened.device)
    return opened, _NOT_KEPT


@blueprint.route("/token/refresh", methods=["POST"])
@blueprint.public
@blueprint.limit(REFRESH.rate, name=REFRESH.name)
@blueprint.arguments(RefreshToken)
@blueprint.response(200, Tokens)
@blueprint.fails(RefreshTokenInvalidError)
@blueprint.transaction("statement")
def refresh_token(arguments: dict[str, Any]) -> tuple[sessions.Tokens, dict[str, str]]:
    """Exchange a refresh token for new tokens. It works once; a second use ends the session."""
    return sessions.refresh(arguments["refresh_token"], present_caller()), _NOT_KEPT


@blueprint.route("/logout", methods=["POST"])
@blueprint.requires("auth.session.end")
@blueprint.response(204)
@blueprint.fails(SessionNotFoundError)
def log_out() -> None:
    """End the session of the token that this is called with."""
    caller = identity.current()
    sessions.end_session(caller.id, caller.session_id or 0, "logout", present_caller())


@blueprint.route("/sessions", methods=["GET"])
@blueprint.requires("auth.session.read")
@blueprint.arguments(lists.Sessions.arguments(), location="query")
@blueprint.response(200, lists.Sessions.envelope(SessionEntry))
def list_sessions(arguments: dict[str, Any]) -> Page:
    """List one's own live sessions, last used first."""
    caller = identity.current()
    return lists.Sessions.page(queries.live_sessions(caller.id, caller.session_id), arguments)


@blueprint.route("/sessions", methods=["DELETE"])
@blueprint.requires("auth.session.end")
@blueprint.response(204)
def end_sessions() -> None:
    """End all of one's own sessions, this one too."""
    sessions.end_all_sessions(identity.current().id, "logout_everywhere", present_caller())


@blueprint.route("/sessions/<int:session_id>", methods=["DELETE"])
@blueprint.requires("auth.session.end")
@blueprint.response(204)
@blueprint.fails(SessionNotFoundError)
def end_session(session_id: int) -> None:
    """End one of one's own sessions."""
    sessions.end_session(identity.current().id, session_id, "ended_by_owner", present_caller())
