"""Registering, confirming an address, setting a new password: all without being signed in.

None of these answers tells whether an address has an account.
"""

from typing import Any

import flask

from torg_auth import pages
from torg_auth.change_schemas import ForgottenPassword, PasswordReset
from torg_auth.domain.codes import Purpose
from torg_auth.errors import (
    CodeInvalidError,
    LinkInvalidError,
    PasswordRefusedError,
    UsernameTakenError,
)
from torg_auth.routes.blueprint import blueprint
from torg_auth.schemas import (
    Accepted,
    Confirmed,
    EmailCode,
    EmailOnly,
    LinkToken,
    Registered,
    Registration,
)
from torg_auth.services import accounts, recovery
from torg_auth.services.callers import present_caller
from torg_auth.services.limiting import CODE, REGISTER

_RESET = {"email": "anna@example.org", "code": "314159", "password": "a fine long sentence"}


@blueprint.route("/register", methods=["POST"])
@blueprint.public
@blueprint.limit(REGISTER.rate, name=REGISTER.name)
@blueprint.arguments(Registration)
@blueprint.response(201, Registered)
@blueprint.fails(UsernameTakenError, PasswordRefusedError)
def register(arguments: dict[str, Any]) -> accounts.Registered:
    """Make an account and have its address told how to confirm it.

    The answer is the same for an address that has an account already; its owner gets a mail that
    says so.
    """
    return accounts.register(accounts.NewAccount(**arguments), present_caller())


@blueprint.route("/verify-email", methods=["POST"])
@blueprint.public
@blueprint.limit(CODE.rate, name=CODE.name)
@blueprint.arguments(EmailCode)
@blueprint.response(200, Confirmed)
@blueprint.fails(CodeInvalidError)
@blueprint.transaction("statement")
def verify_email(arguments: dict[str, Any]) -> dict[str, bool]:
    """Confirm an address by the mailed code."""
    accounts.confirm_by_code(arguments["email"], arguments["code"], present_caller())
    return {"email_verified": True}


@blueprint.route("/verify-email", methods=["GET"])
@blueprint.public
@blueprint.limit(CODE.rate, name=CODE.name)
@blueprint.arguments(LinkToken, location="query")
@blueprint.response(200, Confirmed)
@blueprint.fails(LinkInvalidError)
def verify_email_by_link(arguments: dict[str, Any]) -> dict[str, bool] | flask.Response:
    """Confirm an address by the link of the mail. A link works once; a browser gets a page.

    HEAD, by which mail programs look at links, confirms nothing.
    """
    if flask.request.method == "HEAD":
        accounts.look_at_link(arguments["token"])
    else:
        accounts.confirm_by_link(arguments["token"], present_caller())
    return pages.confirmed_page() if pages.is_wanted() else {"email_verified": True}


@blueprint.route("/verify-email/resend", methods=["POST"])
@blueprint.public
@blueprint.limit(CODE.rate, name=CODE.name)
@blueprint.arguments(EmailOnly)
@blueprint.response(202, Accepted)
def resend_code(arguments: dict[str, Any]) -> dict[str, bool]:
    """Mail a new confirmation code, if the address waits for one. The older code is void then."""
    accounts.ask_for_code(arguments["email"], Purpose.CONFIRM_EMAIL, present_caller())
    return {"accepted": True}


@blueprint.route("/password/forgot", methods=["POST"])
@blueprint.public
@blueprint.limit(CODE.rate, name=CODE.name)
@blueprint.arguments(ForgottenPassword, example={"email": "anna@example.org"})
@blueprint.response(202, Accepted)
def forgot_password(arguments: dict[str, Any]) -> dict[str, bool]:
    """Send a code that sets a new password, if the address has an account.

    By telephone for accounts that have no confirmed e-mail address.
    """
    if "phone" in arguments:
        recovery.ask_by_phone(arguments["phone"], present_caller())
    else:
        accounts.ask_for_code(arguments["email"], Purpose.RESET_PASSWORD, present_caller())
    return {"accepted": True}


@blueprint.route("/password/reset", methods=["POST"])
@blueprint.public
@blueprint.limit(CODE.rate, name=CODE.name)
@blueprint.arguments(PasswordReset, example=_RESET)
@blueprint.response(204)
@blueprint.fails(CodeInvalidError, PasswordRefusedError)
@blueprint.transaction("statement")
def reset_password(arguments: dict[str, Any]) -> None:
    """Set a new password by the code that was sent. Every session and API key ends."""
    reset = recovery.reset_by_phone if "phone" in arguments else recovery.reset_by_mail
    reached_at = arguments.get("phone") or arguments["email"]
    reset(reached_at, arguments["code"], arguments["password"], present_caller())
