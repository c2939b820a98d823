"""Keeps the processes of one machine running: `torg run all` and `torg demo`.

Owns starting them, starting crashed ones again with growing pauses, passing signals on, ending all
within seconds, and marking each line of their output with its process. What the processes are is
`run_commands`' and `demo_commands`'; a process manager or compose may do this instead.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import IO

from torg import child_process
from torg.embedded import Servers

_LONGEST_PAUSE_SECONDS = 30.0
_SOUND_AFTER_SECONDS = 30.0
_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Program:
    """One process to keep running.

    Attributes:
        name: What its lines are marked with.
        command: Program and arguments.
        environment: Its whole environment.
        reloads: Whether it reloads by itself on SIGHUP; others are started anew.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    reloads: bool = False


@dataclass
class _Child:
    program: Program
    process: subprocess.Popen[bytes] | None = None
    reader: threading.Thread | None = None
    started_at: float = 0.0
    failures: int = 0
    start_again_at: float = 0.0
    reloading: bool = False


@dataclass
class Supervisor:
    """Runs programs until it is told to stop.

    Attributes:
        programs: What runs.
        tell: Called with each sentence for a person.
        output: Where the lines of the programs go; None leaves them the parent's output.
        marked: Whether each line begins with the name of its program.
        reloads: Whether SIGHUP means "read the code anew"; it stops everything otherwise, as the
            closing of a terminal should.
        servers: Embedded servers to look after; the caller stops them.
        stop_seconds: Time that programs get to end; then they are killed.
        started: Called once after the first start, and again in each round until it is true;
            `torg demo` waits here for the web server to answer.
    """

    programs: Iterable[Program]
    tell: Callable[[str], object]
    output: IO[bytes] | None = None
    marked: bool = False
    reloads: bool = False
    servers: Servers | None = None
    stop_seconds: float = 30.0
    started: Callable[[], bool] = lambda: True
    _children: list[_Child] = field(default_factory=list)
    _signals: list[int] = field(default_factory=list)
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Start everything, return when a SIGTERM or SIGINT came and everything has ended."""
        former = {
            number: signal.signal(number, self._note)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        }
        try:
            self._children = [_Child(program) for program in self.programs]
            for child in self._children:
                self._start(child)
            self._watch()
        finally:
            self._stop()
            for number, handler in former.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._signals.append(number)

    def _watch(self) -> None:
        announced = False
        while True:
            while self._signals:
                number = self._signals.pop(0)
                if number != signal.SIGHUP or not self.reloads:
                    return
                self._reload()
            if self.servers is not None and self.servers.dead():
                self.tell(f"{', '.join(self.servers.revive())} had ended and runs again")
            for child in self._children:
                self._look_after(child)
            announced = announced or self.started()
            time.sleep(_LOOK_SECONDS)

    def _start(self, child: _Child) -> None:
        program = child.program
        child.process = child_process.start(
            program.command,
            environment=program.environment,
            output=subprocess.PIPE if self.output is not None else None,
        )
        child.started_at = time.monotonic()
        if self.output is not None:
            child.reader = threading.Thread(
                target=self._copy_lines, args=(program.name, child.process), daemon=True
            )
            child.reader.start()

    def _look_after(self, child: _Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.start_again_at:
                self._start(child)
            return
        code = child.process.poll()
        if code is None:
            if child.failures and now - child.started_at > _SOUND_AFTER_SECONDS:
                child.failures = 0
            return
        self._end_group(child.process)
        child.process = None
        if child.reloading:
            child.reloading = False
            child.start_again_at = now
            return
        pause = min(0.5 * 2**child.failures, _LONGEST_PAUSE_SECONDS)
        child.failures += 1
        child.start_again_at = now + pause
        self.tell(f"{child.program.name} {_end(code)}; it is started again in {pause:g} s")

    def _reload(self) -> None:
        self.tell("reloading")
        for child in self._children:
            if child.process is not None:
                child.reloading = not child.program.reloads
                number = signal.SIGHUP if child.program.reloads else signal.SIGTERM
                child.process.send_signal(number)

    def _stop(self) -> None:
        """End all: asked, waited for, killed; a second signal kills at once."""
        running = [each.process for each in self._children if each.process is not None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self.stop_seconds
        while any(process.poll() is None for process in running):
            if time.monotonic() > deadline or self._signals:
                break
            time.sleep(0.02)
        for process in running:
            if process.poll() is None:
                child_process.stop(process, ())
            self._end_group(process)
        for child in self._children:
            if child.reader is not None:
                child.reader.join(5)

    def _end_group(self, process: subprocess.Popen[bytes]) -> None:
        """A master that was killed leaves its workers, who would keep its port taken."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)

    def _copy_lines(self, name: str, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        assert self.output is not None
        mark = f"{name:<10} ".encode() if self.marked else b""
        with process.stdout as lines:
            for line in lines:
                # The terminal may be gone; the programs must not stop for that.
                with self._writing, contextlib.suppress(OSError, ValueError):
                    self.output.write(mark + line)
                    self.output.flush()


def _end(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
