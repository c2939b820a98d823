"""PostgreSQL and Valkey as children of this process, for a first run without any installation.

Owns one deployment's pair of servers: the lock that lets one host run them, the file that tells
other commands where they listen, the stop at exit. How each server is started is
`embedded_postgres`'s and `embedded_valkey`'s, where they live is `embedded_home`'s.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from torg import embedded_home
from torg.command_errors import CommandError
from torg.embedded_home import MissingServersError

if TYPE_CHECKING:
    from torg.embedded_postgres import Postgres
    from torg.embedded_valkey import Valkey

__all__ = ["Addresses", "AlreadyRunningError", "MissingServersError", "Servers", "find", "start"]


class AlreadyRunningError(CommandError):
    """Another process runs the embedded servers of this directory."""

    def __init__(self, directory: Path, owner: int | None) -> None:
        who = f"process {owner}" if owner else "another process"
        super().__init__(
            "the embedded servers of this folder are already running",
            where=str(directory),
            why=f"{who} started them and stops them when it ends",
            next_steps=(
                "use them from here: torg run web --port 8001",
                "or end that process first",
                "or start a second, separate one with --dir",
            ),
        )


@dataclass(frozen=True)
class Addresses:
    """Where running embedded servers listen; an empty text for one that was not asked for."""

    database_url: str
    redis_url: str
    admin_url: str
    owner_pid: int


class Servers:
    """Running embedded servers. Stopped by `stop()`, by leaving `with`, or when this process ends.

    Attributes:
        database_url: `postgresql://…` of the application's role, which is no superuser.
        redis_url: `unix://…` for redis-py and RQ.
        admin_url: `postgresql://…` of the superuser, for maintenance.
        notes: Sentences a person should read (data kept elsewhere, for one).
    """

    def __init__(self, directory: Path, postgres: bool, valkey: bool, fast: bool) -> None:
        self.directory = directory
        self.notes: tuple[str, ...] = ()
        self._wants = (postgres, valkey)
        self._fast = fast
        self._owner = os.getpid()
        self._running: list[Postgres | Valkey] = []
        self._lock: int | None = None
        self._state = embedded_home.locate(directory) / "state.json"
        self.database_url = self.redis_url = self.admin_url = ""

    def dead(self) -> list[str]:
        """The names of servers that have ended although nobody stopped them."""
        return [type(each).__name__.lower() for each in self._running if not each.is_running()]

    def revive(self) -> list[str]:
        """Start ended servers again on their data; returns their names."""
        names = self.dead()
        for each in self._running:
            if not each.is_running():
                each.start()
        return names

    def pids(self) -> dict[str, int | None]:
        """The process number of each server by its name."""
        return {type(each).__name__.lower(): each.pid for each in self._running}

    def stop(self, *, remove_data: bool = False) -> None:
        """Stop the servers cleanly within seconds; idle when called again or in a forked child.

        Args:
            remove_data: Delete the servers' folder too, wherever it lies.
        """
        if os.getpid() != self._owner or self._lock is None:
            return
        atexit.unregister(self.stop)
        self._state.unlink(missing_ok=True)
        for each in reversed(self._running):
            each.stop()
        self._running.clear()
        if remove_data:
            embedded_home.remove(self.directory)
        os.close(self._lock)
        self._lock = None

    def __enter__(self) -> Servers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _start(self) -> None:
        # Every command looks for running servers; only those that start some need the drivers.
        from torg.embedded_postgres import Postgres
        from torg.embedded_valkey import Valkey

        postgres, valkey = self._wants
        home = embedded_home.prepare(self.directory, postgresql=postgres, valkey=valkey)
        self.notes = home.notes
        self._state = home.folder / "state.json"
        self._lock = _take_lock(home.folder, self.directory)
        atexit.register(self.stop)
        try:
            self._state.unlink(missing_ok=True)
            if postgres:
                database = Postgres(home, fast=self._fast)
                self._running.append(database)
                database.start()
                self.database_url, self.admin_url = database.url, database.admin_url
            if valkey:
                doorbell = Valkey(home, fast=self._fast)
                self._running.append(doorbell)
                doorbell.start()
                self.redis_url = doorbell.url
            self._write_state()
        except BaseException:
            self.stop()
            raise

    def _write_state(self) -> None:
        text = json.dumps(
            {
                "database_url": self.database_url,
                "redis_url": self.redis_url,
                "admin_url": self.admin_url,
                "owner_pid": self._owner,
            }
        )
        unfinished = self._state.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(
            os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
        ) as out:
            out.write(text)
        unfinished.replace(self._state)


def start(
    directory: Path, *, postgres: bool = True, valkey: bool = True, fast: bool = False
) -> Servers:
    """Start the embedded servers of a directory and return when both answer.

    Data lies in the directory's `servers` folder and is kept over restarts. Servers that a killed
    host left behind are stopped cleanly first. On Linux the kernel ends the servers when this
    process dies in whatever way. Start from the main thread: there the death signal works, and a
    SIGTERM that nobody handles yet becomes an orderly exit.

    Args:
        directory: The deployment's data folder; made when missing.
        postgres: Whether to start PostgreSQL.
        valkey: Whether to start Valkey.
        fast: Do not wait for the disk. For tests only: a power cut loses data.

    Raises:
        AlreadyRunningError: Another process runs the servers of this directory.
        MissingServersError: The wheels with the server programs are not installed.
        CommandError: Anything else, with cause and mend.
    """
    servers = Servers(Path(directory), postgres, valkey, fast)
    _make_termination_orderly()
    servers._start()  # noqa: SLF001 - the constructor itself must not start anything
    return servers


def find(directory: Path, *, wait_seconds: float = 0.0) -> Addresses | None:
    """The addresses of embedded servers that another process runs for this directory, or None.

    Args:
        directory: The deployment's data folder.
        wait_seconds: How long to wait for servers that are just being started.
    """
    folder = embedded_home.locate(Path(directory))
    deadline = time.monotonic() + wait_seconds
    while True:
        with suppress(FileNotFoundError, PermissionError):
            if not _is_locked(folder):
                return None
            with suppress(FileNotFoundError):
                return Addresses(**json.loads((folder / "state.json").read_text(encoding="utf-8")))
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.1)


def _is_locked(folder: Path) -> bool:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _take_lock(folder: Path, directory: Path) -> int:
    """Lock the folder for this process; the kernel lets go when it ends, however it ends."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(folder / "lock", flags, 0o600)
    for attempt in range(10):  # `find` holds it for an instant
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt < 9:
                time.sleep(0.05)
                continue
            owner = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise AlreadyRunningError(directory, int(owner) if owner.isdigit() else None) from None
        break
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def _make_termination_orderly() -> None:
    """Turn a SIGTERM that nobody handles into SystemExit, so that the servers are stopped."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _exit)


def _exit(number: int, frame: FrameType | None) -> None:
    del frame
    sys.exit(128 + number)
