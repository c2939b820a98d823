"""A purge removes all of a plugin and nothing else, with or without its package."""

from typing import Any

import pytest
from sqlalchemy import text

from torg.migration_plan import MigrationError
from torg.migration_purge import plan_purge, purge
from torg.migration_run import exclusive

TILL = """
op.create_table(
    "till_entry",
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("who", sa.BigInteger, sa.ForeignKey("torg_identity.id", ondelete="SET NULL")),
)
op.create_table(
    "till_line",
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("entry", sa.BigInteger, sa.ForeignKey("till_entry.id", ondelete="CASCADE")),
)
op.execute("CREATE TYPE till_kind AS ENUM ('in', 'out')")
op.execute("CREATE SEQUENCE till_number")
op.execute("CREATE VIEW till_view AS SELECT id FROM till_entry")
op.execute(
    "CREATE FUNCTION till_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'entries stay'; END $$"
)
op.execute(
    "CREATE TRIGGER till_stays BEFORE DELETE OR UPDATE ON till_entry "
    "FOR EACH ROW EXECUTE FUNCTION till_refuse()"
)
op.execute(
    "CREATE TRIGGER till_not_emptied BEFORE TRUNCATE ON till_entry "
    "FOR EACH STATEMENT EXECUTE FUNCTION till_refuse()"
)
op.execute("INSERT INTO till_entry DEFAULT VALUES")
"""
TILL_BACK = """
op.drop_table("till_line")
op.execute("DROP VIEW till_view")
op.drop_table("till_entry")
op.execute("DROP FUNCTION till_refuse()")
op.execute("DROP SEQUENCE till_number")
op.execute("DROP TYPE till_kind")
"""


def planned(stage: Any, *packages: Any, enabled: str = "") -> Any:
    """The plan of purging the till."""
    with stage.engine.connect() as connection:
        return plan_purge(connection, "till", stage.streams(*packages, enabled=enabled))


def purged(stage: Any, *packages: Any, told: list[str] | None = None, enabled: str = "") -> Any:
    """Purge the till."""
    streams = stage.streams(*packages, enabled=enabled)
    with exclusive(stage.engine) as connection:
        tell = told.append if told is not None else lambda _line: None
        return purge(connection, "till", streams, tell)


@pytest.fixture
def till(stage: Any) -> Any:
    """A migrated plugin with one of everything."""
    made = stage.plugin("till")
    made.revision(1, TILL, TILL_BACK)
    stage.upgrade(made)
    return made


def names(stage: Any) -> set[str]:
    """Everything in the schema whose name begins as the till's things do."""
    with stage.engine.connect() as connection:
        return set(
            connection.scalars(
                text(
                    "SELECT relname FROM pg_class UNION SELECT proname FROM pg_proc "
                    "UNION SELECT typname FROM pg_type"
                )
            )
        ) & {"till_entry", "till_line", "till_kind", "till_number", "till_view", "till_refuse"} | {
            name for name in stage.tables() if name.startswith("till")
        }


def test_plan_shows_tables_rows_and_other_things(stage: Any, till: Any) -> None:
    with stage.engine.begin() as connection:
        connection.execute(text("SELECT torg_enqueue('till.count')"))

    found = planned(stage, till)

    assert found.tables == {"till_entry": 1, "till_line": 0}
    assert found.revisions == ["till_0001"]
    assert {line.split()[0] for line in found.other} == {"routine", "sequence", "type"}
    assert found.host_rows == {"torg_outbox": 1, "torg_plugin_migration": 1}
    assert found.dependents == []
    assert names(stage)


@pytest.mark.parametrize("package_is_there", [True, False])
def test_nothing_is_left_with_or_without_the_package(
    stage: Any, till: Any, package_is_there: bool
) -> None:
    other = stage.plugin("other")
    other.table(1, "other_thing")
    stage.upgrade(till, other)
    with stage.engine.begin() as connection:
        connection.execute(text("SELECT torg_enqueue('till.count')"))
        connection.execute(text("SELECT torg_enqueue('other.count')"))

    told: list[str] = []
    purged(stage, *([till, other] if package_is_there else [other]), told=told, enabled="other")

    assert told == []
    assert names(stage) == set()
    assert stage.applied("till") == []
    assert stage.applied("other") == ["other_0001"]
    assert "other_thing" in stage.tables()
    with stage.engine.connect() as connection:
        assert connection.scalars(text("SELECT job FROM torg_outbox")).all() == ["other.count"]
        assert connection.scalar(text("SELECT to_regclass('alembic_version_till')")) is None
    assert planned(stage, other).is_empty


def test_purged_plugin_can_come_back(stage: Any, till: Any) -> None:
    purged(stage, till)

    assert stage.upgrade(till) == ["till_0001"]


def test_later_step_that_stumbles_over_data_does_not_stop_it(stage: Any, till: Any) -> None:
    till.revision(
        2,
        'op.execute("ALTER TABLE till_line ADD COLUMN word text")',
        'op.execute("ALTER TABLE till_line ALTER COLUMN word SET NOT NULL")',
    )
    stage.upgrade(till)
    with stage.engine.begin() as connection:
        connection.execute(text("INSERT INTO till_line (id) VALUES (1)"))
    told: list[str] = []

    purged(stage, told=told)

    assert told == []
    assert names(stage) == set()


def test_broken_removal_sql_is_told_and_everything_goes_all_the_same(stage: Any, till: Any) -> None:
    with stage.engine.begin() as connection:
        connection.execute(text("UPDATE torg_plugin_migration SET removal_sql = 'DROP nonsense'"))
    told: list[str] = []

    purged(stage, told=told)

    assert "till_0001" in told[0]
    assert names(stage) == set()


def test_revision_that_no_sql_can_undo_is_dropped_by_name(stage: Any) -> None:
    till = stage.plugin("till")
    till.revision(1, TILL, "op.get_bind().execute(sa.text('SELECT 1')).scalar_one()")
    stage.upgrade(till)

    assert planned(stage).unwritten == ["till_0001"]
    purged(stage)

    assert names(stage) == set()


def test_enabled_plugin_is_refused(stage: Any, till: Any) -> None:
    with pytest.raises(MigrationError, match="it is enabled"):
        purged(stage, till, enabled="till")

    assert names(stage)


def test_plugin_that_another_needs_is_refused(stage: Any, till: Any) -> None:
    other = stage.plugin("other")
    other.table(1, "other_thing", extra='needs = {"till": "till_0001"}')
    stage.upgrade(till, other)

    with pytest.raises(MigrationError, match="other_0001 of plugin other needs it"):
        purged(stage)


def test_foreign_table_that_refers_to_it_is_named_and_kept(stage: Any, till: Any) -> None:
    with stage.engine.begin() as connection:
        connection.execute(text("CREATE TABLE report (id bigint REFERENCES till_entry)"))

    with pytest.raises(MigrationError, match="table report refers to its table till_entry"):
        purged(stage)

    assert "report" in stage.tables()
    assert names(stage)


def test_failure_in_the_middle_changes_nothing(stage: Any, till: Any) -> None:
    with stage.engine.begin() as connection:
        connection.execute(text("CREATE VIEW report AS SELECT id FROM till_entry"))

    with pytest.raises(MigrationError, match="nothing was changed") as caught:
        purged(stage)

    assert "report" in caught.value.why
    assert "till_entry" in stage.tables()
    with stage.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM till_entry")) == 1


def test_unknown_plugin_has_nothing_to_purge(stage: Any) -> None:
    stage.upgrade()

    assert planned(stage).is_empty


def test_empty_database_has_nothing_to_purge(stage: Any) -> None:
    assert planned(stage).is_empty


def test_host_is_never_purged(stage: Any) -> None:
    stage.upgrade()
    with (
        exclusive(stage.engine) as connection,
        pytest.raises(MigrationError, match="not a plugin"),
    ):
        purge(connection, "host", stage.streams())
