"""What a ledger refuses. A refused call has changed nothing, and its transaction may go on."""

from torg.errors import ConflictError, InvalidError, NotFoundError


class InsufficientFundsError(ConflictError):
    """The account does not have that much: what is held for something else does not count."""

    code = "insufficient_funds"
    title = "Insufficient funds"
    detail = "Only {available} is available."
    public = ("available",)


class AccountNotFoundError(NotFoundError):
    """There is no such account, or it is closed."""

    code = "account_not_found"
    title = "No such account"
    detail = "There is no such account."


class AccountMismatchError(ConflictError):
    """An account of this code, currency and owner exists, and it is of another kind."""

    code = "account_mismatch"
    title = "The account is of another kind"
    detail = "The account {account_code} is open already, as {kind}."


class WrongAccountCurrencyError(InvalidError):
    """An amount is in another currency than the account it is for."""

    code = "wrong_account_currency"
    title = "Wrong currency"
    detail = "The account is held in {currency}."
    public = ("currency",)


class UnbalancedError(InvalidError):
    """The entries of a transfer sum to zero in every currency, each of them moves something."""

    code = "unbalanced_transfer"
    title = "Unbalanced transfer"
    detail = "The entries of a transfer have to sum to zero in every currency."


class KeyReusedError(InvalidError):
    """This key stands for another operation: a key is used for one operation and its repeats."""

    code = "ledger_key_reused"
    title = "Key used before"
    detail = "This key was used for another operation."


class DuplicateReferenceError(ConflictError):
    """A transfer with this external reference is in the books already, under another key."""

    code = "duplicate_reference"
    title = "Booked already"
    detail = "A transfer with this external reference is in the books already."


class HoldNotFoundError(NotFoundError):
    """There is no such hold."""

    code = "hold_not_found"
    title = "No such hold"
    detail = "There is no such hold."


class HoldClosedError(ConflictError):
    """The hold was captured, voided or has expired by the database's clock; it never reopens."""

    code = "hold_closed"
    title = "The hold is closed"
    detail = "The hold is {state}."
    public = ("state",)


class HoldExceededError(ConflictError):
    """More was to be captured than the hold still holds."""

    code = "hold_exceeded"
    title = "More than is held"
    detail = "Only {remaining} is still held."
    public = ("remaining",)


class ExpiryPassedError(InvalidError):
    """A hold has to expire in the future, by the database's clock."""

    code = "expiry_passed"
    title = "Expired at once"
    detail = "The hold would have expired already."


class TransferNotFoundError(NotFoundError):
    """There is no such transfer."""

    code = "transfer_not_found"
    title = "No such transfer"
    detail = "There is no such transfer."


class ReversalError(ConflictError):
    """No more of a transfer can be reversed than was moved, and a reversal is never reversed."""

    code = "reversal_exceeded"
    title = "Nothing left to reverse"
    detail = "The transfer cannot be reversed by this much."


class ProviderUnknownError(InvalidError):
    """No payment provider of this name is active here, or it cannot do this."""

    code = "provider_unknown"
    title = "Unknown payment provider"
    detail = "No such payment provider. There are: {names}."
    public = ("known",)


class CurrencyNotOfferedError(InvalidError):
    """Money comes in and goes out in certain currencies only."""

    code = "currency_not_offered"
    title = "Currency not offered"
    detail = "Money can be moved here in: {names}."
    public = ("offered",)


class PaymentTooLargeError(InvalidError):
    """One deposit or payout may not be larger than this."""

    code = "payment_too_large"
    title = "Payment too large"
    detail = "At most {most} can be moved at once."
    public = ("most",)
