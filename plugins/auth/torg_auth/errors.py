"""What accounts refuse, in their own words. How it reaches the client is the host's translator."""

from torg.errors import (
    ConflictError,
    FieldProblem,
    InvalidError,
    NotFoundError,
    UnauthorizedError,
)
from torg.i18n import gettext


class CredentialsWrongError(UnauthorizedError):
    """The name or the password is wrong, or the account may not sign in.

    The answer is the same in all these cases, so that nobody can find out who has an account.
    """

    code = "credentials_wrong"
    title = "Wrong name or password"
    detail = "The name or the password is wrong."


class TokenInvalidError(UnauthorizedError):
    """The access token is not one of ours, is too old, or its session has ended: sign in again."""

    code = "token_invalid"
    title = "Token not valid"
    detail = "The access token is not valid or no longer valid. Refresh it or sign in again."


class RefreshTokenInvalidError(UnauthorizedError):
    """The refresh token is unknown, too old, was used before, or its session has ended.

    A refresh token works once. One that is presented again may have been stolen, so its whole
    session ends and the owner is told by mail.
    """

    code = "refresh_token_invalid"
    title = "Refresh token not valid"
    detail = "The refresh token is not valid or no longer valid. Sign in again."


class UsernameTakenError(ConflictError):
    """Somebody has this username already. Usernames are public, so this is no secret."""

    code = "username_taken"
    title = "Username taken"
    detail = "The username {username} is taken."
    public = ("username",)

    def __init__(self, *, username: str) -> None:
        """Point at the field."""
        problem = FieldProblem("/username", "username_taken", gettext("This username is taken."))
        super().__init__(errors=[problem], username=username)


class PasswordRefusedError(InvalidError):
    """The password is too short, too long, among the commonest, or made of your own name.

    There are no rules about kinds of characters: a longer sentence is the better password.
    """

    code = "password_refused"
    title = "Password refused"
    detail = "This password cannot be accepted. {explanation}"

    def __init__(self, *, reason: str, explanation: str) -> None:
        """Point at the field with the reason as its code."""
        problem = FieldProblem("/password", reason, explanation)
        super().__init__(errors=[problem], reason=reason, explanation=explanation)


class CodeInvalidError(InvalidError):
    """The code is wrong, was used, was tried too often, was replaced, or is too old.

    Ask for a new one. The answer is the same in all these cases and for an unknown address.
    """

    code = "code_invalid"
    title = "Code not valid"
    detail = "The code is wrong or no longer valid. Ask for a new one."

    def __init__(self) -> None:
        """Point at the field."""
        super().__init__(
            errors=[FieldProblem("/code", "code_invalid", gettext("Wrong or outdated."))]
        )


class LinkInvalidError(InvalidError):
    """The link is damaged, was used, was replaced by a newer one, or is too old."""

    code = "link_invalid"
    title = "Link not valid"
    detail = "This link is not valid or no longer valid. Ask for a new one."

    def __init__(self) -> None:
        """Point at the parameter."""
        super().__init__(
            errors=[FieldProblem("?token", "link_invalid", gettext("Wrong or outdated."))]
        )


class UserNotFoundError(NotFoundError):
    """There is no active account of this name or number."""

    code = "user_not_found"
    title = "No such user"
    detail = "There is no such user."


class SessionNotFoundError(NotFoundError):
    """You have no such session, or it has ended already."""

    code = "session_not_found"
    title = "No such session"
    detail = "You have no such session."


class RoleUnknownError(InvalidError):
    """A role that you named does not exist on this server."""

    code = "role_unknown"
    title = "Unknown role"
    detail = "There is no role {role}."
    public = ("role", "known_roles")


class OwnAccessError(ConflictError):
    """You would lock yourself out: another administrator has to do this."""

    code = "own_access"
    title = "Your own access"
    detail = "You cannot deactivate yourself or change your own roles here."


class EmailTakenError(ConflictError):
    """An account has this address already.

    Only staff ever see this: a registration never tells which addresses are known.
    """

    code = "email_taken"
    title = "Address taken"
    detail = "An account has the address {email} already."
