"""Downgrades: dependents first, refused while something that stays needs it."""

from typing import Any

import pytest

from torg import migrate
from torg.migration_plan import MigrationError


class TestDowngrade:
    def test_step_by_step_with_its_record(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        for number in (1, 2, 3):
            stall.table(number, f"stall_thing_{number}")
        stage.upgrade(stall)

        done = stage.downgrade(stall, stall="stall_0001")

        assert done == ["stall_0003", "stall_0002"]
        assert stage.applied("stall") == ["stall_0001"]
        assert {t for t in stage.tables() if t.startswith("stall")} == {"stall_thing_1"}

    def test_up_down_up_ends_where_it_began(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_thing")
        found = stage.streams(stall)
        migrate.upgrade_engine(stage.engine, found)
        first = stage.tables()

        migrate.downgrade(stage.engine, found, {"stall": "base"})
        migrate.downgrade(stage.engine, found, {"host": "base"})
        assert stage.tables() == set()
        migrate.upgrade_engine(stage.engine, found)

        assert stage.tables() == first

    def test_several_plugins_go_back_dependents_first(self, stage: Any) -> None:
        one, two = stage.plugin("one"), stage.plugin("two", 'requires = { one = ">=1" }')
        one.table(1, "one_thing")
        two.table(1, "two_thing", extra='needs = {"one": "one_0001"}')
        stage.upgrade(one, two)

        done = stage.downgrade(one, two, one="base", two="base")

        assert done == ["two_0001", "one_0001"]

    @pytest.mark.parametrize("gone", [False, True])
    def test_refused_while_a_dependent_needs_it(self, stage: Any, gone: bool) -> None:
        one, two = stage.plugin("one"), stage.plugin("two")
        one.table(1, "one_thing")
        two.table(1, "two_thing", extra='needs = {"one": "one_0001"}')
        stage.upgrade(one, two)

        with pytest.raises(MigrationError, match="plugin two has data") as caught:
            stage.downgrade(*([one] if gone else [one, two]), one="base")

        assert "purge two" in str(caught.value)
        assert "one_thing" in stage.tables()

    def test_refused_while_a_plugin_requires_it(self, stage: Any) -> None:
        one, two = stage.plugin("one"), stage.plugin("two", 'requires = { one = ">=1" }')
        one.table(1, "one_thing")
        two.table(1, "two_thing")
        stage.upgrade(one, two)

        with pytest.raises(MigrationError, match="plugin two has data"):
            stage.downgrade(one, two, one="base")

    def test_host_stays_while_any_plugin_has_data(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_thing")
        stage.upgrade(stall)

        with pytest.raises(MigrationError, match="plugin stall has data"):
            stage.downgrade(host="base")

    def test_disabled_plugin_can_be_taken_back(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_thing")
        stage.upgrade(stall)

        done = stage.downgrade(stall, enabled="", stall="base")

        assert done == ["stall_0001"]

    def test_unknown_target_names_the_known_ones(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_thing")
        stage.upgrade(stall)

        with pytest.raises(MigrationError) as caught:
            stage.downgrade(stall, stall="stall_0009")

        assert "base, stall_0001" in caught.value.why

    def test_gone_package_points_to_purge(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_thing")
        stage.upgrade(stall)

        with pytest.raises(MigrationError, match="is gone") as caught:
            stage.downgrade(stall="base")

        assert "purge stall" in str(caught.value)

    def test_failing_one_keeps_what_it_could_not_undo(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_thing")
        stall.revision(2, "pass", 'op.execute("SELECT 1 / 0")')
        stage.upgrade(stall)

        with pytest.raises(MigrationError, match="Undoing stall_0002"):
            stage.downgrade(stall, stall="base")

        assert stage.applied("stall") == ["stall_0001", "stall_0002"]
