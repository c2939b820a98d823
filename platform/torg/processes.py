"""The processes a deployment consists of, as commands: web, streams, worker, scheduler.

Owns their command lines and the environment that each gets. Keeping them running is `supervisor`'s,
or that of compose or a process manager.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from torg import child_process
from torg.command_errors import CommandError
from torg.config import HostSettings
from torg.supervisor import Program

PROCESS = "TORG_PROCESS"
NUMBERS = "PROMETHEUS_MULTIPROC_DIR"
_NUMBERS_PREFIX = "torg-metrics-"
_FORGOTTEN_SECONDS = 86400.0
_GUNICORN = ("-m", "gunicorn", "--config", "python:torg.gunicorn_config", "torg.app:create_app()")


def web(environment: Mapping[str, str], process: str = "web") -> Program:
    """The web server; `process` is `web`, `streams` or `all` (see `gunicorn_config`)."""
    name = "streams" if process == "streams" else "web"
    return Program(
        name, (sys.executable, *_GUNICORN), {**environment, PROCESS: process}, reloads=True
    )


def worker(environment: Mapping[str, str], number: int = 1) -> Program:
    """One worker process."""
    # The children of `torg run worker` with several processes must not multiply again.
    return _command(f"worker-{number}", {**environment, "TORG_JOB_WORKERS": "1"}, "run", "worker")


def scheduler(environment: Mapping[str, str]) -> Program:
    """The clock of the schedules."""
    return _command("scheduler", environment, "run", "scheduler")


def everything(host: HostSettings, environment: Mapping[str, str]) -> list[Program]:
    """All processes of one machine; web requests and streams share one server."""
    workers = [worker(environment, number + 1) for number in range(host.job_workers)]
    return [web(environment, "all"), *workers, scheduler(environment)]


def make_numbers_folder() -> Path:
    """A folder in which the processes that this one starts put their metrics together.

    It is temporary and of this process alone: two servers, or two containers with equal process
    numbers, must never meet in one.
    """
    _remove_forgotten_folders()
    return Path(tempfile.mkdtemp(prefix=f"{_NUMBERS_PREFIX}{os.getpid()}-"))


def remove_numbers_folder(folder: Path) -> None:
    """Remove the folder, if this very process made it."""
    if folder.name.startswith(f"{_NUMBERS_PREFIX}{os.getpid()}-"):
        shutil.rmtree(folder, ignore_errors=True)


def _remove_forgotten_folders() -> None:
    """What killed processes left: old folders of ours whose maker lives no more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_NUMBERS_PREFIX}*-*"):
        number = folder.name.removeprefix(_NUMBERS_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError, ValueError):
            facts = folder.lstat()
            old = time.time() - facts.st_mtime > _FORGOTTEN_SECONDS
            if old and facts.st_uid == os.geteuid() and not child_process.is_alive(int(number)):
                shutil.rmtree(folder)


def address(bind: str, host: str | None, port: int | None) -> str:
    """The `address:port` to listen on: what the command line says, over that of the settings."""
    name, _, number = bind.rpartition(":")
    if host is not None:
        name = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{name}:{port if port is not None else number}"


def refuse_taken_address(bind: str, command: str) -> None:
    """See that the address is free before anything is started.

    Raises:
        CommandError: Another program listens there, or the address is not this machine's.
    """
    name, _, port = bind.rpartition(":")
    name = name.strip("[]")
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the web server does: an address in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((name, int(port)))
        except OSError as error:
            raise CommandError(
                f"cannot listen on {bind}",
                where=f"port {port}",
                why=f"{os.strerror(error.errno or 0)}: most likely another program uses it",
                next_steps=(f"{command} --port {_another(int(port))}", "or end that program"),
            ) from error


def _another(port: int) -> int:
    return port + 1 if port < 65535 else 8000


def _command(name: str, environment: Mapping[str, str], *words: str) -> Program:
    return Program(name, (sys.executable, "-m", "torg.cli", *words), dict(environment))
