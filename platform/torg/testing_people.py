"""The test kit's people: identities with any permissions, without an accounts plugin.

Owns a pretend plugin that the kit adds to an application when no enabled plugin provides `users`;
a plugin author can so test alone what in production stands on somebody's accounts.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import flask
from sqlalchemy import select

from torg import __version__, hookimpl, plugins
from torg.contracts import Service
from torg.db import session, unit_of_work
from torg.errors import UnauthorizedError
from torg.identity import Contact, Identity, IdentityRow, bump_access, create_identity
from torg.manifest import Manifest

NAME = "testkit"


@dataclass(frozen=True)
class Person:
    """Somebody whom the kit has made: his id, his name and the headers that sign him in."""

    id: int
    username: str
    identity: Identity
    locale: str | None = None

    @property
    def email(self) -> str:
        """His address."""
        return f"{self.username}@people.example"

    @property
    def headers(self) -> dict[str, str]:
        """What a request of his carries."""
        return {"Authorization": f"Bearer testkit-{self.id}"}

    @property
    def contact(self) -> Contact:
        """How the contract `users` shows him."""
        verified = self.identity.email_verified
        return Contact(self.id, self.username, self.email, self.locale, verified)


class People:
    """Makes people and answers for them as the contract `users` 1.1."""

    def __init__(self, app: flask.Flask) -> None:
        self._app = app
        self._people: dict[int, Person] = {}

    def clear(self) -> None:
        """Forget everybody; the next test begins."""
        self._people.clear()

    def add(
        self,
        username: str,
        *,
        role: str = "user",
        permissions: Iterable[str] | None = None,
        email_verified: bool = True,
        locale: str | None = None,
    ) -> Person:
        """Make a person who carries a role's default permissions, or exactly those given."""
        if permissions is None:
            declared = plugins.permissions(self._app).values()
            permissions = [each.name for each in declared if role in each.roles]
        with unit_of_work(app=self._app):
            identity_id = create_identity()
        identity = Identity(identity_id, username, frozenset(permissions), email_verified)
        person = Person(identity_id, username, identity, locale)
        self._people[identity_id] = person
        return person

    def take(self, person: Person, permission: str) -> None:
        """Take a permission away, as a changed role does."""
        less = replace(person.identity, permissions=person.identity.permissions - {permission})
        self._people[person.id] = replace(person, identity=less)
        with unit_of_work(app=self._app):
            bump_access(person.id)

    def rename(self, person: Person, username: str) -> None:
        """Give somebody another name; his token stays."""
        identity = replace(person.identity, username=username)
        self._people[person.id] = replace(person, username=username, identity=identity)
        with unit_of_work(app=self._app):
            bump_access(person.id)

    def identity(self, token: str) -> Identity:
        """Whose token this is.

        Raises:
            UnauthorizedError: nobody's, or of somebody who was switched off.
        """
        number = token.removeprefix("testkit-")
        person = self._people.get(int(number)) if number.isdigit() else None
        if person is None:
            raise UnauthorizedError
        version = session.execute(
            select(IdentityRow.access_version).where(
                IdentityRow.id == person.id, IdentityRow.is_active
            )
        ).scalar()
        if version is None:
            raise UnauthorizedError
        return replace(person.identity, access_version=version)

    def names(self, ids: Iterable[int]) -> Mapping[int, str]:
        """Usernames by id; costs one statement, as a real provider would."""
        session.connection().exec_driver_sql("SELECT 1")
        return {each: self._people[each].username for each in ids if each in self._people}

    def contacts(self, ids: Iterable[int]) -> Mapping[int, Contact]:
        """Contacts by id."""
        return {each: self._people[each].contact for each in ids if each in self._people}

    def page(self, after_id: int, limit: int) -> list[Contact]:
        """Confirmed people by id."""
        chosen = sorted(number for number in self._people if number > after_id)
        contacts = [self._people[number].contact for number in chosen]
        return [each for each in contacts if each.email_verified][:limit]

    def find(self, username: str) -> int | None:
        """The id of a person of that name."""
        for person in self._people.values():
            if person.username.lower() == username.lower():
                return person.id
        return None

    def permissions(self, identity_id: int) -> frozenset[str]:
        """What a person may."""
        person = self._people.get(identity_id)
        return person.identity.permissions if person is not None else frozenset()


def attach(app: flask.Flask) -> People:
    """Give the application its people; called before `torg_services` asks for them."""
    people: People = app.extensions.setdefault("torg.testing", People(app))
    return people


@hookimpl
def torg_authenticate(request: flask.Request) -> Identity | None:
    """Sign in whoever carries a token of the kit."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not token.startswith("testkit-"):
        return None
    people: People = flask.current_app.extensions["torg.testing"]
    return people.identity(token)


@hookimpl
def torg_services() -> list[Service]:
    """Provide `users`."""
    app = flask.current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    return [Service("users", "1.1", attach(app))]


MANIFEST = Manifest(
    name=NAME,
    package=__name__,
    version=__version__,
    path=Path(__file__).parent,
    title="Test kit",
    provides={"users": "1.1"},
)
MODULE = sys.modules[__name__]
