"""What a command says when it cannot do what it was asked for."""

from pathlib import Path

import psycopg2
import pytest
from click.testing import CliRunner

from torg import deployment, route_commands
from torg.command_errors import CommandError


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


def test_routes_of_a_misspelt_plugin_are_not_an_empty_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORG_PLUGINS", "")
    for name, why in (("auctoin", "did you mean auction?"), ("auction", "it is disabled")):
        with pytest.raises(CommandError, match=f"no routes of {name}") as refused:
            CliRunner().invoke(route_commands.routes, ["--plugin", name], catch_exceptions=False)
        assert why in refused.value.why
