"""Which servers and settings a command works with, wherever it is typed.

Owns the rule: own servers by `TORG_DATABASE_URL` and `TORG_REDIS_URL`; else the embedded ones that
a running `torg demo` or `torg run all` of this folder keeps; else, for those two commands,
embedded ones started now. Reading settings is `config`'s, running servers `embedded`'s.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING

from torg import config, embedded
from torg.command_errors import CommandError
from torg.config import Settings

if TYPE_CHECKING:
    from torg.http import Application

OVERLAY = "environment.json"


def adopt_running_servers(environ: MutableMapping[str, str]) -> str:
    """Let this command use the embedded servers of a running demo or `torg run all`, if any.

    Nothing happens when a database is configured. What is found is written into `environ`, so that
    settings read later, and children, see it.

    Returns:
        A sentence about what is used, empty when nothing was adopted.
    """
    raw = config.read(environ).raw
    given = raw.host.get("database_url")
    if given is not None and given.value:
        return ""
    data = raw.host.get("data_dir")
    folder = Path(str(data.value)) if data is not None else Path(".torg")
    for directory in (folder, folder / "demo"):
        found = embedded.find(directory)
        if found is None or not found.database_url:
            continue
        environ.update(read_overlay(directory))
        environ["TORG_DATABASE_URL"] = found.database_url
        if found.redis_url and not environ.get("TORG_REDIS_URL"):
            environ["TORG_REDIS_URL"] = found.redis_url
        return f"Using the embedded servers in {directory} (process {found.owner_pid})."
    return ""


def write_overlay(directory: Path, variables: Mapping[str, str]) -> None:
    """Keep the settings a demo runs with, so that other commands in its folder see the same."""
    place = directory / OVERLAY
    place.touch(mode=0o600)
    place.write_text(json.dumps(dict(variables), indent=2), encoding="utf-8")


def read_overlay(directory: Path) -> dict[str, str]:
    """The settings kept by `write_overlay`; empty when there are none."""
    try:
        found = json.loads((directory / OVERLAY).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {str(key): str(value) for key, value in found.items()}


def application(settings: Settings | None = None) -> Application:
    """The application for a command, with errors that a person understands.

    Raises:
        CommandError: No database is configured, or it cannot be reached.
        SettingsError: The settings are wrong.
    """
    from torg.app import create_app

    settings = settings or config.load()
    if not settings.host.database_url:
        raise no_database()
    return create_app(settings)


def no_database() -> CommandError:
    """What to say when neither a configured nor an embedded database is there."""
    return CommandError(
        "no database",
        where="TORG_DATABASE_URL is not set and no embedded servers run in this folder",
        next_steps=(
            "torg demo       everything embedded, with data",
            "torg run all    everything embedded, empty",
            "or set TORG_DATABASE_URL=postgresql://user:password@host:5432/name",
        ),
    )


def explain_database(error: Exception) -> CommandError | None:
    """What to say for an error of the database or its driver; None when it is nothing known."""
    import psycopg2
    from sqlalchemy.exc import DBAPIError

    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, psycopg2.errors.UndefinedTable | psycopg2.errors.UndefinedColumn):
        return CommandError(
            "the database lacks tables that this needs",
            where="TORG_DATABASE_URL",
            why=str(cause).partition("\n")[0],
            next_steps=("torg db plan       shows what waits", "torg db upgrade"),
        )
    if isinstance(cause, psycopg2.OperationalError) and _is_away(cause.pgcode):
        return database_away(cause)
    return None


def _is_away(code: str | None) -> bool:
    """Whether an SQLSTATE is about the connection, and not about what was asked over it."""
    return code is None or code.startswith(("08", "28", "3D", "53", "57P"))


def database_away(error: Exception, settings: Settings | None = None) -> CommandError:
    """What to say when the database does not answer."""
    from urllib.parse import urlsplit

    where = "TORG_DATABASE_URL"
    if settings is not None:
        parts = urlsplit(settings.host.database_url)
        where = f"TORG_DATABASE_URL, server {parts.hostname or 'on a local socket'}"
        where += f", database {parts.path.strip('/')}"
    return CommandError(
        "cannot reach the database",
        where=where,
        why=" ".join(str(getattr(error, "orig", error)).split()),
        next_steps=(
            "see that the server runs and that address, user and password are right",
            "torg doctor     checks every part",
            "torg demo       needs no database of yours",
        ),
    )


def variables(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The `TORG_…` variables of an environment."""
    return {key: value for key, value in environ.items() if key.startswith("TORG_")}
