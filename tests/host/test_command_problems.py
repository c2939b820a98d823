"""What a command says when it cannot do what it was asked for."""

import os
import sys
from pathlib import Path

import psycopg2
import pytest
from click.testing import CliRunner

from torg import cli, deployment, route_commands
from torg.command_errors import CommandError
from torg.config import SettingsError


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No settings but a secret key, in a folder of its own."""
    for name in [name for name in os.environ if name.startswith("TORG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORG_SECRET_KEY", "0123456789abcdefghijklmnopqrstuvwxyz")
    return monkeypatch


@pytest.mark.parametrize(
    ("code", "away"),
    [(None, True), ("57P01", True), ("3D000", True), ("57014", False), ("55P03", False)],
)
def test_a_database_that_refuses_a_statement_is_not_called_away(
    code: str | None, away: bool
) -> None:
    class DriverError(psycopg2.OperationalError):
        pgcode = code

    explained = deployment.explain_database(DriverError("no"))
    assert (explained is not None) is away


def test_routes_of_a_misspelt_plugin_are_not_an_empty_list(alone: pytest.MonkeyPatch) -> None:
    for name, why in (("auctoin", "did you mean auction?"), ("auction", "it is disabled")):
        with pytest.raises(CommandError, match=f"no routes of {name}") as refused:
            CliRunner().invoke(route_commands.routes, ["--plugin", name], catch_exceptions=False)
        assert why in refused.value.why


@pytest.mark.parametrize(
    ("group", "why"),
    [
        ("5", "torg_cli has to return a click.Group, not 5"),
        ("click.Group('db')", "the name of its group, db, is taken by the host"),
        ("click.Group('user')", "the name of its group, user, is taken by plugin auth"),
    ],
)
def test_a_group_that_cannot_be_offered_is_named_once_with_its_plugin(
    alone: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    group: str,
    why: str,
) -> None:
    package, facts = tmp_path / "torg_stall", tmp_path / "torg_stall-1.0.dist-info"
    package.mkdir()
    facts.mkdir()
    (package / "__init__.py").touch()
    (package / "plugin.toml").write_text('name = "stall"\ntitle = "A stall"\n')
    (package / "plugin.py").write_text(f"import click\ndef torg_cli():\n    return {group}\n")
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: torg-stall\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[torg.plugins]\nstall = torg_stall\n")
    alone.syspath_prepend(str(tmp_path))
    for name in ("torg_stall", "torg_stall.plugin"):
        alone.delitem(sys.modules, name, raising=False)
    alone.setenv("TORG_PLUGINS", "auth,stall")
    cli._warn.cache_clear()

    assert [sorted(cli.plugin_groups()) for _ in range(2)] == [["user"], ["user"]]

    told = f"Warning: commands of plugin stall are missing: {why}"
    assert [line[: len(told)] for line in capsys.readouterr().err.splitlines()] == [told]


def test_a_command_of_a_plugin_that_is_off_says_how_it_appears(alone: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(cli.torg, ["user", "create"])

    assert result.exit_code == 2
    assert "No such command 'user'" in result.stderr
    assert "once the plugin is enabled: set TORG_PLUGINS" in result.stderr


def test_a_plugins_command_under_wrong_settings_is_answered_with_what_is_wrong(
    alone: pytest.MonkeyPatch,
) -> None:
    alone.setenv("TORG_PLUGINS", "auth")
    alone.delenv("TORG_SECRET_KEY")

    result = CliRunner().invoke(cli.torg, ["user", "create"])

    assert isinstance(result.exception, SettingsError)
    assert "TORG_SECRET_KEY" in str(result.exception)
