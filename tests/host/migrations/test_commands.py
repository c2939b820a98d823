"""`torg db …`: what is printed, asked and answered."""

from typing import Any

import click
import pytest

from torg.migration_plan import MigrationError


@pytest.fixture
def stall(shell: Any) -> Any:
    """An installed, enabled plugin with one table."""
    made = shell.install(shell.stage.plugin("stall"))
    made.table(1, "stall_thing", extra='needs = {"host": "host_0001"}')
    shell.enable("stall")
    return made


class TestPlan:
    def test_order_needs_and_states_are_shown_and_nothing_changes(
        self, shell: Any, stall: Any
    ) -> None:
        result = shell.run("db", "plan")

        assert result.exit_code == 0
        lines = result.stdout.splitlines()
        assert lines[0].split()[:2] == ["1.", "host_0001"]
        assert "after host_0001 of host" in result.stdout
        assert "Next: torg db upgrade" in result.stderr
        assert shell.stage.tables() == set()

    def test_sql_and_locks_of_each_revision_are_there_for_machines(
        self, shell: Any, stall: Any
    ) -> None:
        shell.run("db", "upgrade")
        stall.revision(2, 'op.execute("CREATE INDEX ix_stall ON stall_thing (id)")')

        (step,) = shell.json("db", "plan")["steps"]

        assert step["revision"] == "stall_0002"
        assert step["sql"] == "CREATE INDEX ix_stall ON stall_thing (id);"
        assert step["locks"] == [
            "stall_thing: nobody writes while the index is built; make it CONCURRENTLY"
        ]

    def test_problem_is_named_and_is_exit_code_1(self, shell: Any, stall: Any) -> None:
        stall.table(2, "stall_more", extra='needs = {"till": "till_0001"}')

        result = shell.run("db", "plan")

        assert result.exit_code == 1
        assert "plugin till, which is not installed" in result.stdout

    def test_sql_is_printed_when_asked_for(self, shell: Any, stall: Any) -> None:
        assert "CREATE TABLE stall_thing" not in shell.run("db", "plan").stdout
        assert "CREATE TABLE stall_thing" in shell.run("db", "plan", "--sql").stdout


class TestUpgrade:
    def test_applied_revisions_are_the_result(self, shell: Any, stall: Any) -> None:
        applied = shell.json("db", "upgrade")["applied"]

        assert applied[-1] == "stall_0001"
        assert shell.json("db", "upgrade") == {"applied": []}

    def test_active_plugins_are_brought_in_line_each_time(self, shell: Any) -> None:
        bell = shell.install(
            shell.stage.plugin("bell"),
            "from torg import hookimpl\nfrom torg.db import session\nfrom sqlalchemy import text\n"
            "@hookimpl\ndef torg_on_enable():\n"
            "    session.execute(text('INSERT INTO bell_ring DEFAULT VALUES'))\n",
        )
        bell.revision(
            1, 'op.execute("CREATE TABLE bell_ring (id int GENERATED ALWAYS AS IDENTITY)")'
        )
        shell.enable("bell")

        shell.run("db", "upgrade")
        shell.run("db", "upgrade")

        with shell.stage.engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT id FROM bell_ring ORDER BY 1").all()
        assert [row.id for row in rows] == [1, 2]

    def test_plugin_that_fails_afterwards_is_named_and_keeps_nobody_from_his_own(
        self, shell: Any, stall: Any
    ) -> None:
        broken = (
            "from torg import hookimpl\n@hookimpl\ndef torg_on_enable():\n    raise OSError('no')"
        )
        shell.install(shell.stage.plugin("bad"), broken)
        counting = (
            "from pathlib import Path\nfrom torg import hookimpl\n"
            "@hookimpl\ndef torg_on_enable():\n    Path(__file__).with_name('called').touch()\n"
        )
        good = shell.install(shell.stage.plugin("good"), counting)
        shell.enable("bad", "good", "stall")

        result = shell.run("db", "upgrade")

        assert isinstance(result.exception, MigrationError)
        assert "torg_on_enable of plugin bad" in result.exception.what
        assert result.exception.why == "OSError: no"
        assert (good.path / "called").exists()
        assert "stall_thing" in shell.stage.tables()

    def test_package_that_is_gone_but_still_enabled_stops_nobody(
        self, shell: Any, stall: Any
    ) -> None:
        shell.run("db", "upgrade")
        shell.uninstall(stall)

        result = shell.run("db", "upgrade")

        assert "is no installed plugin" in result.stderr
        assert result.stdout == "Nothing was pending.\n"


class TestCheck:
    def test_pending_revision_is_exit_code_1(self, shell: Any, stall: Any) -> None:
        result = shell.run("db", "check")

        assert result.exit_code == 1
        assert "stall_0001" in result.stdout

    def test_everything_in_order_is_exit_code_0(self, shell: Any) -> None:
        bare = shell.install(shell.stage.plugin("bare"))
        shell.enable(bare.name)
        shell.run("db", "upgrade")

        result = shell.run("db", "check")

        assert (result.exit_code, result.exception) == (0, None)

    def test_table_without_a_model_is_drift(self, shell: Any, stall: Any) -> None:
        shell.run("db", "upgrade")

        result = shell.run("db", "check")

        assert result.exit_code == 1
        assert "table stall_thing is in the database, not in the model" in result.stdout

    def test_changed_revision_file_is_noted(self, shell: Any) -> None:
        bare = shell.install(shell.stage.plugin("bare"))
        path = bare.revision(1, "pass")
        shell.enable("bare")
        shell.run("db", "upgrade")
        path.write_text(path.read_text() + "# later\n", "utf-8")

        result = shell.run("db", "check")

        assert result.exit_code == 0
        assert "bare_0001: its file was changed after it was applied" in result.stderr

    def test_misspelt_plugin_is_no_sound_check(self, shell: Any, stall: Any) -> None:
        shell.run("db", "upgrade")

        result = shell.run("db", "check", "--plugin", "stal")

        assert result.stdout == ""
        assert isinstance(result.exception, MigrationError)
        assert "did you mean stall?" in result.exception.what


class TestHistory:
    def test_misspelt_plugin_is_no_empty_history(self, shell: Any, stall: Any) -> None:
        result = shell.run("db", "history", "--plugin", "stal")

        assert result.stdout == ""
        assert isinstance(result.exception, MigrationError)
        assert "did you mean stall?" in result.exception.what

    def test_history_of_a_plugin_without_a_package_is_kept(self, shell: Any, stall: Any) -> None:
        shell.run("db", "upgrade")
        shell.uninstall(stall)

        rows = shell.json("db", "history", "--plugin", "stall")

        assert [row["revision"] for row in rows] == ["stall_0001"]

    def test_applied_and_waiting_revisions_are_listed(self, shell: Any, stall: Any) -> None:
        shell.run("db", "upgrade")
        stall.table(2, "stall_more")

        rows = shell.json("db", "history", "--plugin", "stall")

        assert [row["revision"] for row in rows] == ["stall_0001", "stall_0002"]
        assert rows[0]["applied_at"].endswith("Z")
        assert rows[0]["version"] == "1.2.3"
        assert rows[1]["applied_at"] is None

    def test_empty_database_has_only_waiting_ones(self, shell: Any) -> None:
        assert "pending" in shell.run("db", "history").stdout


class TestDowngrade:
    @pytest.fixture(autouse=True)
    def upgraded(self, shell: Any, stall: Any) -> None:
        """The stall's table is there."""
        shell.run("db", "upgrade")

    def test_outside_of_debug_it_takes_yes_and_the_typed_name(self, shell: Any) -> None:
        words = ("db", "downgrade", "--plugin", "stall", "--to", "base")

        assert shell.run(*words).exit_code == 2
        assert shell.run(*words, "--yes").exit_code == 2
        wrong = shell.run(*words, "--yes", "--confirm", "stal")
        assert isinstance(wrong.exception, MigrationError)
        assert "stall_thing" in shell.stage.tables()

        right = shell.run(*words, "--yes", "--confirm", "stall")
        assert right.stdout == "Undone: 1 revision: stall_0001.\n"
        assert "stall_thing" not in shell.stage.tables()

    def test_in_debug_yes_is_enough(self, shell: Any) -> None:
        shell.patch.setenv("TORG_DEBUG", "1")
        words = ("db", "downgrade", "--plugin", "stall", "--to", "base")

        assert shell.run(*words).exit_code == 2
        assert shell.run(*words, "--yes").exit_code == 0

    def test_unknown_plugin_is_answered_with_the_installed_ones(self, shell: Any) -> None:
        result = shell.run("db", "downgrade", "--plugin", "nobody", "--to", "base")

        assert isinstance(result.exception, MigrationError)
        installed = result.exception.what.partition("installed are: ")[2].split(", ")
        assert {"host", "stall"} <= set(installed)
        assert len(installed) == len(set(installed))

    def test_without_a_plugin_it_is_a_wrong_use(self, shell: Any) -> None:
        assert shell.run("db", "downgrade", "--to", "base").exit_code == 2

    def test_nothing_to_take_back_is_said(self, shell: Any) -> None:
        result = shell.run("db", "downgrade", "--plugin", "stall", "--to", "stall_0001")

        assert result.stdout == "There is nothing to take back.\n"


class TestRevision:
    MODELS = """
from sqlalchemy.orm import Mapped, mapped_column
from torg import hookimpl
from torg.db import Base, Record
class Coin(Record, Base):
    __tablename__ = "mint_coin"
    value: Mapped[int]
@hookimpl
def torg_models():
    return [Coin]
"""

    def test_first_revision_is_written_from_the_models_and_fits(self, shell: Any) -> None:
        mint = shell.install(shell.stage.plugin("mint"), self.MODELS)
        shell.enable("mint")
        shell.run("db", "upgrade")

        result = shell.run("db", "revision", "--plugin", "mint", "-m", "Coins of the realm")

        path = mint.path / "migrations" / "versions" / "mint_0001_coins_of_the_realm.py"
        assert result.stdout == f"{path}\n"
        text = path.read_text("utf-8")
        assert '"""Coins of the realm"""' in text
        assert 'needs: dict[str, str] = {"host": "host_0001"}' in text
        assert "torg_identity" not in text
        assert shell.json("db", "upgrade")["applied"] == ["mint_0001"]
        assert shell.run("db", "check").exit_code == 0
        again = shell.run("db", "revision", "--plugin", "mint", "-m", "More")
        assert isinstance(again.exception, MigrationError)
        assert "do not differ" in again.exception.what
        empty = shell.run("db", "revision", "--plugin", "mint", "-m", "Fill", "--empty")
        assert empty.stdout.endswith("mint_0002_fill.py\n")

    def test_pending_database_is_refused(self, shell: Any, stall: Any) -> None:
        result = shell.run("db", "revision", "--plugin", "stall", "-m", "More")

        assert isinstance(result.exception, MigrationError)
        assert "torg db upgrade" in str(result.exception)


def test_help_of_every_command_says_what_it_does(shell: Any) -> None:
    from torg.migration_commands import db

    for name, command in db.commands.items():
        assert isinstance(command, click.Command)
        assert command.help, name
        assert shell.run("db", name, "--help").exit_code == 0
