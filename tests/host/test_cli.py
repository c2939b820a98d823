"""Promises of the command line: exit codes, streams, messages that say what, where, why and next.

Commands run as children, as a person runs them, in an empty folder and with an empty environment.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import psycopg2
import pytest

import torg
from torg import cli, health
from torg.app import create_app
from torg.command_errors import CommandError
from torg.config import HostSettings, Settings

Run = Callable[..., subprocess.CompletedProcess[str]]
SECRET = "0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `torg …` in an empty folder; keyword arguments are environment variables."""

    def start(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("TORG_")}
        return subprocess.run(
            [sys.executable, "-m", "torg.cli", *words],
            cwd=tmp_path,
            env={**clean, "TORG_SECRET_KEY": SECRET, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return start


@pytest.fixture
def bare(torg_environment: Any, make_app: Any) -> str:
    """The address of a database in which nothing is yet."""
    url: str = torg_environment.create("torg_test_bare")
    make_app.adopt("torg_test_bare")
    return url


@pytest.fixture
def stranger(tmp_path: Path) -> str:
    """A folder for PYTHONPATH with an installed plugin that brings a command group."""
    package = tmp_path / "site" / "torg_stall"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "plugin.toml").write_text('name = "stall"\ntitle = "A stall"\n')
    (package / "plugin.py").write_text(
        "import click\nfrom flask import current_app\nfrom torg import hookimpl\n"
        "@click.group('market')\ndef group():\n    'Commands of the stall.'\n"
        "@group.command()\ndef where():\n    'Say where it runs.'\n"
        "    click.echo(current_app.name)\n"
        "@hookimpl\ndef torg_cli():\n    return group\n"
    )
    facts = tmp_path / "site" / "torg_stall-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: torg-stall\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[torg.plugins]\nstall = torg_stall\n")
    return str(tmp_path / "site")


def test_the_overview_names_every_command(run: Run) -> None:
    result = run("--help")
    assert result.returncode == 0
    assert all(f"\n  {name} " in result.stdout for name in cli.COMMANDS)
    assert result.stderr == ""


def test_every_listed_command_exists_and_every_module_of_commands_is_listed() -> None:
    for name, (place, _) in cli.COMMANDS.items():
        module, _, attribute = place.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command), name
        assert command.name == name
    listed = {place.partition(":")[0] for place, _ in cli.COMMANDS.values()}
    there = {
        f"torg.{each.name}"
        for each in pkgutil.iter_modules(torg.__path__)
        if each.name.endswith("_commands")
    }
    assert there == listed


def test_every_command_and_option_says_what_it_does() -> None:
    def walk(command: click.Command, path: str) -> Iterator[str]:
        if not command.help:
            yield path
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.help:
                yield f"{path} {parameter.opts[-1]}"
        if isinstance(command, click.Group):
            for name, each in command.commands.items():
                yield from walk(each, f"{path} {name}")

    places = [place.partition(":") for place, _ in cli.COMMANDS.values()]
    commands = [getattr(importlib.import_module(module), name) for module, _, name in places]
    assert [text for each in commands for text in walk(each, str(each.name))] == []


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["dmo"], "Did you mean 'demo'?"),
        (["run", "wbe"], "Did you mean 'web'?"),
        (["openapi", "--postma"], "'--postman'?"),
        (["demo", "--port", "70000"], "70000 is not in the range"),
    ],
)
def test_wrong_use_ends_with_2_and_names_what_was_meant(
    run: Run, words: list[str], hint: str
) -> None:
    result = run(*words)
    assert result.returncode == 2
    assert hint.replace("'", "") in result.stderr.replace("'", "")
    assert result.stdout == ""


def test_a_command_without_a_database_says_what_to_do(run: Run) -> None:
    result = run("run", "web")
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: no database\n  Where:")
    assert "torg demo" in result.stderr
    assert "TORG_DATABASE_URL=postgresql://" in result.stderr


def test_an_unreachable_database_is_named_without_its_password(run: Run) -> None:
    url = "postgresql://torg:hidden-word@127.0.0.1:9/torg"
    result = run("doctor", TORG_DATABASE_URL=url)
    assert result.returncode == 1
    assert "127.0.0.1" in result.stdout
    assert "Next:" in result.stdout
    assert "hidden-word" not in result.stdout + result.stderr


def test_a_database_that_only_the_driver_asks_for_is_named_too(run: Run) -> None:
    result = run("backup", "create", TORG_DATABASE_URL="postgresql://torg@127.0.0.1:9/torg")
    assert result.returncode == 1
    assert result.stderr.startswith(
        "Error: cannot reach the database\n  Where:  TORG_DATABASE_URL\n"
    )


def test_a_database_without_tables_is_answered_with_the_upgrade(
    run: Run, bare: str, tmp_path: Path
) -> None:
    result = run("jobs", "list", TORG_DATABASE_URL=bare)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: the database lacks tables that this needs\n")
    assert result.stderr.endswith("torg db upgrade\n")
    assert "SELECT" not in result.stderr
    host = HostSettings(database_url=bare, debug=True, data_dir=str(tmp_path))
    parts = {part.name: part for part in health.readiness(create_app(Settings.build(host))).parts}
    assert parts["queue"].detail == "its tables wait for torg db upgrade"


def test_wrong_settings_are_json_when_json_was_asked_for(run: Run) -> None:
    facts = json.loads(run("db", "plan", "--json", TORG_WEB_WORKERS="many").stdout)
    assert facts["error"] == "1 problem in the settings (read: environment)"
    assert [each["name"] for each in facts["problems"]] == ["TORG_WEB_WORKERS"]
    assert facts["next"] == ["torg config reference"]


def test_errors_are_json_when_json_was_asked_for(run: Run) -> None:
    result = run("jobs", "list", "--json")
    assert result.returncode == 1
    assert json.loads(result.stdout)["error"] == "no database"
    assert "next" in json.loads(result.stdout)
    assert result.stderr == ""


def test_wrong_settings_are_listed_all_at_once(run: Run) -> None:
    result = run("run", "web", TORG_WEB_THREDS="4", TORG_WEB_WORKERS="many")
    assert result.returncode == 1
    assert "did you mean TORG_WEB_THREADS?" in result.stderr
    assert "TORG_WEB_WORKERS" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_port_names_a_free_one_to_try(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = run("demo", "--port", str(port))
    assert result.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in result.stderr
    assert "torg demo --port" in result.stderr


def test_an_error_nobody_foresaw_shows_its_trace_only_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: object) -> None:
        raise ZeroDivisionError("of a new kind")

    monkeypatch.setattr(cli.torg, "main", broken)
    for words, shown in ([], False), (["--trace"], True):
        with pytest.raises(SystemExit) as end:
            cli.main(words)
        talk = capsys.readouterr().err
        assert end.value.code == 1
        assert "ZeroDivisionError: of a new kind" in talk
        assert ("Traceback" in talk) is shown


def test_a_reader_who_has_seen_enough_is_no_error(run: Run, tmp_path: Path) -> None:
    command = f"{sys.executable} -m torg.cli config reference | head -n 1"
    result = subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Error" not in result.stderr
    assert "Exception" not in result.stderr


def test_a_plugins_group_stands_under_its_own_name(run: Run, stranger: str) -> None:
    result = run("--help", PYTHONPATH=stranger, TORG_PLUGINS="stall")
    assert "Commands of plugins:" in result.stdout
    assert "market" in result.stdout
    assert "Commands of the stall." in result.stdout
    assert "market" not in run("--help", PYTHONPATH=stranger).stdout


def test_a_plugins_command_runs_inside_the_application(
    run: Run, stranger: str, make_app: Callable[..., object]
) -> None:
    app = make_app([])
    url = app.extensions["torg.config"].host.database_url  # type: ignore[attr-defined]
    result = run(
        "market", "where", PYTHONPATH=stranger, TORG_PLUGINS="stall", TORG_DATABASE_URL=url
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "torg\n"


def test_help_of_a_plugins_command_needs_no_database(run: Run, stranger: str) -> None:
    result = run("market", "where", "--help", PYTHONPATH=stranger, TORG_PLUGINS="stall")
    assert result.returncode == 0, result.stderr
    assert "Say where it runs." in result.stdout


def test_a_broken_plugin_does_not_take_the_hosts_commands_with_it(run: Run, stranger: str) -> None:
    Path(stranger, "torg_stall", "plugin.py").write_text("raise RuntimeError('broken')\n")
    result = run("--help", PYTHONPATH=stranger, TORG_PLUGINS="stall")
    assert result.returncode == 0
    assert "commands of plugin stall are missing: broken" in result.stderr
    assert "\n  demo " in result.stdout


def test_a_message_has_what_where_why_and_next_in_this_order() -> None:
    error = CommandError("it broke", where="there", why="thus", next_steps=("this", "or that"))
    assert str(error).splitlines() == [
        "it broke",
        "  Where:  there",
        "  Why:    thus",
        "  Next:   this",
        "          or that",
    ]


@pytest.fixture
def migrated(make_app: Callable[..., Any]) -> dict[str, str]:
    """The settings of a database at head, without any process running on it."""
    host = make_app([]).extensions["torg.config"].host
    return {"TORG_DATABASE_URL": host.database_url, "TORG_REDIS_URL": host.redis_url}


def test_the_doctor_names_each_trouble_and_its_mend(run: Run, migrated: dict[str, str]) -> None:
    result = run("doctor", **migrated)
    assert result.returncode == 1
    assert "[ok]   database " in result.stdout
    assert "[ok]   migrations " in result.stdout
    assert "[FAIL] worker " in result.stdout
    assert "Next: torg run worker" in result.stdout
    assert result.stderr.splitlines()[-1].endswith("warnings")


def test_the_doctor_speaks_json(run: Run, migrated: dict[str, str]) -> None:
    result = run("doctor", "--json", **migrated)
    findings = {each["name"]: each for each in json.loads(result.stdout)}
    assert findings["redis"]["status"] == "ok"
    assert findings["scheduler"]["status"] == "failing"
    assert findings["scheduler"]["mend"].startswith("torg run scheduler")


def test_the_doctor_tells_wrong_settings_and_leaves_out_the_rest(run: Run) -> None:
    result = run("doctor", "--json", TORG_WEB_THREADS="none")
    assert result.returncode == 1
    assert [each["name"] for each in json.loads(result.stdout)] == ["settings"]


def test_a_process_is_alive_while_it_gives_signs_on_this_machine(
    run: Run, migrated: dict[str, str]
) -> None:
    def sign(host: str) -> None:
        connection = psycopg2.connect(migrated["TORG_DATABASE_URL"].replace("+psycopg2", ""))
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO torg_heartbeat (process, kind) VALUES (%s, 'worker')", (f"{host}:1",)
            )
        connection.close()

    assert run("doctor", "--alive", "worker", **migrated).returncode == 1
    sign("another-machine")
    assert run("doctor", "--alive", "worker", **migrated).returncode == 1
    sign(socket.gethostname())
    assert run("doctor", "--alive", "worker", **migrated).returncode == 0
    assert run("doctor", "--alive", "scheduler", **migrated).returncode == 1


def test_a_database_that_is_away_does_not_count_against_a_process(run: Run) -> None:
    url = "postgresql://torg@127.0.0.1:9/torg"
    assert run("doctor", "--alive", "worker", TORG_DATABASE_URL=url).returncode == 0


def test_routes_and_documents_need_neither_database_nor_secret(run: Run) -> None:
    nothing = {"TORG_SECRET_KEY": "", "TORG_PLUGINS": "auth"}
    routes = run("routes", "--json", **nothing)
    assert (routes.returncode, routes.stderr) == (0, "")
    rows = json.loads(routes.stdout)
    login = {"methods": ["POST"], "path": "/api/v1/auth/login", "plugin": "auth"}
    assert any(login.items() <= row.items() for row in rows)
    assert any(row["path"] == "/health/live" and row["plugin"] == "host" for row in rows)
    only = json.loads(run("routes", "--json", "--plugin", "auth", **nothing).stdout)
    assert {row["plugin"] for row in only} == {"auth"}


def test_the_documents_are_printed_or_written(run: Run, tmp_path: Path) -> None:
    plugins = {"TORG_PLUGINS": "auth,auction"}
    whole = json.loads(run("openapi", **plugins).stdout)
    assert whole["openapi"].startswith("3.1")
    part = json.loads(run("openapi", "--plugin", "auth", **plugins).stdout)
    assert 0 < len(part["paths"]) < len(whole["paths"])
    assert run("openapi", "--postman", "--out", "postman.json", **plugins).returncode == 0
    assert "item" in json.loads((tmp_path / "postman.json").read_text())
    missing = run("openapi", "--plugin", "nothing", **plugins)
    assert missing.returncode == 1
    assert "enabled plugins: auth, auction" in missing.stderr


def test_backups_are_made_and_proven_from_the_command_line(
    run: Run, migrated: dict[str, str], tmp_path: Path
) -> None:
    made = run("backup", "create", "--json", **migrated)
    assert made.returncode == 0, made.stderr
    archive = json.loads(made.stdout)["archive"]
    assert run("backup", "verify", archive, **migrated).returncode == 0
    refused = run("backup", "restore", archive, **migrated)
    assert refused.returncode == 1
    assert "not empty; nothing was restored" in refused.stderr
    (tmp_path / archive).write_bytes(b"damaged")
    assert run("backup", "verify", archive, **migrated).returncode == 1
