"""The field of a telephone number, for the schemas of accounts."""

from typing import Any

from torg.schemas import Text
from torg_auth.domain.phones import LONGEST, phone_or_none


class Phone(Text):
    """A mobile number with `+` and the country, loaded as E.164."""

    default_error_messages = {  # noqa: RUF012 - marshmallow reads this class attribute
        "not_a_number": "Has to be a mobile telephone number with + and the country.",
    }

    def __init__(self, **keywords: Any) -> None:
        """Spaces, hyphens and brackets are read over."""
        super().__init__(
            maximum=LONGEST,
            minimum=8,
            pattern=r"\+[0-9][0-9 ().-]*",
            example="+4915123456789",
            **keywords,
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_keywords: Any) -> str:
        found = phone_or_none(super()._deserialize(value, attr, data))
        if found is None:
            raise self.make_error("not_a_number")
        return found
