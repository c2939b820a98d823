"""The shapes of what belongs to an account besides itself: keys, status, avatar, privacy, roles."""

import base64
import binascii
from typing import Any

from flask_smorest.fields import Upload

from torg.schemas import (
    Boolean,
    Enum,
    HostField,
    Id,
    Integer,
    List,
    QuerySchema,
    Schema,
    Text,
    Timestamp,
)
from torg_auth.domain.access import Because
from torg_auth.domain.api_keys import DAYS, DEFAULT_DAYS
from torg_auth.domain.avatars import LARGEST_BYTES
from torg_auth.domain.passwords import LONGEST
from torg_auth.schemas import Details, whole_list


def _scopes(**keywords: Any) -> List:
    name = Text(maximum=100, example="auth.profile.read")
    return List(name, maximum=200, unique=True, **keywords)


class NewApiKey(Schema):
    """A key to be made for a program."""

    name = Text(maximum=80, required=True, strip=True, example="price robot")
    scopes = _scopes(
        minimum=1,
        required=True,
        description="Permissions that it may use; each has to be your own.",
    )
    expires_in_days = Integer(
        minimum=DAYS[0], maximum=DAYS[1], load_default=DEFAULT_DAYS, example=90
    )


class ApiKeyEntry(Schema):
    """A key as it is listed: by its first letters."""

    id = Id()
    name = Text(maximum=80, example="price robot")
    prefix = Text(maximum=16, example="torg_5tPRZc1x")
    scopes = _scopes()
    created_at = Timestamp()
    expires_at = Timestamp()
    last_used_at = Timestamp(allow_none=True, description="To the minute; null: never used.")


class ApiKeyMade(ApiKeyEntry):
    """A new key. `key` is shown this once; send it as a bearer token or as X-Api-Key."""

    key = Text(maximum=200, example="torg_5tPRZc1xk4M0n7Z-8mJ3aQ")


class LinkedIdentity(Schema):
    """An account at another provider that signs in here."""

    id = Id()
    provider = Text(maximum=20, example="google")
    email = Text(maximum=254, example="anna@example.com", description="As it was when linked.")
    created_at = Timestamp()


LinkedIdentities = whole_list("LinkedIdentities", LinkedIdentity)


class ProviderAnswer(QuerySchema):
    """What a provider sends back by the browser; further parameters are ignored (RFC 6749)."""

    state = Text(maximum=200, required=True, example="7Zk3")
    code = Text(maximum=2000, example="4/0AX4")
    error = Text(maximum=200, example="access_denied")
    iss = Text(maximum=500, example="https://accounts.example")


class Base64(HostField):
    """Bytes as base64 text (RFC 4648, 4), padded and without line breaks."""

    default_error_messages = {  # noqa: RUF012 - marshmallow reads this class attribute
        "invalid_base64": "Has to be base64 (RFC 4648) of at most {bytes} bytes.",
    }

    def __init__(self, *, maximum_bytes: int, **keywords: Any) -> None:
        """Bound the decoded bytes."""
        self._maximum_bytes = maximum_bytes
        super().__init__(**keywords)

    def openapi(self) -> dict[str, Any]:
        """Base64 as OpenAPI 3.0 names it."""
        longest = 4 * -(-self._maximum_bytes // 3)
        return {"type": "string", "format": "byte", "minLength": 4, "maxLength": longest}

    def example_value(self) -> Any:
        """The smallest GIF there is."""
        return "R0lGODlhAQABAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=="

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_keywords: Any) -> bytes:
        wrong = self.make_error("invalid_base64", bytes=self._maximum_bytes)
        if not isinstance(value, str) or len(value) > 4 * -(-self._maximum_bytes // 3):
            raise wrong
        try:
            return base64.b64decode(value, validate=True)
        except (ValueError, binascii.Error):
            raise wrong from None


class PictureText(Schema):
    """A picture in JSON."""

    image = Base64(maximum_bytes=LARGEST_BYTES, load_only=True)


class PictureFile(Schema):
    """A picture as an upload."""

    image = Upload(metadata={"description": "PNG, JPEG, WebP or GIF."})


class Status(Schema):
    """A status text; an empty one takes it away."""

    text = Text(maximum=200, minimum=0, required=True, strip=True, example="Back on Monday")


class StatusChange(Schema):
    """What one's status was set to, and when."""

    id = Id()
    text = Text(maximum=200, minimum=0, example="Back on Monday")
    created_at = Timestamp()


class Export(Schema):
    """All that this server keeps about a person, by plugin."""

    exported_at = Timestamp()
    plugins = Details()


class Erasure(Schema):
    """The password once more, because there is no way back."""

    current_password = Text(
        maximum=4 * LONGEST,
        control_characters=True,
        required=True,
        load_only=True,
        example="a fine long sentence",
    )


class RolePermissions(Schema):
    """What a role is to carry."""

    permissions = List(
        Text(maximum=100, example="auction.bid.place"), maximum=1000, unique=True, required=True
    )


class Question(QuerySchema):
    """A permission, and whose; without `user_id` one's own."""

    permission = Text(maximum=100, required=True, example="auction.bid.place")
    user_id = Id(description="Somebody else; needs auth.user.read.")


class Explanation(Schema):
    """Why somebody may do something, or why not."""

    permission = Text(maximum=100, example="auction.bid.place")
    title = Text(maximum=200, allow_none=True, example="Place a bid")
    user_id = Id()
    is_allowed = Boolean()
    because = Enum([each.value for each in Because])
    roles = List(
        Text(maximum=40, example="user"), maximum=100, description="Those that the person has."
    )
    roles_that_carry = List(
        Text(maximum=40, example="user"), maximum=1000, description="Those that carry it."
    )
    email_verified = Boolean(description="Some operations need a confirmed address, too.")
