"""A revision states what it needs of other streams, and the planner sees to it."""

from typing import Any

import pytest

from torg import migrate
from torg.migration_plan import MigrationError


class TestNeeds:
    def test_needed_plugin_that_is_not_installed_is_named(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_thing", extra='needs = {"till": "till_0002"}')

        with pytest.raises(MigrationError) as caught:
            stage.upgrade(stall)

        assert "needs till_0002 of plugin till, which is not installed" in caught.value.why
        assert stage.tables() == set()

    def test_needed_revision_of_a_newer_package_is_named(self, stage: Any) -> None:
        stall, till = stage.plugin("stall"), stage.plugin("till")
        till.table(1, "till_thing")
        stall.table(1, "stall_thing", extra='needs = {"till": "till_0002"}')

        with pytest.raises(MigrationError, match="stall") as caught:
            stage.upgrade(stall, till)

        assert "torg_till 1.2.3 goes up to till_0001" in caught.value.why

    def test_needed_plugin_that_is_disabled_is_named(self, stage: Any) -> None:
        stall, till = stage.plugin("stall"), stage.plugin("till")
        till.table(1, "till_thing")
        stall.table(1, "stall_thing", extra='needs = {"till": "till_0001"}')

        with pytest.raises(MigrationError) as caught:
            migrate.upgrade_engine(stage.engine, stage.streams(stall, till, enabled="stall"))

        assert "till, which is disabled" in caught.value.why

    def test_need_orders_streams_without_requires(self, stage: Any) -> None:
        stall, till = stage.plugin("stall"), stage.plugin("till")
        till.table(1, "till_thing")
        stall.table(1, "stall_thing", extra='needs = {"till": "till_0001"}')

        done = stage.upgrade(stall, till)

        assert done[-2:] == ["till_0001", "stall_0001"]

    def test_need_that_is_in_the_database_counts_without_its_package(self, stage: Any) -> None:
        stall, till = stage.plugin("stall"), stage.plugin("till")
        till.table(1, "till_thing")
        stage.upgrade(stall, till)
        stall.table(1, "stall_thing", extra='needs = {"till": "till_0001"}')

        assert stage.upgrade(stall) == ["stall_0001"]

    def test_streams_that_wait_for_each_other_are_named(self, stage: Any) -> None:
        one, two = stage.plugin("one"), stage.plugin("two")
        one.table(1, "one_thing", extra='needs = {"two": "two_0001"}')
        two.table(1, "two_thing", extra='needs = {"one": "one_0001"}')

        with pytest.raises(MigrationError) as caught:
            stage.upgrade(one, two)

        assert "wait for each other: one, two" in caught.value.why
