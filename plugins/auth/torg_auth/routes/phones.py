"""Registering by telephone; none of these answers tells whether a number has an account."""

from typing import Any

from torg_auth.change_errors import PhoneNotServedError, ValueTakenError
from torg_auth.change_schemas import (
    PhoneCode,
    PhoneConfirmed,
    PhoneRegistration,
    RegisteredByPhone,
    UsernameOnly,
)
from torg_auth.errors import CodeInvalidError, PasswordRefusedError, UsernameTakenError
from torg_auth.routes.blueprint import blueprint
from torg_auth.schemas import Accepted
from torg_auth.services import phones
from torg_auth.services.callers import present_caller
from torg_auth.services.limiting import CODE, PHONE


@blueprint.route("/register/phone", methods=["POST"])
@blueprint.public
@blueprint.limit(PHONE.rate, name=PHONE.name)
@blueprint.arguments(PhoneRegistration)
@blueprint.response(201, RegisteredByPhone)
@blueprint.fails(UsernameTakenError, PasswordRefusedError, PhoneNotServedError)
def register_by_phone(arguments: dict[str, Any]) -> phones.RegisteredByPhone:
    """Make an account and send a code to its telephone.

    The answer is the same for a number that has an account already.
    """
    return phones.register(phones.NewPhoneAccount(**arguments), present_caller())


@blueprint.route("/verify-phone", methods=["POST"])
@blueprint.public
@blueprint.limit(CODE.rate, name=CODE.name)
@blueprint.arguments(PhoneCode)
@blueprint.response(200, PhoneConfirmed)
@blueprint.fails(CodeInvalidError, ValueTakenError)
@blueprint.transaction("statement")
def verify_phone(arguments: dict[str, Any]) -> dict[str, bool]:
    """Confirm a number by the code that was sent there."""
    phones.confirm(arguments["username"], arguments["code"], present_caller())
    return {"phone_verified": True}


@blueprint.route("/verify-phone/resend", methods=["POST"])
@blueprint.public
@blueprint.limit(PHONE.rate, name=PHONE.name)
@blueprint.arguments(UsernameOnly)
@blueprint.response(202, Accepted)
def resend_phone_code(arguments: dict[str, Any]) -> dict[str, bool]:
    """Send a new code, if the account waits for one. The older code is void then."""
    phones.ask_for_code(arguments["username"])
    return {"accepted": True}
