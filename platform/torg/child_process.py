"""Starting and stopping child processes so that none outlives its parent.

Owns the low-level care: an own process group (the terminal's Ctrl+C reaches only the parent, which
then stops its children in order), the kernel's death signal, another user, a stop that escalates.
Which children run and when they are restarted is `supervisor`'s and `embedded`'s.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from torg.command_errors import CommandError

_PR_SET_PDEATHSIG = 1
_LOG_BYTES = 5_000_000
# Loaded before any fork: loading a library between fork and exec could deadlock.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Runner:
    """An existing system user that child processes run under."""

    name: str
    uid: int
    gid: int

    @classmethod
    def of(cls, uid: int) -> Runner:
        """The user with this number, also when it has no name."""
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:
            return cls(str(uid), uid, uid)
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)


def death_signal(number: signal.Signals) -> Callable[[], None] | None:
    """What a child calls before exec so that the kernel signals it when its parent dies.

    Linux watches the THREAD that forked, so this is given only in the main thread; elsewhere, and
    on other systems, the next start finds the orphan and stops it (`embedded`).
    """
    libc = _libc
    if libc is None or threading.current_thread() is not threading.main_thread():
        return None
    parent = os.getpid()

    def ask_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # the parent died between fork and this line
            os.kill(os.getpid(), number)

    return ask_kernel


def start(
    command: Sequence[str | Path],
    *,
    runner: Runner | None = None,
    folder: Path | None = None,
    output: IO[bytes] | int | None = None,
    environment: Mapping[str, str] | None = None,
    on_parent_death: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a child in its own process group.

    Args:
        command: Program and arguments; never read by a shell.
        runner: The user to become; only root may give one.
        folder: Working folder of the child.
        output: Where both standard output and standard error go; None keeps the parent's.
        environment: The whole environment; None keeps the parent's.
        on_parent_death: The signal the kernel sends when the parent dies (Linux only).
    """
    return subprocess.Popen(
        [str(part) for part in command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        env=dict(environment) if environment is not None else None,
        user=runner.uid if runner else None,
        group=runner.gid if runner else None,
        extra_groups=[] if runner else None,
        process_group=0,
        preexec_fn=death_signal(on_parent_death),
    )


def private_log(path: Path) -> IO[bytes]:
    """Open a log that only its owner may read, for appending; a long one begins anew.

    Servers write statements with their values into it when these fail.
    """
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def run(
    command: Sequence[str | Path],
    *,
    runner: Runner | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout_seconds: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run a short command to its end; its output and exit code are the caller's to judge."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        env=dict(environment) if environment is not None else None,
        user=runner.uid if runner else None,
        group=runner.gid if runner else None,
        extra_groups=[] if runner else None,
        timeout=timeout_seconds,
    )


def stop(
    process: subprocess.Popen[bytes], steps: Sequence[tuple[signal.Signals, float]]
) -> int | None:
    """End a child: send each signal in turn and wait its seconds, then SIGKILL its whole group.

    Returns:
        The exit code, or None when the kernel has not reaped it even after SIGKILL.
    """
    for number, seconds in steps:
        if process.poll() is not None:
            break
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
    return process.returncode


def end_left_behind(folder: Path, program: str, pid_file: Path, polite: signal.Signals) -> None:
    """Stop the processes that a killed parent left working on a folder, and wait for their end.

    The caller holds the folder's lock, so no living host owns them. A number in a pid file proves
    nothing (numbers are reused): only a process of that program that works in the folder counts.

    Raises:
        CommandError: They do not end, even after SIGQUIT.
    """
    leader = _number_in(pid_file)
    started = time.monotonic()
    sent: set[signal.Signals] = set()
    while members := _members(folder, program, leader):
        waited = time.monotonic() - started
        number = polite if waited < 20 else signal.SIGQUIT
        if number not in sent:
            sent.add(number)
            with contextlib.suppress(ProcessLookupError):
                os.kill(leader if leader in members else members[0], number)
        if waited > 30:
            raise CommandError(
                f"{program}, left behind by a former start, does not end",
                where=f"process {', '.join(map(str, members))} in {folder}",
                next_steps=(f"end it by hand: kill -QUIT {members[0]}",),
            )
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Whether a process of this number exists; not whether it is the one that was meant."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _number_in(pid_file: Path) -> int:
    try:
        return int(pid_file.read_text(encoding="ascii", errors="replace").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return 0


def _members(folder: Path, program: str, leader: int) -> list[int]:
    """The living processes of a program whose working folder this is, by number."""
    if sys.platform != "linux":
        command = run(["ps", "-o", "command=", "-p", str(leader)]).stdout if leader else ""
        return [leader] if program in command else []
    wanted = str(folder.resolve())
    members = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        # A process that ended meanwhile, or is another user's, has no readable folder.
        with contextlib.suppress(OSError):
            if str((entry / "cwd").readlink()) == wanted:
                first_word = (entry / "cmdline").read_bytes().split(b"\0", 1)[0].decode()
                if program in first_word:
                    members.append(int(entry.name))
    return sorted(members)
