"""Telling by name and password who signs in, and counting who guesses.

Opens transactions of its own, so that none is held while a password is checked.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from torg.db import unit_of_work
from torg.errors import TooManyError
from torg_auth.errors import CredentialsWrongError
from torg_auth.models import SecurityEventKind
from torg_auth.queries.sign_in import LoginAccount, is_address, login_accounts
from torg_auth.services import tokens
from torg_auth.services.callers import Caller
from torg_auth.services.limiting import Attempts
from torg_auth.services.passwords import hasher
from torg_auth.services.record import record


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An account that the name may mean, or the place of one that it does not."""

    account: LoginAccount | None
    attempts: Attempts

    def owner(self, password: str) -> LoginAccount | None:
        """The account, when it is active and this is its password; the same work for none."""
        right = hasher().verify(self.account.password_hash if self.account else None, password)
        return self.account if right and self.account and self.account.is_active else None


def recognise(name: str, password: str, caller: Caller) -> LoginAccount:
    """Whom a name and a password mean.

    An address may mean the account that has proved it and one that only claims it. A password is
    held against both, in this order, and against nobody's in the place of one that is missing.

    Raises:
        CredentialsWrongError: unknown name, wrong password or deactivated account, after the same
            work in each case.
        TooManyError: too many wrong passwords.
    """
    with unit_of_work("read"):
        accounts = login_accounts(name, caller.place, tokens.DEVICE_DAYS)
    tried: list[LoginAccount | None] = []
    kind, full = SecurityEventKind.LOGIN_FAILED, None
    for candidate in _candidates(accounts, name, caller):
        # A full count of the one account must not keep the owner of the other one out.
        try:
            candidate.attempts.require_left()
        except TooManyError as error:
            full = error
            continue
        tried.append(candidate.account)
        found = candidate.owner(password)
        if found is not None:
            candidate.attempts.require_left()
            return found
        # Also when the next one is right: a stranger could claim an address again and again, each
        # time with his next guess at the password of its owner.
        try:
            candidate.attempts.count_failure()
        except TooManyError as error:
            kind, full = SecurityEventKind.LOGIN_LIMITED, error
    if tried:
        known = next((account.id for account in tried if account is not None), None)
        with unit_of_work():
            record(kind, caller, user_id=known)
    raise full or CredentialsWrongError


def _candidates(
    accounts: Collection[LoginAccount], name: str, caller: Caller
) -> Iterator[_Candidate]:
    if not is_address(name):
        only = next(iter(accounts), None)
        yield _Candidate(only, Attempts.of(only, name, caller))
        return
    proving = next((each for each in accounts if each.has_proved_email), None)
    claiming = next((each for each in accounts if not each.has_proved_email), None)
    yield _Candidate(proving, Attempts.of(proving, name, caller))
    yield _Candidate(claiming, Attempts.of(claiming, f"claim of {name}", caller))
