"""What accounts refuse, in their own words. How it reaches the client is the host's translator."""

from collections.abc import Sequence

from torg.errors import (
    ConflictError,
    FieldProblem,
    ForbiddenError,
    InvalidError,
    MalformedError,
    NotFoundError,
    UnauthorizedError,
    UnavailableError,
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

    def __init__(self, *, username: str, pointer: str = "/username") -> None:
        """Point at the field."""
        problem = FieldProblem(pointer, "username_taken", gettext("This username is taken."))
        super().__init__(errors=[problem], username=username)


class PasswordRefusedError(InvalidError):
    """The password is too short, too long, among the commonest, or made of your own name.

    There are no rules about kinds of characters: a longer sentence is the better password.
    """

    code = "password_refused"
    title = "Password refused"
    detail = "This password cannot be accepted. {explanation}"

    def __init__(self, *, reason: str, explanation: str, pointer: str = "/password") -> None:
        """Point at the field with the reason as its code."""
        problem = FieldProblem(pointer, reason, explanation)
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

    def __init__(self, *, role: str, place: int, known_roles: list[str]) -> None:
        """Point at its place in the list `roles`."""
        problem = FieldProblem(f"/roles/{place}", self.code, gettext(self.detail, role=role))
        super().__init__(errors=[problem], role=role, known_roles=known_roles)


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


class ApiKeyNotFoundError(NotFoundError):
    """You have no such key, or it was revoked already."""

    code = "api_key_not_found"
    title = "No such key"
    detail = "You have no such API key."


class ApiKeysFullError(ConflictError):
    """You have as many keys as one account may have: revoke one that you do not need any more."""

    code = "api_keys_full"
    title = "Too many keys"
    detail = "An account can have {most} API keys."
    public = ("most",)


class ScopeNotOwnError(ForbiddenError):
    """A key may do only what you may do yourself; `scopes` names those that you lack."""

    code = "scope_not_own"
    title = "Not your permission"
    detail = "A key can only have scopes that are your own permissions."
    public = ("scopes",)

    def __init__(self, *, scopes: list[str], wanted: Sequence[str]) -> None:
        """Point at the place of each in the list that was `wanted`."""
        message = gettext("This is not your own permission.")
        super().__init__(errors=_at("scopes", self.code, message, scopes, wanted), scopes=scopes)


class SessionNeededError(ForbiddenError):
    """This needs somebody who signed in himself; an API key cannot do it, whatever its scopes."""

    code = "session_needed"
    title = "Sign in yourself"
    detail = "This cannot be done with an API key. Sign in first."


class ProviderNotFoundError(NotFoundError):
    """Nobody can sign in here by this provider."""

    code = "provider_not_found"
    title = "No such provider"
    detail = "There is no sign-in by {provider} here."


class ProviderAwayError(UnavailableError):
    """The provider does not answer, or not as it should. Try later, or sign in by password."""

    code = "provider_unavailable"
    title = "Provider unavailable"
    detail = "The provider {provider} does not answer at the moment."

    def __init__(self, *, provider: str) -> None:
        """A minute is what a short outage takes."""
        super().__init__(provider=provider, retry_after=60)


class SocialStateError(InvalidError):
    """This browser did not begin this sign-in, or did so too long ago: begin again."""

    code = "social_state_invalid"
    title = "Begin again"
    detail = "This sign-in was not begun in this browser, or too long ago. Begin again."

    def __init__(self) -> None:
        """Point at the parameter."""
        problem = FieldProblem("?state", "social_state_invalid", gettext("Wrong or outdated."))
        super().__init__(errors=[problem])


class SocialRefusedError(UnauthorizedError):
    """The provider refused, or what it sent proves nothing, or your account here is closed."""

    code = "social_login_refused"
    title = "Sign-in refused"
    detail = "The provider did not vouch for you. Begin again."


class ProviderEmailUnverifiedError(ForbiddenError):
    """The provider does not vouch for your e-mail address: confirm it there, or register here."""

    code = "provider_email_unverified"
    title = "Address not verified there"
    detail = "The provider has not verified your e-mail address. Confirm it there first."


class LinkedIdentityNotFoundError(NotFoundError):
    """None of your sign-ins at other providers has this id."""

    code = "external_identity_not_found"
    title = "No such sign-in"
    detail = "You have no such sign-in at another provider."


class LastSignInError(ConflictError):
    """It is the last way into the account: first confirm an e-mail address or a number."""

    code = "last_sign_in"
    title = "The last way in"
    detail = "Nobody could sign in to this account then. Confirm an address or a number first."


class PictureMissingError(MalformedError):
    """Send one picture: as base64 in JSON under `image`, or as an upload named `image`."""

    code = "picture_missing"
    title = "No picture"
    detail = "Send one picture, as base64 in JSON or as an upload named image."

    def __init__(self) -> None:
        """Point at the field."""
        super().__init__(errors=[FieldProblem("/image", self.code, gettext(self.detail))])


class PictureRefusedError(InvalidError):
    """Accepted are whole PNG, JPEG, WebP and GIF pictures of at most 5 MiB and 25 megapixels."""

    code = "picture_refused"
    title = "Picture refused"
    detail = "This is no picture that can be shown: PNG, JPEG, WebP or GIF, at most 5 MiB."

    def __init__(self) -> None:
        """Point at the field."""
        super().__init__(
            errors=[FieldProblem("/image", "picture_refused", gettext("No accepted picture."))]
        )


class RoleNotFoundError(NotFoundError):
    """There is no role of this name."""

    code = "role_not_found"
    title = "No such role"
    detail = "There is no such role."


class RoleNameInvalidError(InvalidError):
    """A role is named by 2 to 40 small Latin letters, digits and `_`; a letter comes first."""

    code = "role_name_invalid"
    title = "Not a name for a role"
    detail = "A role is named by 2 to 40 small letters, digits and _."


class PermissionUnknownError(InvalidError):
    """Only what a plugin declares can be carried by a role; `permissions` names the others."""

    code = "permission_unknown"
    title = "Unknown permission"
    detail = "No active plugin declares some of these permissions."
    public = ("permissions",)

    def __init__(self, *, permissions: list[str], wanted: Sequence[str]) -> None:
        """Point at the place of each in the list that was `wanted`."""
        message = gettext("No active plugin declares it.")
        problems = _at("permissions", self.code, message, permissions, wanted)
        super().__init__(errors=problems, permissions=permissions)


class RoleNeededError(ConflictError):
    """Plugins name this role in their declarations, so it cannot be removed; empty it instead."""

    code = "role_needed"
    title = "Role needed"
    detail = "The role {role} is declared by a plugin and cannot be removed."
    public = ("role",)


def _at(
    field: str, code: str, message: str, wrong: Sequence[str], wanted: Sequence[str]
) -> list[FieldProblem]:
    """One problem at the place of each wrong value in the list that was wanted."""
    return [FieldProblem(f"/{field}/{wanted.index(each)}", code, message) for each in wrong]
