"""Promises of the processes' surroundings: addresses, and folders that do not pile up."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from torg import processes
from torg.command_errors import CommandError


@pytest.mark.parametrize(
    ("bind", "host", "port", "expected"),
    [
        ("127.0.0.1:8000", None, None, "127.0.0.1:8000"),
        ("127.0.0.1:8000", None, 9000, "127.0.0.1:9000"),
        ("127.0.0.1:8000", "0.0.0.0", None, "0.0.0.0:8000"),
        ("[::1]:8000", None, 9000, "[::1]:9000"),
        ("127.0.0.1:8000", "::", 9000, "[::]:9000"),
    ],
)
def test_what_the_command_line_says_wins_over_the_settings(
    bind: str, host: str | None, port: int | None, expected: str
) -> None:
    assert processes.address(bind, host, port) == expected


def test_a_taken_address_is_refused_and_a_free_one_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        bind = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(CommandError, match="cannot listen"):
            processes.refuse_taken_address(bind, "torg run web")
    processes.refuse_taken_address(bind, "torg run web")


def test_a_folder_of_numbers_is_private_and_removed_by_its_maker_only() -> None:
    folder = processes.make_numbers_folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    command = "import sys; from pathlib import Path; from torg import processes;"
    command += "processes.remove_numbers_folder(Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", command, str(folder)], check=True)
    assert folder.is_dir()
    processes.remove_numbers_folder(folder)
    assert not folder.exists()


def test_old_folders_of_killed_processes_are_swept_and_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    forgotten, fresh, living = (
        tmp_path / f"torg-metrics-{number}-{name}"
        for number, name in ((ended.pid, "old"), (ended.pid, "new"), (os.getpid(), "old"))
    )
    for folder in (forgotten, fresh, living):
        folder.mkdir()
    for folder in (forgotten, living):
        os.utime(folder, (0, 0))
    made = processes.make_numbers_folder()
    assert set(tmp_path.iterdir()) == {fresh, living, made}
