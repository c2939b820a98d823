"""How often somebody may try: the named limits, and wrong passwords counted for each account.

Counting is the host's (`torg.limits`): in Redis, or inside the process while Redis is away. Every
name here can be given another rate, or `off`, in the host's setting `rate_limits`.
"""

from dataclasses import dataclass

import torg_accounts
from torg import limits
from torg.errors import TooManyError
from torg_auth.queries.sign_in import LoginAccount
from torg_auth.services import tokens
from torg_auth.services.callers import Caller


@dataclass(frozen=True, slots=True)
class Limit:
    """A named limit with its default rate."""

    name: str
    rate: str


# By network address, on routes.
# The first two count together with routes of other plugins that call the contract `accounts`.
REGISTER, LOGIN = torg_accounts.REGISTER, torg_accounts.SIGN_IN
REFRESH = Limit("auth_refresh", "120 per minute")
CODE = Limit("auth_code", "60 per minute")
PHONE = Limit("auth_phone", "10 per hour")
SOCIAL = Limit("auth_social", "60 per minute")

# By person, on routes.
AVATAR = Limit("auth_avatar", "30 per hour")
STATUS = Limit("auth_status", "30 per hour")
EXPORT = Limit("auth_export", "10 per hour")

# By account, and by addressee of a mail.
CHANGE = Limit("auth_change", "20 per hour")
VERIFICATION = Limit("auth_verification", "10 per hour")
FAILURES = Limit("auth_login_failures", "10 per 15 minute")
MAILS = Limit("auth_mails", "3 per hour")


@dataclass(frozen=True, slots=True)
class Attempts:
    """The wrong passwords of one account, as seen from one device.

    Strangers share one counter for each account, so trying from many addresses gains nothing. A
    device that the account was used on before has a counter of its own: a stranger who fills the
    first one does not keep the owner out. Both names of an account share its counters, and a
    name that nobody has is counted just the same.

    A right password is let in only while the counter is not full at that moment, and a wrong
    one is counted before it is answered: however many guesses run at once, a guess gets in only
    if fewer than the limit were wrong before it.
    """

    key: str

    @classmethod
    def of(cls, account: LoginAccount | None, name: str, caller: Caller) -> "Attempts":
        """The counter for this sign-in."""
        if account is None:
            return cls(f"name:{name.lower()}")
        device = tokens.read_device(caller.device)
        if device is not None and device[0] == account.id:
            return cls(f"device:{account.id}:{device[1]}")
        if account.knows_place:
            return cls(f"place:{account.id}:{caller.place}")
        return cls(f"account:{account.id}")

    def require_left(self) -> None:
        """Go on only while the counter is not full.

        Raises:
            TooManyError: it is.
        """
        limits.look(FAILURES.name, FAILURES.rate, self.key)

    def count_failure(self) -> None:
        """Count a wrong password.

        Raises:
            TooManyError: the counter was full already.
        """
        limits.hit(FAILURES.name, FAILURES.rate, self.key)


def may_mail(kind: str, email: str) -> bool:
    """Count a mail of this kind to this address; False when it had enough of them.

    The caller is told nothing of it, or he could learn which addresses have accounts.
    """
    try:
        limits.hit(MAILS.name, MAILS.rate, f"{kind}:{email.lower()}")
    except TooManyError:
        return False
    return True
