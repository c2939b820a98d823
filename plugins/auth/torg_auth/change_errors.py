"""What changes, telephones and verification refuse, in their own words."""

from torg.errors import (
    ConflictError,
    FieldProblem,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TooLargeError,
)
from torg.i18n import gettext


class PasswordWrongError(ForbiddenError):
    """The current password is not right. Too many wrong ones close this for a while."""

    code = "password_wrong"
    title = "Wrong password"
    detail = "The current password is wrong."

    def __init__(self) -> None:
        """Point at the field."""
        problem = FieldProblem("/current_password", "password_wrong", gettext("Wrong password"))
        super().__init__(errors=[problem])


class NothingChangesError(ConflictError):
    """The account has this name, address or number already."""

    code = "nothing_changes"
    title = "Nothing to change"
    detail = "This is what your account has already."


class ChangeNotFoundError(NotFoundError):
    """You have not asked for such a change."""

    code = "change_not_found"
    title = "No such change"
    detail = "You have not asked for such a change."


class ValueTakenError(ConflictError):
    """Another account has this address or number.

    Only who has proved that it is his hears of it: it could be an older account of his own.
    """

    code = "value_taken"
    title = "Taken"
    detail = "Another account has this address or number already."


class PhoneNotServedError(InvalidError):
    """Numbers of this country are not served here."""

    code = "phone_not_served"
    title = "Country not served"
    detail = "Telephone numbers of this country are not served here."

    def __init__(self, pointer: str) -> None:
        """Point at the field."""
        problem = FieldProblem(pointer, "phone_not_served", gettext("This country is not served."))
        super().__init__(errors=[problem])


class VerificationLevelError(ForbiddenError):
    """This needs a higher verification level; see `verification-levels` for how to get it."""

    code = "verification_level_too_low"
    title = "Verification level too low"
    detail = "This needs verification level {required_level}; yours is {level}."
    public = ("required_level", "level")


class VerificationPendingError(ConflictError):
    """Your last request waits for its decision: one at a time."""

    code = "verification_pending"
    title = "Request pending"
    detail = "A request of yours is being looked at already."


class VerificationDecidedError(ConflictError):
    """The request was decided before, perhaps by a colleague at the same moment."""

    code = "verification_decided"
    title = "Decided already"
    detail = "This request was decided already."


class OwnRequestError(ConflictError):
    """Nobody decides on his own documents: a colleague has to."""

    code = "own_request"
    title = "Your own request"
    detail = "You cannot decide on your own request."


class VerificationRequestNotFoundError(NotFoundError):
    """There is no such request."""

    code = "verification_request_not_found"
    title = "No such request"
    detail = "There is no such verification request."


class DocumentTypeError(InvalidError):
    """A document is a PNG, JPEG, WebP or PDF file; what it is called does not count."""

    code = "document_type"
    title = "Kind of file not taken"
    detail = "A document has to be a PNG, JPEG, WebP or PDF file."

    def __init__(self, kind: str) -> None:
        """Point at the document."""
        problem = FieldProblem(
            f"/{kind}", "document_type", gettext("Not a PNG, JPEG, WebP or PDF file.")
        )
        super().__init__(errors=[problem])


class DocumentTooLargeError(TooLargeError):
    """One document is larger than what is accepted; `most_bytes` says how much that is."""

    code = "document_too_large"
    title = "Document too large"
    detail = "A document may have at most {most_bytes} bytes."
    public = ("most_bytes",)


class ReasonMissingError(InvalidError):
    """Whoever is refused has to know why."""

    code = "reason_missing"
    title = "Reason missing"
    detail = "A refusal needs a reason."

    def __init__(self) -> None:
        """Point at the field."""
        super().__init__(
            errors=[FieldProblem("/reason", "reason_missing", gettext("A refusal needs a reason."))]
        )
