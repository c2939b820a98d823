"""Promises of the supervisor: crashed processes come back, one signal ends all, nothing is left.

Each test starts a real supervisor with small programs and looks at processes and output.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SUPERVISOR = """
import json, os, sys
from torg.supervisor import Program, Supervisor
facts = json.loads(sys.argv[1])
programs = [Program(name, (sys.executable, "-u", "-c", code), dict(os.environ), name == "web")
            for name, code in facts["programs"].items()]
def tell(sentence):
    print("TOLD", sentence, flush=True)
Supervisor(programs, tell=tell, output=sys.stdout.buffer, marked=True,
           reloads=facts["reloads"], stop_seconds=facts["stop_seconds"]).run()
print("TOLD all ended", flush=True)
"""
STEADY = "import os, time; print('pid', os.getpid()); time.sleep(300)"
DEAF = (
    "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('pid', os.getpid()); time.sleep(300)"
)
RELOADING = (
    "import os, signal, time; signal.signal(signal.SIGHUP, lambda *_: print('reloaded'));"
    "print('pid', os.getpid())\nwhile True: time.sleep(0.05)"
)
# A master with a worker in its group that does not mind the master's death.
MASTER = (
    "import os, subprocess, sys, time;"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)']);"
    "print('worker', child.pid); print('pid', os.getpid()); time.sleep(300)"
)


class Running:
    """A supervisor with its output as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []

    def until(self, fact: Callable[[list[str]], object]) -> list[str]:
        """Read lines until `fact` of all lines so far is true."""
        assert self.process.stdout is not None
        while not fact(self.lines):
            line = self.process.stdout.readline()
            assert line, f"ended early: {self.lines}"
            self.lines.append(line.strip())
        return self.lines

    def pids(self, name: str, count: int = 1) -> list[int]:
        """The process numbers that a program printed, once there are so many."""

        def found(lines: list[str]) -> list[int]:
            words = [line.split() for line in lines]
            return [int(each[2]) for each in words if each[:2] == [name, "pid"]]

        self.until(lambda lines: len(found(lines)) >= count)
        return found(self.lines)

    def end(self, number: signal.Signals = signal.SIGTERM) -> list[str]:
        """Send a signal and return everything said until the end."""
        self.process.send_signal(number)
        return self.finish()

    def finish(self) -> list[str]:
        """Everything said until the end."""
        rest, _ = self.process.communicate(timeout=60)
        return [*self.lines, *rest.splitlines()]


@pytest.fixture
def supervise() -> Iterator[Callable[..., Running]]:
    started: list[subprocess.Popen[str]] = []

    def start(
        programs: dict[str, str], *, stop_seconds: float = 20, reloads: bool = False
    ) -> Running:
        facts = {"programs": programs, "stop_seconds": stop_seconds, "reloads": reloads}
        process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, json.dumps(facts)],
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return Running(process)

    yield start
    for process in started:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=30)
        process.kill()
        process.communicate()


def is_gone(pid: int) -> bool:
    """Whether a process has ended, within a generous time."""
    for _ in range(400):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        with contextlib.suppress(FileNotFoundError):
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        time.sleep(0.05)
    return False


def test_a_crashed_process_is_started_again_and_said_so(
    supervise: Callable[..., Running],
) -> None:
    running = supervise({"worker": STEADY})
    first = running.pids("worker")[0]
    os.kill(first, signal.SIGKILL)
    second = running.pids("worker", 2)[1]
    assert second != first
    assert any("worker was ended by SIGKILL; it is started again" in each for each in running.lines)


def test_a_process_that_keeps_crashing_is_started_with_growing_pauses(
    supervise: Callable[..., Running],
) -> None:
    running = supervise({"worker": "raise SystemExit(3)"})
    lines = running.until(lambda lines: sum("ended with code 3" in each for each in lines) >= 3)
    pauses = [float(each.split()[-2]) for each in lines if "ended with code 3" in each]
    assert pauses == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_ends_every_process(
    supervise: Callable[..., Running], number: signal.Signals
) -> None:
    running = supervise({"web": STEADY, "worker": STEADY})
    pids = running.pids("web") + running.pids("worker")
    assert running.end(number)[-1] == "TOLD all ended"
    assert running.process.returncode == 0
    assert all(is_gone(pid) for pid in pids)


def test_a_process_that_does_not_listen_is_killed_when_its_time_is_over(
    supervise: Callable[..., Running],
) -> None:
    running = supervise({"web": DEAF, "worker": STEADY}, stop_seconds=1)
    pids = running.pids("web") + running.pids("worker")
    assert running.end()[-1] == "TOLD all ended"
    assert all(is_gone(pid) for pid in pids)


def test_a_second_signal_kills_at_once(supervise: Callable[..., Running]) -> None:
    running = supervise({"web": DEAF}, stop_seconds=3600)
    pid = running.pids("web")[0]
    running.process.send_signal(signal.SIGTERM)
    while running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
    assert running.finish()[-1] == "TOLD all ended"
    assert is_gone(pid)


def test_processes_end_when_the_supervisor_is_killed(supervise: Callable[..., Running]) -> None:
    running = supervise({"web": STEADY, "worker": STEADY})
    pids = running.pids("web") + running.pids("worker")
    # Other kernels have no death signal; there the promise holds for an orderly end.
    running.end(signal.SIGKILL if sys.platform == "linux" else signal.SIGTERM)
    assert all(is_gone(pid) for pid in pids)


def test_workers_of_a_killed_master_do_not_stay(supervise: Callable[..., Running]) -> None:
    running = supervise({"web": MASTER})
    master = running.pids("web")[0]
    worker = next(int(each.split()[2]) for each in running.lines if "worker" in each.split())
    os.kill(master, signal.SIGKILL)
    assert is_gone(worker)
    running.pids("web", 2)


def test_a_hang_up_reloads_the_web_and_starts_the_rest_anew(
    supervise: Callable[..., Running],
) -> None:
    running = supervise({"web": RELOADING, "worker": STEADY}, reloads=True)
    web, worker = running.pids("web")[0], running.pids("worker")[0]
    running.process.send_signal(signal.SIGHUP)
    assert running.pids("worker", 2)[1] != worker
    running.until(lambda lines: any(each.split() == ["web", "reloaded"] for each in lines))
    assert running.pids("web") == [web]


def test_the_end_of_the_terminal_ends_everything(supervise: Callable[..., Running]) -> None:
    running = supervise({"worker": STEADY})
    pid = running.pids("worker")[0]
    assert running.end(signal.SIGHUP)[-1] == "TOLD all ended"
    assert is_gone(pid)


def test_every_line_is_marked_with_its_process(supervise: Callable[..., Running]) -> None:
    running = supervise({"scheduler": "print('tick')\nimport time; time.sleep(300)"})
    running.until(lambda lines: any(each.split() == ["scheduler", "tick"] for each in lines))
    assert running.end()[-1] == "TOLD all ended"


WITH_SERVERS = """
import sys, time
from pathlib import Path
from torg import embedded
from torg.supervisor import Supervisor
with embedded.start(Path(sys.argv[1]), fast=True, valkey=False) as servers:
    print("worker pid", servers.pids()["postgres"], flush=True)
    def tell(sentence):
        print("TOLD", sentence, flush=True)
        print("worker pid", servers.pids()["postgres"], flush=True)
    Supervisor([], tell=tell, servers=servers).run()
print("TOLD all ended", flush=True)
"""


def test_a_crashed_embedded_server_runs_again() -> None:
    place = Path(tempfile.mkdtemp(prefix="torg-test-"))
    place.chmod(0o755)
    running = Running(
        subprocess.Popen(
            [sys.executable, "-c", WITH_SERVERS, str(place)], stdout=subprocess.PIPE, text=True
        )
    )
    first = running.pids("worker")[0]
    os.kill(first, signal.SIGKILL)
    second = running.pids("worker", 2)[1]
    assert second != first
    assert "TOLD postgres had ended and runs again" in running.lines
    assert running.end()[-1] == "TOLD all ended"
    assert is_gone(second)
    shutil.rmtree(place)
