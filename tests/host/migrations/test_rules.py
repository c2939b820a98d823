"""Revision files and tables follow the rules, or are named before anything runs."""

import shutil
from typing import Any

import pytest

from torg.migration_plan import MigrationError
from torg.migration_streams import owner


class TestRules:
    def test_table_without_the_prefix_is_refused_and_rolled_back(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "thing")

        with pytest.raises(MigrationError, match="stall_0001") as caught:
            stage.upgrade(stall)

        assert "begin with stall_" in caught.value.why
        assert "thing" not in stage.tables()

    def test_table_of_another_plugin_may_not_be_dropped(self, stage: Any) -> None:
        stall, other = stage.plugin("stall"), stage.plugin("other")
        other.table(1, "other_thing")
        stall.revision(1, 'op.drop_table("other_thing")')

        with pytest.raises(MigrationError) as caught:
            stage.upgrade(stall, other)

        assert "drops the table other_thing" in caught.value.why
        assert "other_thing" in stage.tables()

    def test_longer_name_of_another_plugin_is_not_mine(self, stage: Any) -> None:
        stats, daily = stage.plugin("stats"), stage.plugin("stats_daily")
        daily.table(1, "stats_daily_sum")
        stats.table(1, "stats_daily_stolen")

        with pytest.raises(MigrationError, match="stats_0001"):
            stage.upgrade(stats, daily, only=["stats"])

    def test_reference_to_another_plugin_is_refused(self, stage: Any) -> None:
        stall, other = stage.plugin("stall"), stage.plugin("other")
        other.table(1, "other_thing")
        stall.revision(
            1,
            """
            op.create_table(
                "stall_thing",
                sa.Column("id", sa.BigInteger, sa.ForeignKey("other_thing.id"), primary_key=True),
            )
            """,
            extra='needs = {"other": "other_0001"}',
        )

        with pytest.raises(MigrationError) as caught:
            stage.upgrade(stall, other)

        assert "refer to other_thing" in caught.value.why

    def test_longest_prefix_owns_a_table(self):
        names = {"stats", "stats_daily"}

        assert owner("stats_daily_sum", names) == "stats_daily"
        assert owner("stats_other", names) == "stats"
        assert owner("torg_outbox", names) == "host"
        assert owner("alembic_version_stats", names) is None
        assert owner("somebody", names) is None


class TestFiles:
    @pytest.mark.parametrize(
        ("extra", "message"),
        [
            ('depends_on = "other_0001"', "depends_on is not used"),
            ('needs = {"stall": "stall_0001"}', "its own stream"),
            ("needs = NOT_A_LITERAL", "plain literal"),
            ("needs = ['other']", "plugin to revision"),
            ("def (:", "cannot be read"),
        ],
    )
    def test_file_that_breaks_a_rule_is_named_with_the_mend(
        self, stage: Any, extra, message
    ) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_thing", extra=extra)

        (found,) = [each for each in stage.streams(stall) if each.name == "stall"]

        assert message in found.problem
        assert "0001.py" in found.problem

    def test_two_heads_are_named(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_one")
        stall.table(2, "stall_two", previous=1)
        stall.table(3, "stall_three", previous=1)

        assert "both follow stall_0001" in stage.streams(stall)[1].problem

    def test_two_files_of_one_id_are_named(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_one")
        stall.table(1, "stall_one", file="copy.py")

        assert "both call themselves stall_0001" in stage.streams(stall)[1].problem

    def test_missing_link_is_named(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_one")
        stall.table(3, "stall_three")

        assert "follows stall_0002, which is not there" in stage.streams(stall)[1].problem

    def test_ring_is_named(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_one", previous=2)
        stall.table(2, "stall_two", previous=1)

        assert "in a ring: stall_0001, stall_0002" in stage.streams(stall)[1].problem

    def test_foreign_id_is_refused(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_one").write_text('revision = "a1b2c3"\ndown_revision = None\n')

        assert "called stall_0001" in stage.streams(stall)[1].problem

    def test_plugin_without_migrations_is_fine(self, stage: Any) -> None:
        bare = stage.plugin("bare")
        shutil.rmtree(bare.path / "migrations")

        assert stage.upgrade(bare)[0] == "host_0001"

    def test_paths_with_every_separator_are_read(self, stage: Any) -> None:
        stall = stage.plugin("stall", folder="a b:c;d,e%f%(here)s")
        stall.table(1, "stall_thing")

        stage.upgrade(stall)

        assert "stall_thing" in stage.tables()

    def test_problem_of_one_plugin_stops_before_anything_runs(self, stage: Any) -> None:
        good, bad = stage.plugin("good"), stage.plugin("bad")
        good.table(1, "good_thing")
        bad.table(1, "bad_thing", extra='depends_on = "good_0001"')

        with pytest.raises(MigrationError, match="nothing was run") as caught:
            stage.upgrade(good, bad)

        assert "depends_on" in caught.value.why
        assert stage.tables() == set()
        stage.upgrade(good, bad, only=["good"])
        assert "good_thing" in stage.tables()
