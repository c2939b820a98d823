"""What the wallet's routes refuse, beyond what the ledger does (`torg_ledger.errors`)."""

from torg.errors import ConflictError, ForbiddenError, InvalidError


class NotConfirmedByStaffError(ConflictError):
    """The provider itself says how this payment ends; people do not."""

    code = "not_confirmed_by_staff"
    title = "The provider decides"
    detail = "The provider {provider} says itself how its payments end."
    public = ("provider",)


class PaymentEndedError(ConflictError):
    """The payment has ended already, and in another way; an end is final."""

    code = "payment_ended"
    title = "The payment has ended"
    detail = "The payment is {state} already."
    public = ("state",)


class OwnMoneyError(ForbiddenError):
    """Nobody confirms a payment of his own, nor adjusts his own account."""

    code = "own_money"
    title = "Your own money"
    detail = "Somebody else has to do this: it is about your own money."


class SecondPersonError(ForbiddenError):
    """A large adjustment is approved by another person than the one who made it."""

    code = "second_person_needed"
    title = "A second person is needed"
    detail = "Another person than the one who made this adjustment has to decide on it."


class AdjustmentDecidedError(ConflictError):
    """The adjustment was approved or declined already."""

    code = "adjustment_decided"
    title = "Decided already"
    detail = "The adjustment is {state} already."
    public = ("state",)


class UnknownPersonError(InvalidError):
    """There is nobody of this username."""

    code = "unknown_person"
    title = "Unknown person"
    detail = "There is nobody of this username."


class StatementTooLongError(InvalidError):
    """A spreadsheet of this many rows is too large: choose a shorter time, or CSV."""

    code = "statement_too_long"
    title = "Statement too long"
    detail = "A spreadsheet has at most {most} rows. Choose a shorter time, or CSV."
    public = ("most",)


class CodeRefusedError(ConflictError):
    """There is no such code now, or it was used as often as it may be."""

    code = "code_refused"
    title = "Code refused"
    detail = "This code cannot be redeemed."


class CodeExistsError(ConflictError):
    """There is a code of this word already."""

    code = "code_exists"
    title = "The code exists"
    detail = "There is a code of this word already."


class InvitationError(ConflictError):
    """The invitation cannot be accepted: an unknown or used-up code, one's own, or too late.

    Everybody is invited at most once, before the first points.
    """

    code = "invitation_refused"
    title = "Invitation refused"
    detail = "This invitation cannot be accepted."
