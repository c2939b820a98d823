"""The contract `accounts` 1.0: registering and signing in, for plugins that offer them elsewhere.

Owns types alone. A plugin with routes of its own for newcomers hands over what it was given and
passes on what comes back; how accounts are kept, and when somebody is let in, stays with whoever
provides the contract:

    accounts: Accounts = contracts.require("accounts", ">=1,<2")
    token = accounts.sign_in("anna", "a fine long sentence").token

`REGISTER` and `SIGN_IN` are the limits of such routes. They are counted by name, so that trying at
two addresses gains nobody anything.
"""

from dataclasses import dataclass
from typing import Protocol

__all__ = ["REGISTER", "SIGN_IN", "Accounts", "Limit", "SignedIn"]


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit by network address: `@blueprint.limit(LIMIT.rate, name=LIMIT.name)`."""

    name: str
    rate: str


REGISTER = Limit("auth_register", "30 per minute")
SIGN_IN = Limit("auth_login", "60 per minute")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that has begun.

    Attributes:
        user_id: whose it is; of `torg_identity`.
        token: for `Authorization: Bearer`.
        expires_in: seconds until the token is over.
    """

    user_id: int
    token: str
    expires_in: int


class Accounts(Protocol):
    """What `contracts.require("accounts")` gives."""

    def register(self, username: str, email: str, password: str) -> int:
        """Make an account in the present transaction and have its address told; gives its id.

        Nothing that comes back tells whether the address has an account already.

        Raises:
            ConflictError: the username is taken; usernames are public.
            InvalidError: a value cannot be accepted; pointers are `/username`, `/email` and
                `/password`.
        """

    def sign_in(self, name: str, password: str) -> SignedIn:
        """Begin a session for whoever has this username, or e-mail address, and password.

        To be called within a request whose transaction is "statement": the provider opens its own,
        so that none is held while a password is checked, and a wrong one stays counted.

        Raises:
            UnauthorizedError: wrong, the same for a name that nobody has.
            TooManyError: too many wrong passwords for this account.
        """
