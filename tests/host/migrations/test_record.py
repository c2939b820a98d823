"""The record tells what is applied, and what undoes it."""

from typing import Any

from sqlalchemy import text

from torg.migration_record import disagreements, read_database, read_removals
from torg.migration_run import removals


class TestRecord:
    def test_changed_file_of_an_applied_revision_is_noticed(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        path = stall.table(1, "stall_thing")
        stage.upgrade(stall)
        path.write_text(path.read_text() + "\n# later\n")

        state = stage.state(stall, of="stall")

        assert state.changed == ("stall_0001",)
        assert state.state == "current"

    def test_stamp_by_hand_is_noticed(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.table(1, "stall_thing")
        stall.table(2, "stall_second")
        stage.upgrade(stall)
        with stage.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version_stall SET version_num = 'stall_0001'"))

        with stage.engine.connect() as connection:
            found = disagreements(read_database(connection))

        assert "stall_0001" in found[0]
        assert "stall_0002" in found[0]

    def test_downgrade_that_needs_the_data_has_no_removal_sql(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.revision(1, "pass", 'op.get_bind().execute(sa.text("SELECT 1")).scalar_one()')

        assert removals(stage.streams(stall)[1]) == {"stall_0001": None}

    def test_literal_percent_signs_and_colons_survive(self, stage: Any) -> None:
        stall = stage.plugin("stall")
        stall.revision(
            1,
            """
            op.execute("CREATE TABLE stall_thing (word text CHECK (word LIKE 'a%' OR true))")
            op.execute(r"COMMENT ON TABLE stall_thing IS '12\\:30 100%'")
            """,
            """
            op.execute("SELECT '50%' LIKE '5%', 'a\\\\:b'")
            op.drop_table("stall_thing")
            """,
        )
        stage.upgrade(stall)

        with stage.engine.connect() as connection:
            ((_revision, sql),) = read_removals(connection, "stall")

        assert sql is not None
        assert "'50%' LIKE '5%', 'a:b'" in sql
