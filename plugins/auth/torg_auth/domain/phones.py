"""What a telephone number may look like: E.164, of a network in which messages can be received."""

from collections.abc import Collection

from phonenumbers import (
    NumberParseException,
    PhoneNumberFormat,
    PhoneNumberType,
    format_number,
    is_valid_number,
    number_type,
    parse,
    region_code_for_number,
)

# Longer texts are no numbers, and every reading costs time.
LONGEST = 40
# Other kinds cannot receive messages or, as premium numbers do, cost whoever sends there.
_TAKEN = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})


def phone_or_none(text: str) -> str | None:
    """The number as it is kept, such as `+4915123456789`, or None.

    It has to be written with `+` and the country; spaces, hyphens and brackets inside are left
    out. Nothing is looked up in the network.
    """
    if len(text) > LONGEST or not text.isascii() or not text.strip().startswith("+"):
        return None
    try:
        number = parse(text, None)
    except NumberParseException:
        return None
    if number.extension or not is_valid_number(number) or number_type(number) not in _TAKEN:
        return None
    return format_number(number, PhoneNumberFormat.E164)


def is_served(phone: str, countries: Collection[str]) -> bool:
    """Whether a number as kept belongs to one of the countries; to any when none are named."""
    return not countries or region_code_for_number(parse(phone, None)) in countries
