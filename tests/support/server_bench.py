"""Embedded servers for tests: folders anybody may enter, hosts in other processes, questions."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
import redis

from torg import embedded, embedded_home

ROOT = os.geteuid() == 0
HOST = """
import json, signal, sys, threading, time
from pathlib import Path
from torg import embedded
# Who started the tests in the background made them, and so this, deaf to SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)
directory, how = Path(sys.argv[1]), sys.argv[2]
started = []
def start():
    started.append(embedded.start(directory, fast=True))
if how == "without death signal":
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
else:
    start()
servers = started[0]
facts = {"database_url": servers.database_url, "redis_url": servers.redis_url,
         "pids": list(servers.pids().values())}
print(json.dumps(facts), flush=True)
time.sleep(120)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A temporary folder that any user may enter, as a checkout usually is."""
    place = Path(tempfile.mkdtemp(prefix="torg-test-"))
    place.chmod(0o755)
    yield place
    embedded_home.remove(place)
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def running() -> Iterator[embedded.Servers]:
    """Servers for the tests that only ask them something."""
    place = Path(tempfile.mkdtemp(prefix="torg-test-"))
    place.chmod(0o755)
    with embedded.start(place, fast=True) as servers:
        yield servers
        servers.stop(remove_data=True)
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def host(folder: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], dict[str, object]]]]:
    """Start another process that runs the embedded servers of `folder`."""
    started: list[subprocess.Popen[str]] = []

    def start(how: str = "plain") -> tuple[subprocess.Popen[str], dict[str, object]]:
        command = [sys.executable, "-c", HOST, str(folder), how]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        return process, json.loads(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


def ask(url: str, statement: str) -> list[tuple[object, ...]]:
    """Run one statement in its own transaction."""
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def ring(url: str, *words: str) -> object:
    """Send one command to Valkey."""
    with redis.Redis.from_url(url) as client:
        return client.execute_command(*words)


def setting(url: str, name: str) -> str:
    """One setting of Valkey as it runs."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return str(client.config_get(name)[name])


def ends(pid: int) -> bool:
    """Whether a process is gone within a generous time."""
    for _ in range(600):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").exists():
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
            if state == "Z":
                return True
        time.sleep(0.05)
    return False
