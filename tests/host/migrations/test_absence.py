"""A plugin may be disabled, gone, older or broken: nobody else notices."""

from typing import Any

import pytest
from sqlalchemy import text

from torg import migrate
from torg.migration_plan import MigrationError


class TestAbsence:
    @pytest.fixture
    def pair(self, stage: Any) -> Any:
        """Two migrated plugins."""
        stall, other = stage.plugin("stall"), stage.plugin("other")
        stall.table(1, "stall_thing")
        other.table(1, "other_thing")
        stage.upgrade(stall, other)
        return stall, other

    def test_disabled_plugin_is_left_alone_and_shown(self, stage: Any, pair: Any) -> None:
        stall, other = pair
        stall.table(2, "stall_second")
        found = stage.streams(stall, other, enabled="other")

        assert migrate.upgrade_engine(stage.engine, found) == []
        with stage.engine.connect() as connection:
            state = migrate.plan(connection, found).states["stall"]
        assert (state.state, state.pending) == ("disabled", ("stall_0002",))
        with pytest.raises(MigrationError, match="disabled"):
            migrate.upgrade_engine(stage.engine, found, ["stall"])

    def test_enabled_again_it_catches_up_with_its_data(self, stage: Any, pair: Any) -> None:
        stall, other = pair
        with stage.engine.begin() as connection:
            connection.execute(text("INSERT INTO stall_thing (id) VALUES (7)"))
        migrate.upgrade_engine(stage.engine, stage.streams(stall, other, enabled="other"))
        stall.table(2, "stall_second")

        assert stage.upgrade(stall, other) == ["stall_0002"]
        with stage.engine.connect() as connection:
            assert connection.scalar(text("SELECT id FROM stall_thing")) == 7

    def test_gone_package_is_an_orphan_and_hinders_nobody(self, stage: Any, pair: Any) -> None:
        _stall, other = pair
        other.table(2, "other_second")

        assert stage.upgrade(other) == ["other_0002"]
        stage.downgrade(other, other="base")
        with stage.engine.connect() as connection:
            states = migrate.plan(connection, stage.streams(other)).states
        assert states["stall"].state == "orphaned"
        assert "purge stall" in states["stall"].next_step
        assert "stall_thing" in stage.tables()

    def test_package_older_than_the_database_is_named(self, stage: Any, pair: Any) -> None:
        stall, other = pair
        path = stall.table(2, "stall_second")
        stage.upgrade(stall, other)
        path.unlink()

        with pytest.raises(MigrationError) as caught:
            stage.upgrade(stall, other)

        assert "the database is at stall_0002" in caught.value.why
        assert "applied by torg_stall 1.2.3" in caught.value.why

    def test_squashed_revisions_are_named_and_others_go_on(self, stage: Any, pair: Any) -> None:
        stall, other = pair
        (stall.path / "migrations" / "versions" / "0001.py").unlink()
        stall.table(5, "stall_all", previous=None)
        other.table(2, "other_second")

        state = stage.state(stall, other, of="stall")

        assert state.state == "blocked"
        assert "squashed" in state.problem
        assert stage.upgrade(stall, other, only=["other"]) == ["other_0002"]

    def test_broken_manifest_is_skipped_with_its_reason(self, stage: Any, pair: Any) -> None:
        stall, other = pair
        (stall.path / "plugin.toml").write_text("name = ")
        other.table(2, "other_second")

        assert stage.upgrade(stall, other) == ["other_0002"]
        state = stage.state(stall, other, of="stall")
        assert state.state == "skipped"
        assert "plugin.toml" in state.problem
