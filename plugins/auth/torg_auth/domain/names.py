"""What a username and an e-mail address may look like.

Both are ASCII once accepted, so that PostgreSQL's `lower()` and Python's agree on equality and no
two names look alike to a reader.
"""

import re

from email_validator import EmailNotValidError, validate_email

USERNAME_LENGTH = (3, 32)
USERNAME_FORM = "[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
EMAIL_LENGTH = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets

_USERNAME = re.compile(USERNAME_FORM)


def is_username(text: str) -> bool:
    """Whether the text can be a username: 3..32 Latin letters, digits and `._-` inside.

    A name never holds `@`, so that one field can take either a name or an e-mail address.
    """
    shortest, longest = USERNAME_LENGTH
    return shortest <= len(text) <= longest and _USERNAME.fullmatch(text) is not None


def email_or_none(text: str) -> str | None:
    """The address as it is kept: syntax checked, an international domain in its ASCII form.

    Nothing is looked up in the network. Reserved domains for tests and documents are accepted,
    domains without a dot are not. Letters outside ASCII before the `@` are refused, because not
    every mail server on the way would take them.
    """
    if len(text) > EMAIL_LENGTH:
        return None
    try:
        found = validate_email(
            text,
            check_deliverability=False,
            allow_smtputf8=False,
            strict=True,
            test_environment=True,
        )
    except EmailNotValidError:
        return None
    address = found.ascii_email
    if address is None or len(address) > EMAIL_LENGTH or "." not in found.ascii_domain:
        return None
    return address
