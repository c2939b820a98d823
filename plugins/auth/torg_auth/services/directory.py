"""The contract `users` 1.1: looking people up for other plugins. And who a request speaks for."""

from collections.abc import Iterable, Mapping

import flask

from torg import plugins
from torg.identity import Contact, Identity
from torg_auth.domain.access import effective
from torg_auth.domain.api_keys import MARK
from torg_auth.errors import TokenInvalidError
from torg_auth.queries import people
from torg_auth.queries.sign_in import standing
from torg_auth.services import api_keys, known_names, tokens


class Directory:
    """People by id, in batches, one statement a call (`torg.identity.Users`)."""

    def names(self, ids: Iterable[int]) -> Mapping[int, str]:
        """Usernames by id, of those who left too; unknown ids are absent."""
        wanted = set(ids)
        return known_names.names(wanted) if wanted else {}

    def contacts(self, ids: Iterable[int]) -> Mapping[int, Contact]:
        """Contacts by id, of active people; who has no address of his own is absent."""
        wanted = set(ids)
        return people.contacts(wanted) if wanted else {}

    def page(self, after_id: int, limit: int) -> list[Contact]:
        """Active, confirmed people who want announcements, with ids above `after_id`, by id."""
        return people.contact_page(after_id, limit)

    def find(self, username: str) -> int | None:
        """The id of the person of that name, ignoring case."""
        return people.find(username)

    def permissions(self, identity_id: int) -> frozenset[str]:
        """What an active person may now; nothing of what no plugin declares any more."""
        return effective(people.granted(identity_id), plugins.permissions())


def authenticate(request: flask.Request) -> Identity | None:
    """Who a request speaks for; None when it carries neither a bearer token nor an API key.

    The header X-Api-Key counts only without Authorization, as the host's memory of tokens has it.

    Raises:
        TokenInvalidError: its token is not one of ours, is too old, or its session has ended.
    """
    authorization = request.headers.get("Authorization")
    if not authorization:
        key = request.headers.get("X-Api-Key")
        return api_keys.identity_of(key.strip()) if key else None
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return None
    if token.strip().startswith(MARK):
        return api_keys.identity_of(token.strip())
    access = tokens.read_access(token.strip())
    found = standing(access.user_id, access.session_id)
    if found is None:
        raise TokenInvalidError
    return Identity(
        id=access.user_id,
        username=found.username,
        permissions=effective(found.granted, plugins.permissions()),
        email_verified=found.email_verified,
        verification_level=found.verification_level,
        session_id=access.session_id,
        locale=found.locale,
        expires_at=access.expires_at,
        access_version=found.access_version,
    )
