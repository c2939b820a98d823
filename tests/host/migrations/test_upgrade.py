"""Upgrades: one lock, the host first, each revision with its record."""

import threading
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import text

from torg import migrate
from torg.migration_plan import Database, MigrationError, plan_upgrade
from torg.migration_record import read_removals
from torg.migration_run import exclusive


class TestUpgrade:
    def test_host_goes_first_and_each_stream_has_a_version_table(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_thing", extra='needs = {"host": "host_0001"}')

        done = stage.upgrade(stall)

        assert done[0] == "host_0001"
        assert done[-1] == "stall_0001"
        names = set(sa.inspect(stage.engine).get_table_names())
        assert {"alembic_version", "alembic_version_stall", "stall_thing"} <= names

    def test_repeating_it_does_nothing(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_thing")
        stage.upgrade(stall)

        assert stage.upgrade(stall) == []

    def test_each_revision_is_recorded_with_what_removal_needs(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_thing", extra='needs = {"host": "host_0001"}')
        stage.upgrade(stall)

        with stage.engine.connect() as connection:
            row = connection.execute(
                text("SELECT * FROM torg_plugin_migration WHERE plugin = 'stall'")
            ).one()

        assert row.revision == "stall_0001"
        assert row.version == "1.2.3"
        assert row.owned_tables == ["stall_thing"]
        assert row.needs == {"host": "host_0001"}
        assert row.removal_sql == "DROP TABLE stall_thing;"
        assert len(row.checksum) == 64

    def test_dependencies_go_before_names(self, stage: Any) -> None:
        first, second = stage.plugin("zebra"), stage.plugin("ant", 'requires = { zebra = ">=1" }')
        first.table(1, "zebra_thing")
        second.table(1, "ant_thing")

        done = stage.upgrade(first, second)

        assert done[-2:] == ["zebra_0001", "ant_0001"]

    def test_four_upgrades_at_once_all_succeed(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        for number in range(1, 6):
            stall.table(number, f"stall_thing_{number}")
        results: list[object] = []

        def attempt() -> None:
            try:
                results.append(stage.upgrade(stall))
            except Exception as error:
                results.append(error)

        threads = [threading.Thread(target=attempt) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(map(len, results)) == [0, 0, 0, len(stage.applied("host")) + 5]
        assert len(stage.applied("stall")) == 5

    def test_failing_revision_is_rolled_back_and_earlier_ones_stay(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_thing")
        stall.revision(
            2,
            """
            op.create_table("stall_half", sa.Column("id", sa.BigInteger, primary_key=True))
            op.execute("SELECT 1 / 0")
            """,
        )
        stall.table(3, "stall_never")

        with pytest.raises(MigrationError) as caught:
            stage.upgrade(stall)

        assert "stall_0002" in caught.value.what
        assert "division by zero" in caught.value.why
        assert "0002.py" in caught.value.where
        assert stage.applied("stall") == ["stall_0001"]
        assert "stall_thing" in stage.tables()
        assert not {"stall_half", "stall_never"} & stage.tables()

    def test_mended_revision_continues_where_it_stopped(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_thing")
        stall.revision(2, 'op.execute("SELECT 1 / 0")')
        with pytest.raises(MigrationError):
            stage.upgrade(stall)
        stall.table(2, "stall_second")

        assert stage.upgrade(stall) == ["stall_0002"]

    def test_only_named_plugins_with_what_they_need_are_upgraded(self, stage: Any) -> None:
        one, two = stage.plugin("one"), stage.plugin("two", 'requires = { one = ">=1" }')
        other = stage.plugin("other")
        for each in (one, two, other):
            each.table(1, f"{each.name}_thing")

        done = stage.upgrade(one, two, other, only=["two"])

        assert done[-2:] == ["one_0001", "two_0001"]
        assert "other_thing" not in stage.tables()

    def test_table_in_use_is_tried_again_and_then_named(self, stage: Any, monkeypatch: Any) -> None:
        monkeypatch.setattr("torg.migration_run.LOCK_TIMEOUT_SECONDS", 1)
        monkeypatch.setattr("torg.migration_run.LOCK_ATTEMPTS", 2)
        stall = stage.plugin("stall")
        stall.table(1, "stall_thing")
        stage.upgrade(stall)
        stall.revision(2, 'op.execute("ALTER TABLE stall_thing ADD COLUMN word text")')
        told: list[str] = []

        with stage.engine.connect() as reader:
            reader.execute(text("LOCK TABLE stall_thing IN ACCESS SHARE MODE"))
            with pytest.raises(MigrationError) as caught:
                migrate.upgrade_engine(stage.engine, stage.streams(stall), tell=told.append)

        assert "in use" in caught.value.why
        assert "open for" in caught.value.why
        assert any("trying again" in line for line in told)
        assert stage.upgrade(stall) == ["stall_0002"]

    def test_work_outside_a_transaction_is_possible(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_thing")
        stall.revision(
            2,
            """
            with op.get_context().autocommit_block():
                op.execute("CREATE INDEX CONCURRENTLY ix_stall_thing ON stall_thing (id)")
            """,
            """
            with op.get_context().autocommit_block():
                op.execute("DROP INDEX CONCURRENTLY ix_stall_thing")
            """,
        )

        stage.upgrade(stall)

        with stage.engine.connect() as connection:
            assert dict(read_removals(connection, "stall"))["stall_0002"] == (
                "DROP INDEX ix_stall_thing;"
            )

    def test_waiting_process_says_for_whom(self, stage: Any) -> None:
        told: list[str] = []
        with (
            exclusive(stage.engine),
            pytest.raises(MigrationError, match="another process"),
            exclusive(stage.engine, told.append, wait_seconds=0.5),
        ):
            pass

        assert "database session" in told[0]


class TestPlan:
    def test_empty_database_has_everything_pending(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_thing")

        with stage.engine.connect() as connection:
            found = migrate.plan(connection, stage.streams(stall))

        assert found.states["host"].state == "pending"
        assert [step.revision.id for step in found.steps][-1] == "stall_0001"

    def test_order_does_not_depend_on_the_order_given(self, stage: Any) -> None:
        made = [stage.plugin(name) for name in ("cat", "ant", "bee")]
        for each in made:
            each.table(1, f"{each.name}_thing")
        found = stage.streams(*made)
        database = Database()

        orders = [
            [step.revision.id for step in plan_upgrade(each, database).steps]
            for each in (found, found[::-1])
        ]

        assert orders[0] == orders[1]
        assert orders[0][-3:] == ["ant_0001", "bee_0001", "cat_0001"]

    def test_unknown_name_suggests_the_nearest(self, stage: Any) -> None:
        with pytest.raises(MigrationError, match="did you mean stall"):
            stage.upgrade(stage.plugin("stall"), only=["stal"])
