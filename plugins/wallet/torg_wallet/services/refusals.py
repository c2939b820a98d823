"""From the codes of the database functions to the errors of the contract."""

from typing import Any, NoReturn

from torg.errors import TorgError
from torg.money import AmountOutOfRangeError, Money
from torg_ledger import (
    AccountNotFoundError,
    DuplicateReferenceError,
    ExpiryPassedError,
    HoldClosedError,
    HoldExceededError,
    HoldNotFoundError,
    InsufficientFundsError,
    KeyReusedError,
    ReversalError,
    WrongAccountCurrencyError,
)

_PLAIN: dict[str, type[TorgError]] = {
    "account_not_found": AccountNotFoundError,
    "key_reused": KeyReusedError,
    "duplicate_reference": DuplicateReferenceError,
    "hold_not_found": HoldNotFoundError,
    "expiry_passed": ExpiryPassedError,
    "reversal_exceeded": ReversalError,
    "out_of_range": AmountOutOfRangeError,
}


def refuse(answer: Any) -> NoReturn:
    """Raise the error that an answer's code stands for, with its facts."""
    if answer.code in _PLAIN:
        raise _PLAIN[answer.code]
    if answer.code == "insufficient_funds":
        raise InsufficientFundsError(available=Money(int(answer.minor), answer.currency))
    if answer.code == "wrong_currency":
        raise WrongAccountCurrencyError(currency=answer.currency)
    if answer.code == "hold_closed":
        raise HoldClosedError(state=answer.status)
    if answer.code == "hold_exceeded":
        raise HoldExceededError(remaining=Money(int(answer.minor), answer.currency))
    raise AssertionError(f"the ledger answered {answer.code!r}")
