"""The test kit's processes: the very commands of a deployment, as children of the test.

Owns starting, waiting for and ending them. Whatever a test kills or pauses, nothing is left behind.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_STOP_SECONDS = 3.0


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def eventually(fact: Callable[[], object], seconds: float = 20.0, pause: float = 0.05) -> None:
    """Wait until `fact()` is true; the bound is generous, it only ends a hopeless wait.

    Raises:
        AssertionError: it did not become true.
    """
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > deadline:
            message = f"did not happen within {seconds} s: {fact}"
            raise AssertionError(message)
        time.sleep(pause)


@dataclass
class Child:
    """A running `torg` command."""

    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """`kill -9`, the whole process group: nobody gets to say goodbye."""
        self._signal(signal.SIGKILL)
        self.process.wait(10)

    def pause(self) -> None:
        """Stop it where it stands, until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused one go on."""
        self._signal(signal.SIGCONT)

    def ask_to_stop(self) -> None:
        """Tell it to end in order, and do not wait."""
        self.resume()
        self._signal(signal.SIGTERM)

    def stop(self, seconds: float = 15.0) -> None:
        """End it in order; one that does not listen for so long is killed."""
        self.ask_to_stop()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def output(self) -> str:
        """What it has said so far."""
        return self.log.read_text("utf-8", "replace")

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


@dataclass
class Deployment:
    """The processes of one deployment over one database.

    Attributes:
        environ: the `TORG_…` variables that every process gets.
        directory: where it runs and where its logs go.
        app: an application of this process on the same database, for what has no route.
    """

    environ: Mapping[str, str]
    directory: Path
    app: Any = None
    children: list[Child] = field(default_factory=list)

    def start(self, *command: str, **environ: str) -> Child:
        """Run `torg <command>` in a process group of its own."""
        name = "-".join(word for word in command[:2] if not word.startswith("-"))
        log = self.directory / f"{len(self.children)}-{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "torg.cli", *command],
                cwd=self.directory,
                env={**os.environ, **self.environ, **environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        child = Child(process, log)
        self.children.append(child)
        return child

    def web(self, **environ: str) -> tuple[str, Child]:
        """A web server that answers; returns its address and its process."""
        port = free_port()
        child = self.start("run", "web", "--port", str(port), **environ)
        address = f"http://127.0.0.1:{port}"
        try:
            eventually(lambda: answers(f"{address}/health/live"), seconds=40)
        except AssertionError as error:
            raise AssertionError(child.output()[-4000:]) from error
        return address, child

    def worker(self, **environ: str) -> Child:
        """A worker of the job queue."""
        return self.start("run", "worker", **environ)

    def scheduler(self, **environ: str) -> Child:
        """The clock of the schedules."""
        return self.start("run", "scheduler", **environ)

    def close(self) -> None:
        """End every process, all at the same time; whoever still waits for somebody is killed."""
        for child in self.children:
            child.ask_to_stop()
        for child in reversed(self.children):
            child.stop(_STOP_SECONDS)


def answers(url: str) -> bool:
    """Whether the address gives an HTTP answer of any kind."""
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - a loopback address of ours
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
