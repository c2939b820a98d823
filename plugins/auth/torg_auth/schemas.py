"""The shapes of accounts in requests and answers."""

from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

import pycountry
from marshmallow import ValidationError, validates_schema

from torg.i18n import LOCALES
from torg.schemas import (
    Boolean,
    Email,
    Enum,
    HostField,
    Id,
    Integer,
    List,
    Message,
    Nested,
    QuerySchema,
    Schema,
    Text,
    Timestamp,
    Url,
    problem,
)
from torg_auth.domain.names import EMAIL_LENGTH, USERNAME_FORM, USERNAME_LENGTH, email_or_none
from torg_auth.domain.passwords import LONGEST, SHORTEST
from torg_auth.models import SecurityEventKind
from torg_auth.phone_field import Phone

COUNTRIES = sorted(country.alpha_2 for country in pycountry.countries)


class Address(Email):
    """An e-mail address that mail can be sent to, loaded in the form in which it is kept."""

    default_error_messages = {  # noqa: RUF012 - marshmallow reads this class attribute
        "not_an_address": "Has to be an e-mail address.",
    }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_keywords: Any) -> str:
        found = email_or_none(super()._deserialize(value, attr, data))
        if found is None:
            raise self.make_error("not_an_address")
        return found


class Details(HostField):
    """A JSON object of facts, only ever written out."""

    def openapi(self) -> dict[str, Any]:
        """Any object."""
        return {"type": "object", "additionalProperties": True}

    def example_value(self) -> Any:
        """Facts of an ended session."""
        return {"because": "logout"}


def username_field(**keywords: Any) -> Text:
    """A username, as it may be chosen."""
    shortest, longest = USERNAME_LENGTH
    return Text(
        minimum=shortest,
        maximum=longest,
        pattern=USERNAME_FORM,
        example="anna",
        description="Latin letters and digits, with . _ - inside; unique ignoring case. Public.",
        **keywords,
    )


def new_password_field() -> Text:
    """A password that is being chosen."""
    # Longer as sent than as counted: one letter may come as several code points (NFKC).
    return Text(
        minimum=1,
        maximum=4 * LONGEST,
        control_characters=True,
        required=True,
        load_only=True,
        example="a fine long sentence",
        description=f"{SHORTEST} to {LONGEST} characters, not among the commonest.",
    )


def code_field() -> Text:
    """A one-time code."""
    return Text(
        minimum=6,
        maximum=6,
        pattern="[0-9]{6}",
        example="482913",
        required=True,
        description="The six digits of the message.",
    )


def country_field(**keywords: Any) -> Enum:
    """A country, or none."""
    return Enum(COUNTRIES, example="DE", allow_none=True, description="ISO 3166-1", **keywords)


def locale_field(**keywords: Any) -> Enum:
    """A language in which mails are written, or none."""
    return Enum(
        LOCALES, example="en", allow_none=True, description="Language of mails.", **keywords
    )


def _avatar_url() -> Url:
    return Url(allow_none=True, description="A link to the picture, good for an hour.")


def _status_text() -> Text:
    return Text(maximum=200, minimum=0, example="Back on Monday")


class TimeZone(Text):
    """The name of a zone of the IANA time zone database."""

    default_error_messages = {  # noqa: RUF012 - marshmallow reads this class attribute
        "unknown_time_zone": "Has to be the name of a time zone, such as Europe/Berlin.",
    }

    def __init__(self, **keywords: Any) -> None:
        """The longest names have fewer than 40 characters."""
        super().__init__(maximum=64, example="Europe/Berlin", **keywords)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_keywords: Any) -> str:
        name = super()._deserialize(value, attr, data)
        if name not in _zones():
            raise self.make_error("unknown_time_zone")
        return name


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


class Registration(Schema):
    """What one registers with."""

    username = username_field(required=True)
    email = Address(required=True)
    password = new_password_field()
    country = country_field(load_default=None)
    locale = locale_field(load_default=None)


class Registered(Schema):
    """A new account. Its address is to be confirmed by the code or the link that was mailed."""

    id = Id()
    username = username_field()
    email = Email()
    email_verified = Boolean(example=False)
    created_at = Timestamp()


class EmailCode(Schema):
    """The code of a confirmation mail."""

    email = Address(required=True)
    code = code_field()


class LinkToken(QuerySchema):
    """The token of a confirmation link."""

    token = Text(maximum=500, required=True, example="WzEsIm4iXQ.aR8Qxw.c2lnbmF0dXJl")


class Confirmed(Schema):
    """The address is confirmed."""

    email_verified = Boolean()


class EmailOnly(Schema):
    """The address to which something is to be mailed, if it has an account."""

    email = Address(required=True)


class Accepted(Schema):
    """Taken note of. It says the same whether or not there is such an account."""

    accepted = Boolean()


class Login(Schema):
    """A username, an e-mail address or a confirmed telephone number, and the password."""

    username = Text(maximum=EMAIL_LENGTH, example="anna", description="Or email, or phone.")
    email = Text(maximum=EMAIL_LENGTH, example="anna@example.com", description="Or username.")
    phone = Phone(description="Or username.")
    password = Text(
        maximum=4 * LONGEST,
        control_characters=True,
        required=True,
        load_only=True,
        example="a fine long sentence",
    )

    @validates_schema
    def _one_name(self, data: dict[str, Any], **_keywords: Any) -> None:
        given = [name for name in ("username", "email", "phone") if data.get(name)]
        if len(given) != 1:
            message = Message("one_name", "Send one of username, email and phone.")
            raise ValidationError(message, field_name="username")


class Tokens(Schema):
    """Tokens of a session. A refresh token works once."""

    token = Text(maximum=2000, example="eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl")
    refresh_token = Text(maximum=200, example="5tPRZc1xk4M0n7Z-8mJ3aQ")
    token_type = Text(maximum=20, example="Bearer")
    expires_in = Integer(minimum=1, example=900, description="Seconds until `token` is over.")


class RefreshToken(Schema):
    """A refresh token."""

    refresh_token = Text(
        maximum=200, required=True, load_only=True, example="5tPRZc1xk4M0n7Z-8mJ3aQ"
    )


class SessionEntry(Schema):
    """A live session: one device that is signed in."""

    id = Id()
    device_label = Text(maximum=80, example="Firefox on Linux")
    address = Text(maximum=45, minimum=0, example="192.0.2.7")
    created_at = Timestamp()
    last_used_at = Timestamp()
    expires_at = Timestamp()
    is_current = Boolean()


class Profile(Schema):
    """One's own account."""

    id = Id()
    username = username_field()
    email = Email(allow_none=True)
    email_verified = Boolean()
    phone = Phone(allow_none=True)
    display_name = Text(maximum=80, minimum=0, example="Anna K.")
    about = Text(maximum=2000, minimum=0, multiline=True, example="I collect clocks.")
    country = country_field()
    locale = locale_field()
    time_zone = TimeZone(allow_none=True)
    verification_level = Integer(minimum=0, maximum=3)
    wants_announcements = Boolean()
    roles = List(Text(maximum=40, example="user"), maximum=100)
    avatar_url = _avatar_url()
    status_text = _status_text()
    created_at = Timestamp()
    updated_at = Timestamp()


class ProfileChange(Schema):
    """What one may change of one's own account; what is left out stays."""

    display_name = Text(maximum=80, minimum=0, strip=True, example="Anna K.")
    about = Text(maximum=2000, minimum=0, multiline=True, example="I collect clocks.")
    country = country_field()
    locale = locale_field()
    time_zone = TimeZone(allow_none=True)
    wants_announcements = Boolean()


class PublicProfile(Schema):
    """What everybody may see of an account."""

    id = Id()
    username = username_field()
    display_name = Text(maximum=80, minimum=0, example="Anna K.")
    about = Text(maximum=2000, minimum=0, multiline=True, example="I collect clocks.")
    country = country_field()
    avatar_url = _avatar_url()
    status_text = _status_text()
    created_at = Timestamp()


class Permission(Schema):
    """A permission that an active plugin declares."""

    name = Text(maximum=100, example="auction.bid.place")
    plugin = Text(maximum=40, example="auction")
    title = Text(maximum=200, example="Place a bid")
    roles = List(Text(maximum=40, example="user"), maximum=100)
    is_mine = Boolean()


class Account(Schema):
    """An account as staff sees it."""

    id = Id()
    username = username_field()
    email = Email(allow_none=True)
    email_verified = Boolean()
    phone = Phone(allow_none=True)
    display_name = Text(maximum=80, minimum=0, example="Anna K.")
    country = country_field()
    locale = locale_field()
    verification_level = Integer(minimum=0, maximum=3)
    is_active = Boolean()
    roles = List(Text(maximum=40, example="user"), maximum=100)
    created_at = Timestamp()
    updated_at = Timestamp()


class AccountChange(Schema):
    """What staff may change of an account; what is left out stays."""

    is_active = Boolean()
    roles = List(Text(maximum=40, example="user"), maximum=100, unique=True)

    @validates_schema
    def _something(self, data: dict[str, Any], **_keywords: Any) -> None:
        if not data:
            raise problem("nothing_to_change", "Send is_active, roles or both.")


class Role(Schema):
    """A role, what it carries and how many have it."""

    id = Id()
    name = Text(maximum=40, example="user")
    permissions = List(Text(maximum=100, example="auction.bid.place"), maximum=1000)
    users = Integer(minimum=0, example=12)


class SecurityEvent(Schema):
    """One line of the record of security events."""

    id = Id()
    created_at = Timestamp()
    kind = Enum([kind.value for kind in SecurityEventKind])
    user_id = Id(allow_none=True)
    actor_id = Id(allow_none=True)
    address = Text(maximum=45, minimum=0, example="192.0.2.7")
    device_label = Text(maximum=80, minimum=0, example="Firefox on Linux")
    request_id = Text(maximum=128, minimum=0)
    details = Details()


def whole_list(name: str, item: type[Schema]) -> type[Schema]:
    """The answer of a list that is short by nature and comes in one piece."""
    return Schema.from_dict(
        {
            "items": List(Nested(item), maximum=1000),
            "next_cursor": Text(maximum=1, allow_none=True),
        },
        name=name,
    )  # type: ignore[return-value]


Permissions = whole_list("Permissions", Permission)
