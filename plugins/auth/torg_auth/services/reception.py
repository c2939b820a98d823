"""The contract `accounts` 1.0: registering and signing in, for other plugins' addresses."""

from marshmallow import ValidationError

from torg.errors import InvalidError
from torg.field_problems import field_problems
from torg_accounts import Accounts, SignedIn
from torg_auth.schemas import Registration
from torg_auth.services import accounts, sessions
from torg_auth.services.callers import present_caller
from torg_auth.services.devices import keep_mark

_REGISTRATION = Registration()


class Reception(Accounts):
    """`torg_accounts.Accounts`, by the same rules as the routes of this plugin."""

    def register(self, username: str, email: str, password: str) -> int:
        """Make an account and have its address told."""
        given = {"username": username, "email": email, "password": password}
        try:
            checked = _REGISTRATION.load(given)
        except ValidationError as error:
            problems = field_problems(error.messages, "json", _REGISTRATION)
            raise InvalidError(errors=problems) from error
        return accounts.register(accounts.NewAccount(**checked), present_caller()).id

    def sign_in(self, name: str, password: str) -> SignedIn:
        """Begin a session; the device is told how it will be known again."""
        opened = sessions.log_in(name, password, present_caller())
        if opened.device is not None:
            keep_mark(opened.device)
        return SignedIn(opened.user_id, opened.token, opened.expires_in)
