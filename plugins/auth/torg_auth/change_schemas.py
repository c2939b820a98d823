"""The shapes of changes, of recovery and of registering by telephone in requests and answers."""

from typing import Any

from marshmallow import post_load, validates_schema

from torg.schemas import (
    Boolean,
    Enum,
    Id,
    List,
    Nested,
    QuerySchema,
    Schema,
    Text,
    Timestamp,
    problem,
)
from torg_auth.domain.changes import Channel, Kind
from torg_auth.domain.names import email_or_none, is_username
from torg_auth.domain.passwords import LONGEST
from torg_auth.domain.phones import phone_or_none
from torg_auth.phone_field import Phone
from torg_auth.schemas import (
    Address,
    code_field,
    country_field,
    locale_field,
    new_password_field,
    username_field,
)

_LONGEST_VALUE = 4 * LONGEST


class ChangeRequest(Schema):
    """What is to be changed. It takes effect when it is confirmed."""

    kind = Enum([kind.value for kind in Kind], required=True, example="email")
    value = Text(
        maximum=_LONGEST_VALUE,
        control_characters=True,
        required=True,
        load_only=True,
        example="anna@example.org",
        description="The new username, e-mail address, telephone number or password.",
    )
    current_password = Text(
        maximum=_LONGEST_VALUE,
        control_characters=True,
        required=True,
        load_only=True,
        example="a fine long sentence",
    )

    @post_load
    def _accepted(self, data: dict[str, Any], **_keywords: Any) -> dict[str, Any]:
        kind, value = Kind(data["kind"]), data["value"]
        found: str | None = value
        if kind is Kind.USERNAME:
            found = value if is_username(value) else None
        elif kind is Kind.EMAIL:
            found = email_or_none(value)
        elif kind is Kind.PHONE:
            found = phone_or_none(value)
        if found is None:
            raise refused_value()
        return {**data, "kind": kind, "value": found}


def refused_value() -> Exception:
    """The refusal of a value that does not fit its kind, pointing at the value."""
    refusal = problem("wrong_form", "Does not have the form that its kind needs.")
    refusal.messages = {"value": refusal.messages}
    return refusal


class Change(Schema):
    """A change that waits for its code."""

    id = Id()
    kind = Enum([kind.value for kind in Kind], example="email")
    channel = Enum(
        [channel.value for channel in Channel],
        example="email",
        description="How the code was sent: to a new address or number itself, else to the owner.",
    )
    expires_at = Timestamp()


class WaitingChange(Change):
    """One's own change that waits for its code."""

    created_at = Timestamp()


class WaitingChanges(Schema):
    """All changes of an account that wait: at most one of each kind."""

    items = List(Nested(WaitingChange), maximum=len(Kind))
    next_cursor = Text(maximum=1, allow_none=True, example=None, description="Always null.")


class ChangeCode(Schema):
    """The code that was sent for a change."""

    code = code_field()


class UndoToken(QuerySchema):
    """The token of an undo link."""

    token = Text(maximum=500, required=True, example="WzEsIm4iXQ.aR8Qxw.c2lnbmF0dXJl")


class Undoable(Schema):
    """A change that the link takes back."""

    kind = Enum([kind.value for kind in Kind], example="email")
    undo_until = Timestamp()


class Undone(Schema):
    """The change is taken back, and everybody is signed out."""

    kind = Enum([kind.value for kind in Kind], example="email")
    undone = Boolean()


class PhoneRegistration(Schema):
    """What one registers with by telephone."""

    phone = Phone(required=True)
    username = username_field(required=True)
    password = new_password_field()
    country = country_field(load_default=None)
    locale = locale_field(load_default=None)


class RegisteredByPhone(Schema):
    """A new account. Its number is to be confirmed by the code that was sent there."""

    id = Id()
    username = username_field()
    phone = Phone()
    phone_verified = Boolean(example=False)
    created_at = Timestamp()


class PhoneCode(Schema):
    """The code of a text message, and the account that it names."""

    username = username_field(required=True)
    code = code_field()


class PhoneConfirmed(Schema):
    """The number is confirmed."""

    phone_verified = Boolean()


class UsernameOnly(Schema):
    """The account that waits for a code."""

    username = username_field(required=True)


class _ByMailOrPhone(Schema):
    """By which of the two an account is reached."""

    email = Address()
    phone = Phone(description="For an account without a confirmed e-mail address.")

    @validates_schema
    def _one_of_them(self, data: dict[str, Any], **_keywords: Any) -> None:
        if ("email" in data) == ("phone" in data):
            raise problem("one_of_them", "Give either an e-mail address or a telephone number.")


class ForgottenPassword(_ByMailOrPhone):
    """Where a code for a new password is to be sent, if there is such an account."""


class PasswordReset(_ByMailOrPhone):
    """The code of a reset mail or message, and the new password."""

    code = code_field()
    password = new_password_field()
