"""A newcomer: a folder, commands typed in it, and a demo that may run there.

The commands run as children with no setting but those that a test names, and are ended by signals.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from torg.testing_processes import eventually


@dataclass
class Terminal:
    """A folder in which commands are typed."""

    folder: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *words: str, **environ: str) -> subprocess.Popen[bytes]:
        """Start `torg …`; what it says goes into a file."""
        with self.log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "torg.cli", *words],
                cwd=self.folder,
                env=_environment(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running.append(process)
        return process

    def run(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run `torg …` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "torg.cli", *words],
            cwd=self.folder,
            env=_environment(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @property
    def log(self) -> Path:
        """What the last started command said."""
        return self.folder / "output.txt"

    def demo(self, port: int, *words: str, **environ: str) -> tuple[subprocess.Popen[bytes], str]:
        """Start a demo and wait for its block."""
        process = self.start("demo", "--port", str(port), *words, **environ)
        self.until(process, "Ctrl+C stops")
        return process, self.log.read_text("utf-8", "replace")

    def until(self, process: subprocess.Popen[bytes], words: str) -> None:
        """Wait until a command has said something."""

        def said() -> bool:
            text = self.log.read_text("utf-8", "replace")
            assert process.poll() is None, text
            return words in text

        eventually(said, seconds=150)

    def processes(self) -> list[str]:
        """Every living process that works in the folder or was told its name."""
        answer = subprocess.run(
            ["ps", "-eo", "pid=,args="], capture_output=True, text=True, check=False
        )
        lines = []
        for line in answer.stdout.splitlines():
            number = line.split()[0]
            with contextlib.suppress(OSError):
                place = Path(f"/proc/{number}/cwd").readlink()
                if str(self.folder) in line or place.is_relative_to(self.folder):
                    lines.append(line)
        return lines


def _environment(more: dict[str, str]) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("TORG_")}
    return {**clean, **more}


@contextlib.contextmanager
def open_terminal() -> Iterator[Terminal]:
    folder = Path(tempfile.mkdtemp(prefix="torg-newcomer-"))
    folder.chmod(0o755)
    terminal = Terminal(folder)
    yield terminal
    for process in terminal.running:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
        process.kill()
        process.wait(10)
    shutil.rmtree(folder, ignore_errors=True)


@dataclass
class RunningDemo:
    """The demo that the tests of this file share; started anew when the one before has ended."""

    terminal: Terminal
    port: int
    process: subprocess.Popen[bytes] | None = None
    block: str = ""

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *words: str, **environ: str) -> None:
        """Start it and wait for its block."""
        self.process, self.block = self.terminal.demo(self.port, *words, **environ)

    def end(self, number: signal.Signals) -> int:
        """Send a signal, wait for the end and return the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(90)
