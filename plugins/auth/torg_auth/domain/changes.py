"""What of an account is changed only by its owner's confirmation, and where that is asked for.

A new address or number is confirmed where it leads to; a new name or password where the owner is
reached already.
"""

from dataclasses import dataclass
from enum import StrEnum

from torg_auth.domain.codes import Purpose


class Kind(StrEnum):
    """What is to be changed."""

    USERNAME = "username"
    EMAIL = "email"
    PHONE = "phone"
    PASSWORD = "password"  # noqa: S105 - the name of a kind


class Channel(StrEnum):
    """By what somebody is reached."""

    EMAIL = "email"
    SMS = "sms"


PURPOSES = {
    Kind.USERNAME: Purpose.CHANGE_USERNAME,
    Kind.EMAIL: Purpose.CHANGE_EMAIL,
    Kind.PHONE: Purpose.CHANGE_PHONE,
    Kind.PASSWORD: Purpose.CHANGE_PASSWORD,
}
# A password that was known to a thief must not come back by a link, nor be kept for that: whoever
# hears of a change that was not his asks for a new password instead.
UNDOABLE = frozenset({Kind.USERNAME, Kind.EMAIL, Kind.PHONE})
# What somebody signs in with: sessions opened by the old one end, all but the one that changes it.
ENDS_SESSIONS = frozenset({Kind.EMAIL, Kind.PHONE, Kind.PASSWORD})


@dataclass(frozen=True, slots=True)
class Reach:
    """How an account can be reached; `email` is its own address, confirmed or not."""

    email: str | None
    email_verified: bool
    phone: str | None

    @property
    def confirmed_email(self) -> str | None:
        """The address, when it is known to be the owner's."""
        return self.email if self.email_verified else None


@dataclass(frozen=True, slots=True)
class Target:
    """Where something is sent."""

    channel: Channel
    address: str


def code_target(kind: Kind, value: str, reach: Reach) -> Target | None:
    """Where the code of a change goes; None when the account cannot be reached at all.

    Args:
        kind: what is to be changed.
        value: the new one.
        reach: how the account is reached today.
    """
    if kind is Kind.EMAIL:
        return Target(Channel.EMAIL, value)
    if kind is Kind.PHONE:
        return Target(Channel.SMS, value)
    return _present(reach)


def _present(reach: Reach) -> Target | None:
    if reach.confirmed_email is not None:
        return Target(Channel.EMAIL, reach.confirmed_email)
    if reach.phone is not None:
        return Target(Channel.SMS, reach.phone)
    return None if reach.email is None else Target(Channel.EMAIL, reach.email)


def notice_targets(kind: Kind, before: Reach) -> list[Target]:
    """Who hears of a change, with the way to undo it: the owner as he was reached before.

    Only confirmed addresses: one that was never confirmed may be a stranger's, to whom the link
    would give the account.
    """
    targets = []
    if before.confirmed_email is not None:
        targets.append(Target(Channel.EMAIL, before.confirmed_email))
    if before.phone is not None and (kind is Kind.PHONE or not targets):
        targets.append(Target(Channel.SMS, before.phone))
    return targets


def shortened(kind: Kind, value: str) -> str:
    """A new value as the old address may hear of it: enough to recognise, not to use."""
    if kind is Kind.PASSWORD:
        return ""
    if kind is Kind.PHONE:
        return f"{value[:4]}…{value[-2:]}"
    if kind is Kind.EMAIL:
        name, _, domain = value.partition("@")
        return f"{name[:2]}…@{domain}"
    return value
