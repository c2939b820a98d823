"""`torg user …`: people and tokens from the command line."""

import secrets

import click

from torg.command_errors import CommandError
from torg.db import in_transaction
from torg.errors import TorgError
from torg_auth.domain.access import USER
from torg_auth.domain.names import email_or_none, is_username
from torg_auth.models import SecurityEventKind
from torg_auth.queries import people
from torg_auth.services import access
from torg_auth.services.accounts import NewAccount, Registered, add_user
from torg_auth.services.callers import present_caller
from torg_auth.services.passwords import hasher, require_strength
from torg_auth.services.record import record
from torg_auth.services.sessions import Tokens, open_session


@click.group()
def user() -> None:
    """Make accounts and tokens."""


@user.command()
@click.option("--username", required=True, help="3 to 32 Latin letters, digits, . _ -")
@click.option("--email", required=True, help="Taken as confirmed.")
@click.option("--role", "roles", multiple=True, help="Beside 'user'; may be given again.")
@click.option("--password", help="Visible to other processes; better leave it out.")
@click.option("--prompt", is_flag=True, help="Ask for the password.")
def create(
    username: str, email: str, roles: tuple[str, ...], password: str | None, prompt: bool
) -> None:
    """Make a confirmed account.

    Without --password and --prompt a password is made up and printed once.
    """
    address = email_or_none(email)
    if not is_username(username) or address is None:
        raise click.UsageError("the username or the e-mail address does not have the right form")
    if prompt and password is None:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    generated = password is None
    chosen = password or secrets.token_urlsafe(15)
    try:
        require_strength(chosen, username, address)
        password_hash = hasher().hash(chosen)
        new = NewAccount(username, address, chosen)
        created = in_transaction(lambda: _create(new, password_hash, (USER, *roles)))
    except TorgError as error:
        raise CommandError(
            f"user {username} was not made",
            why=str(error),
            next_steps=("choose another value and run the command again",),
        ) from error
    click.echo(f"made {created.username} (id {created.id})", err=True)
    if generated:
        click.echo(chosen)


def _create(new: NewAccount, password_hash: str, roles: tuple[str, ...]) -> Registered:
    created = add_user(new, password_hash, verified=True)
    access.add_roles(created.id, roles)
    record(SecurityEventKind.REGISTERED, present_caller(), user_id=created.id, roles=sorted(roles))
    return created


@user.command()
@click.argument("username")
def token(username: str) -> None:
    """Print an access token of an account, for trying the API; it opens a session of its own."""
    opened = in_transaction(lambda: _open(username))
    click.echo(f"valid for {opened.expires_in} seconds", err=True)
    click.echo(opened.token)


def _open(username: str) -> Tokens:
    user_id = people.find(username)
    if user_id is None:
        raise CommandError(
            f"there is no user {username}",
            why="no account has this name",
            next_steps=("torg user create --username … --email …",),
        )
    opened = open_session(user_id, present_caller())
    record(
        SecurityEventKind.LOGGED_IN,
        present_caller(),
        user_id=user_id,
        session_id=opened.session_id,
    )
    return opened
