"""`torg config …` and the generated reference."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from torg import config, config_reference
from torg.config import HostSettings
from torg.config_commands import config as commands

STRONG = "n3Vw-8sTq0ZpLr7Yc2Xk5Bm9Hd4Jf6Ga"


class TestCommands:
    """`torg config …`."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        for name in [name for name in os.environ if name.startswith("TORG_")]:
            monkeypatch.delenv(name)

    def test_check_lists_problems_as_json_and_fails(self, tmp_path):
        (tmp_path / ".env").write_text("TORG_WEB_THREADS=0\n")

        result = CliRunner().invoke(commands, ["check", "--json"])

        answer = json.loads(result.stdout)
        assert result.exit_code == 1
        assert {problem["name"] for problem in answer["problems"]} == {
            "TORG_WEB_THREADS",
            "TORG_SECRET_KEY",
        }

    def test_check_passes_sound_settings_and_advises(self, tmp_path):
        (tmp_path / ".env").write_text(f"TORG_SECRET_KEY={STRONG}\n")

        result = CliRunner().invoke(commands, ["check", "--json"])

        answer = json.loads(result.stdout)
        assert (result.exit_code, answer["ok"]) == (0, True)
        assert any("nobody receives them" in note for note in answer["notes"])

    def test_show_tells_value_and_origin_and_masks_secrets(self, tmp_path):
        (tmp_path / ".env").write_text(
            f"TORG_SECRET_KEY={STRONG}\nTORG_DATABASE_URL=postgresql://u:hunter2@h/d\n"
        )

        result = CliRunner().invoke(commands, ["show", "--json"])

        rows = {row["key"]: row for row in json.loads(result.stdout)}
        assert rows["database_url"]["value"] == '"postgresql+psycopg2://u:***@h/d"'
        assert rows["database_url"]["source"] == "TORG_DATABASE_URL, .env line 2"
        assert rows["secret_key"]["value"] == "***"
        assert rows["web_threads"]["source"] == "default"
        assert STRONG not in result.output

    def test_a_plugin_whose_package_is_gone_stops_neither_check_nor_show(self, tmp_path):
        (tmp_path / ".env").write_text(f"TORG_SECRET_KEY={STRONG}\nTORG_PLUGINS=zebra\n")

        checked = CliRunner().invoke(commands, ["check", "--json"])
        shown = CliRunner().invoke(commands, ["show", "--json"])

        answer = json.loads(checked.stdout)
        assert (checked.exit_code, answer["problems"]) == (0, [])
        assert any("zebra is no installed plugin" in note for note in answer["notes"])
        assert shown.exit_code == 0
        assert any(row["value"] == '["zebra"]' for row in json.loads(shown.stdout))

    def test_a_misspelt_plugin_is_one_problem_at_the_place_where_it_stands(self, tmp_path):
        (tmp_path / ".env").write_text(f"TORG_SECRET_KEY={STRONG}\nTORG_PLUGINS=auctoin\n")

        answer = json.loads(CliRunner().invoke(commands, ["check", "--json"]).stdout)

        assert [(each["name"], each["where"]) for each in answer["problems"]] == [
            ("TORG_PLUGINS", ".env line 2")
        ]

    def test_a_reference_of_an_unknown_plugin_names_the_nearest(self):
        refused = CliRunner().invoke(commands, ["reference", "--plugin", "auctoin"])

        assert isinstance(refused.exception, config.SettingsError)
        assert "did you mean auction?" in str(refused.exception)

    def test_secret_makes_a_line_for_dotenv_that_passes(self, tmp_path):
        line = CliRunner().invoke(commands, ["secret"]).stdout
        (tmp_path / ".env").write_text(line)

        assert config.load({}, tmp_path).host.secret_key


class TestReference:
    """The generated page and example file."""

    def test_every_setting_has_a_description(self):
        lacking = [key for key, field in HostSettings.model_fields.items() if not field.description]

        assert lacking == []

    def test_example_file_uncommented_gives_the_defaults(self, tmp_path):
        text = config_reference.toml({})
        lines = [
            line.removeprefix("# ") if " = " in line and line.startswith("# ") else ""
            for line in text.splitlines()
            if not line.startswith(("# Made", "# Passwords", "# Allowed"))
        ]
        settled = [line for line in lines if line and not line.endswith('""')]
        (tmp_path / "torg.toml").write_text("\n".join(settled))

        host = config.load({"TORG_SECRET_KEY": STRONG}, tmp_path).host

        plain = HostSettings(secret_key=SecretStr(STRONG), data_dir=tmp_path / ".torg")
        assert host == plain
