"""Fields of text: bounded, storable in PostgreSQL, and free of what hides in it.

Owns what counts as acceptable text. Import the fields from `torg.schemas`.
"""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from marshmallow import fields

from torg.field_base import HostField

_SURROGATE = re.compile("[\ud800-\udfff]")
# The C0 and C1 control characters, in the spelling that JSON Schema's regular expressions share.
_CONTROL = r"\x00-\x1f\x7f-\x9f"
_CONTROL_BUT_LINES = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_NUL = r"\x00"


class Text(HostField, fields.String):
    """Text of at most `maximum` characters, as PostgreSQL counts them (code points).

    NUL and lone surrogates are always refused: PostgreSQL cannot store them.
    """

    default_error_messages = {  # noqa: RUF012 - marshmallow reads this class attribute
        "not_text": "Has to be a text.",
        "forbidden_character": "Holds a character that is not allowed.",
        "too_long": "May have at most {maximum} characters.",
        "too_short": "Needs at least {minimum} characters.",
        "wrong_format": "Does not have the expected form.",
    }

    def __init__(
        self,
        *,
        maximum: int,
        minimum: int = 1,
        strip: bool = False,
        multiline: bool = False,
        control_characters: bool = False,
        pattern: str | None = None,
        **keywords: Any,
    ) -> None:
        """Bound the text.

        Args:
            maximum: most characters; give the column the same length.
            minimum: least characters; 0 accepts the empty text.
            strip: take off white space at both ends before anything is checked.
            multiline: allow line breaks and tabs.
            control_characters: allow all control characters but NUL.
            pattern: a regular expression that the whole text matches, without anchors; it has to
                read the same in Python and in ECMA 262, and needs an `example`.
            **keywords: as in `HostField`.
        """
        super().__init__(**keywords)
        if pattern is not None and self.example is None:
            raise ValueError("a text with a pattern needs an example")
        self.maximum = maximum
        self.minimum = minimum
        self.strip = strip
        self.pattern = pattern
        self._forbidden = (
            _NUL if control_characters else _CONTROL_BUT_LINES if multiline else _CONTROL
        )
        self._has_forbidden = re.compile(f"[{self._forbidden}]").search
        self._matches = re.compile(pattern, re.ASCII).fullmatch if pattern else None

    def openapi(self) -> dict[str, Any]:
        """Lengths and the characters that may stand in it."""
        found = {"minLength": self.minimum, "maxLength": self.maximum}
        anything = f"[^{self._forbidden}]*"
        if self.pattern is not None:
            return {**found, "pattern": f"^(?:{self.pattern})$"}
        if self.strip and self.minimum:
            return {**found, "pattern": rf"^{anything}[^\s{self._forbidden}]{anything}$"}
        return {**found, "pattern": f"^{anything}$"}

    def example_value(self) -> Any:
        """The author's, or a word as long as it has to be."""
        if self.example is not None:
            return self.example
        words = "text " * (self.minimum // 5 + 1)
        return words[: min(self.maximum, max(self.minimum, 4))].replace(" ", "-")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_keywords: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("not_text")
        text = value.strip() if self.strip else value
        if len(text) > self.maximum:
            raise self.make_error("too_long", maximum=self.maximum)
        if len(text) < self.minimum:
            raise self.make_error("too_short", minimum=self.minimum)
        if self._has_forbidden(text) or _SURROGATE.search(text):
            raise self.make_error("forbidden_character")
        if self._matches and not self._matches(text):
            raise self.make_error("wrong_format")
        return text


class Slug(Text):
    """Lower-case ASCII words and numbers joined by single hyphens, for addresses."""

    def __init__(self, *, maximum: int = 80, example: str = "plain-words", **keywords: Any) -> None:
        """Bound its length."""
        super().__init__(
            maximum=maximum, pattern="[a-z0-9]+(-[a-z0-9]+)*", example=example, **keywords
        )


class Email(Text):
    """The plain syntax of an e-mail address, at most 254 characters (RFC 5321, 4.5.3.1).

    Whether its domain takes mail, and how it is written canonically, is checked by who sends it.
    """

    _ADDRESS = r"[^@\s\"(),:;<>\[\]\\]{1,64}@[^@\s\"(),:;<>\[\]\\.]+(\.[^@\s\"(),:;<>\[\]\\.]+)+"

    def __init__(
        self, *, maximum: int = 254, example: str = "name@example.com", **keywords: Any
    ) -> None:
        """Bound its length."""
        super().__init__(
            maximum=maximum, minimum=3, pattern=self._ADDRESS, example=example, **keywords
        )

    def openapi(self) -> dict[str, Any]:
        """As text, with its format in place of the pattern."""
        found = super().openapi()
        del found["pattern"]
        return {**found, "format": "email"}


class Url(Text):
    """An absolute `http` or `https` address in ASCII, with a host and without a password."""

    default_error_messages = {  # noqa: RUF012 - marshmallow reads this class attribute
        "not_an_address": "Has to be an absolute http or https address.",
    }

    def __init__(
        self, *, maximum: int = 2048, example: str = "https://example.com/page", **keywords: Any
    ) -> None:
        """Bound its length."""
        super().__init__(
            maximum=maximum,
            minimum=10,
            pattern=r"https?://[!#-;=?-\[\]_a-z~]+",
            example=example,
            **keywords,
        )

    def openapi(self) -> dict[str, Any]:
        """As text, with its format in place of the pattern."""
        found = super().openapi()
        del found["pattern"]
        return {**found, "format": "uri"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_keywords: Any) -> str:
        text = super()._deserialize(value, attr, data)
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise self.make_error("not_an_address") from None
        if not parts.hostname or parts.username is not None or port == 0:
            raise self.make_error("not_an_address")
        return text


class Words(HostField):
    """Words of an allow-list joined by commas, as in `sort=-price,name`; loads a tuple of them."""

    default_error_messages = {  # noqa: RUF012 - marshmallow reads this class attribute
        "not_text": "Has to be a text.",
        "not_allowed": "Has to be made of: {allowed}.",
        "repeated": "The same word appears twice.",
    }

    def __init__(self, allowed: Sequence[str], *, signed: bool = False, **keywords: Any) -> None:
        """State the words.

        Args:
            allowed: the words.
            signed: each may be preceded by a minus.
            **keywords: as in `HostField`.
        """
        super().__init__(**keywords)
        self.allowed = tuple(allowed)
        self.signed = signed

    def openapi(self) -> dict[str, Any]:
        """A string with a pattern."""
        word = ("-?" if self.signed else "") + f"({'|'.join(self.allowed)})"
        return {"type": "string", "pattern": f"^{word}(,{word})*$"}

    def example_value(self) -> Any:
        """The author's, or the first word."""
        return self.example or self.allowed[0]

    def dump_value(self, value: Sequence[str], /) -> str:
        """Joined again."""
        return ",".join(value)

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_keywords: Any
    ) -> tuple[str, ...]:
        if not isinstance(value, str):
            raise self.make_error("not_text")
        words = tuple(value.split(",", len(self.allowed)))
        plain = [word.removeprefix("-") if self.signed else word for word in words]
        if not set(plain).issubset(self.allowed):
            raise self.make_error("not_allowed", allowed=", ".join(self.allowed))
        if len(set(plain)) != len(plain):
            raise self.make_error("repeated")
        return words
