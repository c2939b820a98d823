"""The embedded Valkey: the doorbell's server, on a Unix socket in a private folder.

It appends every write to a file (AOF), so waiting rings and rate counters survive a restart. Losing
them would still change no outcome: the database is the truth.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from urllib.parse import quote

import redis

from torg import child_process
from torg.command_errors import CommandError
from torg.embedded_home import Home
from torg.embedded_postgres import tail

_STOP = ((signal.SIGTERM, 10.0),)
_START_SECONDS = 30.0


class Valkey:
    """One embedded Valkey server of a `Home`."""

    def __init__(self, home: Home, *, fast: bool = False) -> None:
        self._home = home
        self._fast = fast
        self._socket = home.sockets / "valkey.sock"
        self._log = home.folder / "valkey.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address for redis-py and RQ."""
        return f"unix://{quote(str(self._socket))}?db=0"

    @property
    def pid(self) -> int | None:
        """The server's process number, when it was started."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the server and wait until it has loaded its data.

        Raises:
            CommandError: It did not come up; the end of its log is in the message.
        """
        program = self._home.binaries.valkey
        assert program is not None, "prepare() was asked for no Valkey"
        data = self._home.data("valkey")
        pid_file = data / "valkey.pid"
        child_process.end_left_behind(data, "valkey-server", pid_file, signal.SIGTERM)
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "pidfile": str(pid_file),
            "dir": str(data),
            "appendonly": "yes",
            "appendfsync": "no" if self._fast else "everysec",
            "save": "",
            "loglevel": "notice",
            "daemonize": "no",
        }
        command: list[str] = [str(program)]
        for name, value in settings.items():
            command += [f"--{name}", value]
        with child_process.private_log(self._log) as log:
            self._process = child_process.start(
                command,
                runner=self._home.runner,
                folder=data,
                output=log,
                environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
                on_parent_death=signal.SIGTERM,
            )
        self._wait(self._process)

    def is_running(self) -> bool:
        """Whether the server process is alive."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop the server; it writes its file to disk first."""
        if self._process is not None:
            child_process.stop(self._process, _STOP)
            self._socket.unlink(missing_ok=True)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while problem := self._problem():
            if process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            self.stop()
            data = self._home.folder / "valkey"
            raise CommandError(
                "the embedded Valkey did not start",
                where=str(self._log),
                why=tail(self._log) or problem,
                next_steps=(f"if its data is damaged, move {data} away: no fact is kept in it",),
            )

    def _problem(self) -> str | None:
        """Why the server does not answer yet, or None when it does."""
        client = redis.Redis(unix_socket_path=str(self._socket), socket_timeout=5)
        with contextlib.closing(client):
            try:
                client.ping()
            except redis.RedisError as error:
                return str(error)
        return None
