"""`torg plugins …`: where each plugin stands, the rules for authors, and removal."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from torg.command_errors import CommandError
from torg.migration_plan import MigrationError


@pytest.fixture
def stall(shell: Any) -> Any:
    """An installed plugin with one table, not enabled."""
    made = shell.install(shell.stage.plugin("stall"))
    made.table(1, "stall_thing")
    return made


@pytest.fixture
def orphan(shell: Any, stall: Any) -> Any:
    """The same, migrated, with a row and a job, and then uninstalled."""
    shell.enable("stall")
    shell.run("db", "upgrade")
    with shell.stage.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO stall_thing (id) VALUES (1)")
        connection.exec_driver_sql("SELECT torg_enqueue('stall.tidy')")
    shell.enable()
    shell.uninstall(stall)
    return stall


def states(shell: Any) -> dict[str, str]:
    """The state of every plugin."""
    return {line["name"]: line["state"] for line in shell.json("plugins", "list")}


class TestList:
    def test_states_follow_what_is_done(self, shell: Any, stall: Any) -> None:
        assert states(shell)["stall"] == "disabled"
        shell.enable("stall")
        assert states(shell)["stall"] == "pending"
        shell.run("db", "upgrade")
        assert states(shell)["stall"] == "active"

    def test_plugin_that_cannot_be_imported_is_named_with_its_cause(
        self, shell: Any, stall: Any
    ) -> None:
        (stall.path / "plugin.py").write_text("import nothing_like_this", "utf-8")
        shell.enable("stall")

        result = shell.run("plugins", "list")

        assert result.exit_code == 0
        assert "quarantined" in result.stdout
        assert "nothing_like_this" in result.stdout

    def test_plugin_older_than_its_database_is_quarantined(self, shell: Any, stall: Any) -> None:
        newest = stall.table(2, "stall_more")
        shell.enable("stall")
        shell.run("db", "upgrade")
        newest.unlink()

        (line,) = [each for each in shell.json("plugins", "list") if each["name"] == "stall"]

        assert line["state"] == "quarantined"
        assert "the database is at stall_0002" in line["reason"]

    @pytest.mark.usefixtures("orphan")
    def test_data_without_a_package_is_an_orphan(self, shell: Any) -> None:
        assert states(shell)["stall"] == "orphaned"
        shell.enable("stall")
        (line,) = [each for each in shell.json("plugins", "list") if each["name"] == "stall"]
        assert line["state"] == "orphaned"

    def test_it_works_while_the_database_is_away(self, shell: Any, stall: Any) -> None:
        shell.patch.setenv("TORG_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")

        result = shell.run("plugins", "list")

        assert result.exit_code == 0
        assert "stall" in result.stdout
        assert "Note: " in result.stderr


class TestInfo:
    def test_manifest_and_state_are_shown(self, shell: Any, stall: Any) -> None:
        facts = shell.json("plugins", "info", "stall")

        assert facts["state"] == "disabled"
        assert facts["version"] == "1.2.3"
        assert str(stall.path) in facts["package"]

    @pytest.mark.usefixtures("orphan")
    def test_orphan_has_its_revision(self, shell: Any) -> None:
        assert shell.json("plugins", "info", "stall")["revision"] == "stall_0001"

    def test_unknown_name_suggests_the_nearest(self, shell: Any, stall: Any) -> None:
        result = shell.run("plugins", "info", "stal")

        assert isinstance(result.exception, MigrationError)
        assert "did you mean stall?" in str(result.exception)


@pytest.mark.usefixtures("orphan")
class TestPurge:
    def test_plan_shows_all_and_changes_nothing(self, shell: Any) -> None:
        plan = shell.json("plugins", "purge", "stall", "--plan")

        assert plan["tables"] == {"stall_thing": 1}
        assert plan["host_rows"] == {"torg_outbox": 1, "torg_plugin_migration": 1}
        assert "stall_thing" in shell.stage.tables()

    def test_without_the_typed_name_nothing_happens(self, shell: Any) -> None:
        assert shell.run("plugins", "purge", "stall").exit_code == 2
        wrong = shell.run("plugins", "purge", "stall", "--confirm", "stal")
        assert isinstance(wrong.exception, MigrationError)
        assert "stall_thing" in shell.stage.tables()

    def test_with_the_typed_name_all_of_it_goes(self, shell: Any) -> None:
        result = shell.run("plugins", "purge", "stall", "--confirm", "stall")

        assert result.stdout.endswith("Purged stall: 1 table with 1 row.\n")
        assert "stall_thing" not in shell.stage.tables()
        assert "stall" not in states(shell)
        again = shell.run("plugins", "purge", "stall", "--confirm", "stall")
        assert isinstance(again.exception, MigrationError)

    @pytest.mark.parametrize(
        ("body", "words"),
        [("return ['orders are open']", "orders are open"), ("return 1 / 0", "could not be asked")],
    )
    def test_another_plugin_may_object(self, shell: Any, body: str, words: str) -> None:
        hooks = (
            "from torg import hookimpl\n@hookimpl\ndef torg_before_purge(plugin):\n"
            f"    assert plugin == 'stall'\n    {body}\n"
        )
        shell.install(shell.stage.plugin("guard"), hooks)
        shell.enable("guard")

        result = shell.run("plugins", "purge", "stall", "--confirm", "stall")

        assert isinstance(result.exception, MigrationError)
        assert words in str(result.exception)
        assert "stall_thing" in shell.stage.tables()


class TestCheck:
    def test_each_broken_rule_is_shown_with_what_to_do(self, shell: Any) -> None:
        bad = shell.install(shell.stage.plugin("bad"), "import torg_auction\n")
        bad.revision(1, 'op.execute("CREATE TABLE bad_thing (id int)")')

        result = shell.run("plugins", "check", "bad")

        assert result.exit_code == 1
        lines = result.stdout.splitlines()
        assert "  ✓ its revision files keep the rules" in lines
        assert "  ✗ it is documented" in lines
        assert "  ✗ it imports no other plugin" in lines
        assert "plugin.py:1 imports torg_auction of another plugin" in result.stdout

    def test_a_readme_that_only_the_wheel_keeps_is_documentation(self, shell: Any) -> None:
        bare = shell.install(shell.stage.plugin("bare"))
        manifest = bare.path / "plugin.toml"
        more = 'summary = "Bare"\ndocs = "README.md"\n'
        manifest.write_text(manifest.read_text("utf-8") + more, "utf-8")
        metadata = bare.path.parent / "torg_bare-1.2.3.dist-info" / "METADATA"

        before = shell.run("plugins", "check", "bare").stdout
        metadata.write_text(metadata.read_text("utf-8") + "\n# Bare\n\nWhat it is for.\n", "utf-8")
        after = shell.run("plugins", "check", "bare").stdout

        assert "✗ it is documented" in before
        assert "✓ it is documented" in after

    def test_a_plugin_that_fails_when_all_is_ready_is_told_so(self, shell: Any) -> None:
        hooks = (
            "from torg import hookimpl\n\n\n@hookimpl\ndef torg_ready(app):\n"
            "    raise OSError('no space')\n"
        )
        shell.install(shell.stage.plugin("bad"), hooks)

        result = shell.run("plugins", "check", "bad")

        assert "it is active: its torg_ready failed: OSError: no space" in result.stdout

    def test_tables_that_a_downgrade_forgets_are_named(self, shell: Any) -> None:
        bad = shell.install(shell.stage.plugin("bad"))
        bad.revision(1, 'op.execute("CREATE TABLE IF NOT EXISTS bad_thing (id int)")')

        result = shell.run("plugins", "check", "bad")

        assert "after a downgrade to base bad_thing is still there" in result.stdout

    def test_plugin_that_does_not_start_stops_the_trial(self, shell: Any) -> None:
        shell.install(shell.stage.plugin("bad"), "raise RuntimeError('no stock')")

        report = shell.json_anyway("plugins", "check", "bad")["bad"]

        by_rule = {each["rule"]: each for each in report}
        assert "no stock" in by_rule["it starts with nothing but what it requires"]["problems"][0]
        assert by_rule["its models and tables agree"]["problems"] is None

    def test_unknown_plugin_is_named(self, shell: Any) -> None:
        assert isinstance(shell.run("plugins", "check", "nobody").exception, MigrationError)


class TestNew:
    @pytest.mark.parametrize(
        "name", ["Bell", "bell-tower", "_bell", "bell__tower", "host", "auth", "b" * 28]
    )
    def test_name_that_is_none_is_refused(self, shell: Any, tmp_path: Path, name: str) -> None:
        result = shell.run("plugins", "new", name)

        assert isinstance(result.exception, CommandError)
        assert not (tmp_path / name).exists()

    def test_folder_that_is_there_is_not_touched(self, shell: Any, tmp_path: Path) -> None:
        (tmp_path / "bell").mkdir()

        result = shell.run("plugins", "new", "bell")

        assert isinstance(result.exception, CommandError)
        assert list((tmp_path / "bell").iterdir()) == []

    def test_new_plugin_passes_the_check_and_its_own_tests(
        self, shell: Any, tmp_path: Path
    ) -> None:
        made = Path(shell.run("plugins", "new", "bell_tower").stdout.strip())
        assert made == Path("bell_tower")
        metadata = tmp_path / made / "torg_bell_tower-0.1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: torg-bell-tower\nVersion: 0.1.0\n", "utf-8"
        )
        (metadata / "entry_points.txt").write_text(
            "[torg.plugins]\nbell_tower = torg_bell_tower\n", "utf-8"
        )
        environ = os.environ | {"PYTHONPATH": str(tmp_path / made)}

        commands = (
            ("torg.cli", "plugins", "check", "bell_tower"),
            ("pytest", "-q", "-p", "no:cacheprovider"),
            ("ruff", "check", "--isolated", "--select", "E,F,W,I,UP,B,N", "--line-length", "100"),
        )
        for words in commands:
            result = subprocess.run(
                [sys.executable, "-m", *words],
                cwd=tmp_path / made,
                env=environ,
                capture_output=True,
                text=True,
                check=False,
            )
            assert result.returncode == 0, result.stdout + result.stderr
