"""Migrations: one stream per plugin, one lock, each revision with its record, nothing shared."""

import textwrap
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from torg import manifest, migrate
from torg.migration_plan import MigrationError, plan_upgrade
from torg.migration_record import disagreements, read_database, read_removals
from torg.migration_run import exclusive, removals
from torg.migration_streams import Stream, owner, read_revisions
from torg.testing import Environment

_numbers = count(1)


@pytest.fixture
def engine(torg_environment: Environment) -> Iterator[Engine]:
    """An empty database of this test alone."""
    name = f"torg_migrate_{next(_numbers)}"
    url = torg_environment.create(name).replace("postgresql://", "postgresql+psycopg2://")
    found = create_engine(url, poolclass=NullPool)
    yield found
    found.dispose()
    torg_environment.drop(name)


@dataclass
class Package:
    """A pretend plugin: a package with a manifest and revision files."""

    name: str
    path: Path

    def manifest(self) -> manifest.Manifest:
        """What the host reads of it."""
        return manifest.read(self.path, f"torg_{self.name}", "1.2.3", self.name)

    def revision(
        self,
        number: int,
        upgrade: str,
        downgrade: str = "pass",
        *,
        previous: int | None = -1,
        extra: str = "",
        file: str = "",
    ) -> Path:
        """Write a revision file; `previous` is the one before by default."""
        before = number - 1 if previous == -1 else previous
        down = f'"{self.name}_{before:04}"' if before else "None"
        lines = [
            f'"""Step {number}."""\n\nimport sqlalchemy as sa\nfrom alembic import op\n',
            f'revision = "{self.name}_{number:04}"',
            f"down_revision = {down}",
            f"{extra}\n\ndef upgrade() -> None:",
            textwrap.indent(textwrap.dedent(upgrade).strip(), "    "),
            "\n\ndef downgrade() -> None:",
            textwrap.indent(textwrap.dedent(downgrade).strip(), "    "),
        ]
        target = self.path / "migrations" / "versions" / (file or f"{number:04}.py")
        target.write_text("\n".join(lines) + "\n", "utf-8")
        return target

    def table(self, number: int, table: str, **arguments: str) -> Path:
        """A revision that makes one small table."""
        return self.revision(
            number,
            f'op.create_table("{table}", sa.Column("id", sa.BigInteger, primary_key=True))',
            f'op.drop_table("{table}")',
            **arguments,  # type: ignore[arg-type]
        )


@pytest.fixture
def package(tmp_path: Path) -> Callable[..., Package]:
    """Makes pretend plugins."""

    def make(name: str, requires: str = "", folder: str = "") -> Package:
        path = tmp_path / folder / f"torg_{name}"
        (path / "migrations" / "versions").mkdir(parents=True)
        lines = [f'name = "{name}"', f'title = "{name}"', 'api = ">=1,<2"', requires]
        (path / "plugin.toml").write_text("\n".join(lines), "utf-8")
        return Package(name, path)

    return make


def streams(*packages: Package, enabled: str | None = None) -> list[Stream]:
    """The streams of these plugins; all enabled unless `enabled` names some."""
    names = [each.name for each in packages] if enabled is None else enabled.split()
    return migrate.installed_streams(names, [each.manifest() for each in packages])


def tables(engine: Engine) -> set[str]:
    """The tables of the database, without Alembic's own."""
    return {t for t in sa.inspect(engine).get_table_names() if not t.startswith("alembic_")}


def applied(engine: Engine, plugin: str) -> list[str]:
    """The record of one stream."""
    with engine.connect() as connection:
        return [
            each.revision for each in read_database(connection).records if each.plugin == plugin
        ]


class TestUpgrade:
    def test_host_goes_first_and_each_stream_has_a_version_table(self, engine, package):
        stall = package("stall")
        stall.table(1, "stall_thing", extra='needs = {"host": "host_0001"}')

        done = migrate.upgrade_engine(engine, streams(stall))

        assert done[0] == "host_0001"
        assert done[-1] == "stall_0001"
        names = set(sa.inspect(engine).get_table_names())
        assert {"alembic_version", "alembic_version_stall", "stall_thing"} <= names

    def test_repeating_it_does_nothing(self, engine, package):
        stall = package("stall")
        stall.table(1, "stall_thing")
        migrate.upgrade_engine(engine, streams(stall))

        assert migrate.upgrade_engine(engine, streams(stall)) == []

    def test_each_revision_is_recorded_with_what_removal_needs(self, engine, package):
        stall = package("stall")
        stall.table(1, "stall_thing", extra='needs = {"host": "host_0001"}')
        migrate.upgrade_engine(engine, streams(stall))

        with engine.connect() as connection:
            row = connection.execute(
                text("SELECT * FROM torg_plugin_migration WHERE plugin = 'stall'")
            ).one()

        assert row.revision == "stall_0001"
        assert row.version == "1.2.3"
        assert row.owned_tables == ["stall_thing"]
        assert row.needs == {"host": "host_0001"}
        assert row.removal_sql == "DROP TABLE stall_thing;"
        assert len(row.checksum) == 64

    def test_dependencies_go_before_names(self, engine, package):
        first, second = package("zebra"), package("ant", 'requires = { zebra = ">=1" }')
        first.table(1, "zebra_thing")
        second.table(1, "ant_thing")

        done = migrate.upgrade_engine(engine, streams(first, second))

        assert done[-2:] == ["zebra_0001", "ant_0001"]

    def test_four_upgrades_at_once_all_succeed(self, engine, package):
        stall = package("stall")
        for number in range(1, 6):
            stall.table(number, f"stall_thing_{number}")
        results: list[object] = []

        def attempt() -> None:
            try:
                results.append(migrate.upgrade_engine(engine, streams(stall)))
            except Exception as error:
                results.append(error)

        threads = [threading.Thread(target=attempt) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(map(len, results)) == [0, 0, 0, len(applied(engine, "host")) + 5]
        assert len(applied(engine, "stall")) == 5

    def test_failing_revision_is_rolled_back_and_earlier_ones_stay(self, engine, package):
        stall = package("stall")
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
            migrate.upgrade_engine(engine, streams(stall))

        assert "stall_0002" in caught.value.what
        assert "division by zero" in caught.value.why
        assert "0002.py" in caught.value.where
        assert applied(engine, "stall") == ["stall_0001"]
        assert "stall_thing" in tables(engine)
        assert not {"stall_half", "stall_never"} & tables(engine)

    def test_mended_revision_continues_where_it_stopped(self, engine, package):
        stall = package("stall")
        stall.table(1, "stall_thing")
        stall.revision(2, 'op.execute("SELECT 1 / 0")')
        with pytest.raises(MigrationError):
            migrate.upgrade_engine(engine, streams(stall))
        stall.table(2, "stall_second")

        assert migrate.upgrade_engine(engine, streams(stall)) == ["stall_0002"]

    def test_only_named_plugins_with_what_they_need_are_upgraded(self, engine, package):
        one, two = package("one"), package("two", 'requires = { one = ">=1" }')
        other = package("other")
        for each in (one, two, other):
            each.table(1, f"{each.name}_thing")

        done = migrate.upgrade_engine(engine, streams(one, two, other), ["two"])

        assert done[-2:] == ["one_0001", "two_0001"]
        assert "other_thing" not in tables(engine)

    def test_table_in_use_is_tried_again_and_then_named(self, engine, package, monkeypatch):
        monkeypatch.setattr("torg.migration_run.LOCK_TIMEOUT_SECONDS", 1)
        monkeypatch.setattr("torg.migration_run.LOCK_ATTEMPTS", 2)
        stall = package("stall")
        stall.table(1, "stall_thing")
        migrate.upgrade_engine(engine, streams(stall))
        stall.revision(2, 'op.execute("ALTER TABLE stall_thing ADD COLUMN word text")')
        told: list[str] = []

        with engine.connect() as reader:
            reader.execute(text("LOCK TABLE stall_thing IN ACCESS SHARE MODE"))
            with pytest.raises(MigrationError) as caught:
                migrate.upgrade_engine(engine, streams(stall), tell=told.append)

        assert "in use" in caught.value.why
        assert "open for" in caught.value.why
        assert any("trying again" in line for line in told)
        assert migrate.upgrade_engine(engine, streams(stall)) == ["stall_0002"]

    def test_work_outside_a_transaction_is_possible(self, engine, package):
        stall = package("stall")
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

        migrate.upgrade_engine(engine, streams(stall))

        with engine.connect() as connection:
            assert dict(read_removals(connection, "stall"))["stall_0002"] == (
                "DROP INDEX ix_stall_thing;"
            )

    def test_waiting_process_says_for_whom(self, engine, package):
        told: list[str] = []
        with (
            exclusive(engine),
            pytest.raises(MigrationError, match="another process"),
            exclusive(engine, told.append, wait_seconds=0.5),
        ):
            pass

        assert "database session" in told[0]


class TestRules:
    def test_table_without_the_prefix_is_refused_and_rolled_back(self, engine, package):
        stall = package("stall")
        stall.table(1, "thing")

        with pytest.raises(MigrationError, match="stall_0001") as caught:
            migrate.upgrade_engine(engine, streams(stall))

        assert "begin with stall_" in caught.value.why
        assert "thing" not in tables(engine)

    def test_table_of_another_plugin_may_not_be_dropped(self, engine, package):
        stall, other = package("stall"), package("other")
        other.table(1, "other_thing")
        stall.revision(1, 'op.drop_table("other_thing")')

        with pytest.raises(MigrationError) as caught:
            migrate.upgrade_engine(engine, streams(stall, other))

        assert "drops the table other_thing" in caught.value.why
        assert "other_thing" in tables(engine)

    def test_longer_name_of_another_plugin_is_not_mine(self, engine, package):
        stats, daily = package("stats"), package("stats_daily")
        daily.table(1, "stats_daily_sum")
        stats.table(1, "stats_daily_stolen")

        with pytest.raises(MigrationError, match="stats_0001"):
            migrate.upgrade_engine(engine, streams(stats, daily), ["stats"])

    def test_reference_to_another_plugin_is_refused(self, engine, package):
        stall, other = package("stall"), package("other")
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
            migrate.upgrade_engine(engine, streams(stall, other))

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
    def test_file_that_breaks_a_rule_is_named_with_the_mend(self, package, extra, message):
        stall = package("stall")
        stall.table(1, "stall_thing", extra=extra)

        (found,) = [each for each in streams(stall) if each.name == "stall"]

        assert message in found.problem
        assert "0001.py" in found.problem

    def test_two_heads_are_named(self, package):
        stall = package("stall")
        stall.table(1, "stall_one")
        stall.table(2, "stall_two", previous=1)
        stall.table(3, "stall_three", previous=1)

        assert "both follow stall_0001" in streams(stall)[1].problem

    def test_two_files_of_one_id_are_named(self, package):
        stall = package("stall")
        stall.table(1, "stall_one")
        stall.table(1, "stall_one", file="copy.py")

        assert "both call themselves stall_0001" in streams(stall)[1].problem

    def test_missing_link_is_named(self, package):
        stall = package("stall")
        stall.table(1, "stall_one")
        stall.table(3, "stall_three")

        assert "follows stall_0002, which is not there" in streams(stall)[1].problem

    def test_ring_is_named(self, package):
        stall = package("stall")
        stall.table(1, "stall_one", previous=2)
        stall.table(2, "stall_two", previous=1)

        assert "in a ring: stall_0001, stall_0002" in streams(stall)[1].problem

    def test_foreign_id_is_refused(self, package):
        stall = package("stall")
        stall.table(1, "stall_one").write_text('revision = "a1b2c3"\ndown_revision = None\n')

        assert "called stall_0001" in streams(stall)[1].problem

    def test_plugin_without_migrations_is_fine(self, engine, tmp_path):
        (tmp_path / "torg_bare").mkdir()
        (tmp_path / "torg_bare" / "plugin.toml").write_text('name="bare"\ntitle="b"\napi=">=1"\n')
        bare = Package("bare", tmp_path / "torg_bare")

        migrate.upgrade_engine(engine, streams(bare))

        assert read_revisions("bare", tmp_path / "torg_bare" / "migrations" / "versions") == ()

    def test_paths_with_every_separator_are_read(self, engine, package):
        stall = package("stall", folder="a b:c;d,e%f%(here)s")
        stall.table(1, "stall_thing")

        migrate.upgrade_engine(engine, streams(stall))

        assert "stall_thing" in tables(engine)

    def test_problem_of_one_plugin_stops_before_anything_runs(self, engine, package):
        good, bad = package("good"), package("bad")
        good.table(1, "good_thing")
        bad.table(1, "bad_thing", extra='depends_on = "good_0001"')

        with pytest.raises(MigrationError, match="nothing was run") as caught:
            migrate.upgrade_engine(engine, streams(good, bad))

        assert "depends_on" in caught.value.why
        assert tables(engine) == set()
        migrate.upgrade_engine(engine, streams(good, bad), ["good"])
        assert "good_thing" in tables(engine)


class TestNeeds:
    def test_needed_plugin_that_is_not_installed_is_named(self, engine, package):
        stall = package("stall")
        stall.table(1, "stall_thing", extra='needs = {"till": "till_0002"}')

        with pytest.raises(MigrationError) as caught:
            migrate.upgrade_engine(engine, streams(stall))

        assert "needs till_0002 of plugin till, which is not installed" in caught.value.why
        assert tables(engine) == set()

    def test_needed_revision_of_a_newer_package_is_named(self, engine, package):
        stall, till = package("stall"), package("till")
        till.table(1, "till_thing")
        stall.table(1, "stall_thing", extra='needs = {"till": "till_0002"}')

        with pytest.raises(MigrationError, match="stall") as caught:
            migrate.upgrade_engine(engine, streams(stall, till))

        assert "torg_till 1.2.3 goes up to till_0001" in caught.value.why

    def test_needed_plugin_that_is_disabled_is_named(self, engine, package):
        stall, till = package("stall"), package("till")
        till.table(1, "till_thing")
        stall.table(1, "stall_thing", extra='needs = {"till": "till_0001"}')

        with pytest.raises(MigrationError) as caught:
            migrate.upgrade_engine(engine, streams(stall, till, enabled="stall"))

        assert "till, which is disabled" in caught.value.why

    def test_need_orders_streams_without_requires(self, engine, package):
        stall, till = package("stall"), package("till")
        till.table(1, "till_thing")
        stall.table(1, "stall_thing", extra='needs = {"till": "till_0001"}')

        done = migrate.upgrade_engine(engine, streams(stall, till))

        assert done[-2:] == ["till_0001", "stall_0001"]

    def test_need_that_is_in_the_database_counts_without_its_package(self, engine, package):
        stall, till = package("stall"), package("till")
        till.table(1, "till_thing")
        migrate.upgrade_engine(engine, streams(stall, till))
        stall.table(1, "stall_thing", extra='needs = {"till": "till_0001"}')

        assert migrate.upgrade_engine(engine, streams(stall)) == ["stall_0001"]

    def test_streams_that_wait_for_each_other_are_named(self, engine, package):
        one, two = package("one"), package("two")
        one.table(1, "one_thing", extra='needs = {"two": "two_0001"}')
        two.table(1, "two_thing", extra='needs = {"one": "one_0001"}')

        with pytest.raises(MigrationError) as caught:
            migrate.upgrade_engine(engine, streams(one, two))

        assert "wait for each other: one, two" in caught.value.why


class TestAbsence:
    @pytest.fixture
    def pair(self, engine, package):
        """Two migrated plugins."""
        stall, other = package("stall"), package("other")
        stall.table(1, "stall_thing")
        other.table(1, "other_thing")
        migrate.upgrade_engine(engine, streams(stall, other))
        return stall, other

    def test_disabled_plugin_is_left_alone_and_shown(self, engine, pair):
        stall, other = pair
        stall.table(2, "stall_second")
        found = streams(stall, other, enabled="other")

        assert migrate.upgrade_engine(engine, found) == []
        with engine.connect() as connection:
            state = migrate.plan(connection, found).states["stall"]
        assert (state.state, state.pending) == ("disabled", ("stall_0002",))
        with pytest.raises(MigrationError, match="disabled"):
            migrate.upgrade_engine(engine, found, ["stall"])

    def test_enabled_again_it_catches_up_with_its_data(self, engine, pair):
        stall, other = pair
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO stall_thing (id) VALUES (7)"))
        migrate.upgrade_engine(engine, streams(stall, other, enabled="other"))
        stall.table(2, "stall_second")

        assert migrate.upgrade_engine(engine, streams(stall, other)) == ["stall_0002"]
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT id FROM stall_thing")) == 7

    def test_gone_package_is_an_orphan_and_hinders_nobody(self, engine, pair):
        _stall, other = pair
        other.table(2, "other_second")

        assert migrate.upgrade_engine(engine, streams(other)) == ["other_0002"]
        migrate.downgrade(engine, streams(other), {"other": "base"})
        with engine.connect() as connection:
            states = migrate.plan(connection, streams(other)).states
        assert states["stall"].state == "orphaned"
        assert "purge stall" in states["stall"].next_step
        assert "stall_thing" in tables(engine)

    def test_package_older_than_the_database_is_named(self, engine, pair):
        stall, other = pair
        path = stall.table(2, "stall_second")
        migrate.upgrade_engine(engine, streams(stall, other))
        path.unlink()

        with pytest.raises(MigrationError) as caught:
            migrate.upgrade_engine(engine, streams(stall, other))

        assert "the database is at stall_0002" in caught.value.why
        assert "applied by torg_stall 1.2.3" in caught.value.why

    def test_squashed_revisions_are_named_and_others_go_on(self, engine, pair):
        stall, other = pair
        (stall.path / "migrations" / "versions" / "0001.py").unlink()
        stall.table(5, "stall_all", previous=None)
        other.table(2, "other_second")

        with engine.connect() as connection:
            state = migrate.plan(connection, streams(stall, other)).states["stall"]

        assert state.state == "blocked"
        assert "squashed" in state.problem
        assert migrate.upgrade_engine(engine, streams(stall, other), ["other"]) == ["other_0002"]

    def test_broken_manifest_is_skipped_with_its_reason(self, engine, pair):
        stall, other = pair
        (stall.path / "plugin.toml").write_text("name = ")
        other.table(2, "other_second")

        assert migrate.upgrade_engine(engine, streams(stall, other)) == ["other_0002"]
        with engine.connect() as connection:
            state = migrate.plan(connection, streams(stall, other)).states["stall"]
        assert state.state == "skipped"
        assert "plugin.toml" in state.problem


class TestDowngrade:
    def test_step_by_step_with_its_record(self, engine, package):
        stall = package("stall")
        for number in (1, 2, 3):
            stall.table(number, f"stall_thing_{number}")
        migrate.upgrade_engine(engine, streams(stall))

        done = migrate.downgrade(engine, streams(stall), {"stall": "stall_0001"})

        assert done == ["stall_0003", "stall_0002"]
        assert applied(engine, "stall") == ["stall_0001"]
        assert {t for t in tables(engine) if t.startswith("stall")} == {"stall_thing_1"}

    def test_up_down_up_ends_where_it_began(self, engine, package):
        stall = package("stall")
        stall.table(1, "stall_thing")
        found = streams(stall)
        migrate.upgrade_engine(engine, found)
        first = tables(engine)

        migrate.downgrade(engine, found, {"stall": "base"})
        migrate.downgrade(engine, found, {"host": "base"})
        assert tables(engine) == set()
        migrate.upgrade_engine(engine, found)

        assert tables(engine) == first

    def test_several_plugins_go_back_dependents_first(self, engine, package):
        one, two = package("one"), package("two", 'requires = { one = ">=1" }')
        one.table(1, "one_thing")
        two.table(1, "two_thing", extra='needs = {"one": "one_0001"}')
        migrate.upgrade_engine(engine, streams(one, two))

        done = migrate.downgrade(engine, streams(one, two), {"one": "base", "two": "base"})

        assert done == ["two_0001", "one_0001"]

    @pytest.mark.parametrize("gone", [False, True])
    def test_refused_while_a_dependent_needs_it(self, engine, package, gone):
        one, two = package("one"), package("two")
        one.table(1, "one_thing")
        two.table(1, "two_thing", extra='needs = {"one": "one_0001"}')
        migrate.upgrade_engine(engine, streams(one, two))

        with pytest.raises(MigrationError, match="plugin two has data") as caught:
            migrate.downgrade(engine, streams(*([one] if gone else [one, two])), {"one": "base"})

        assert "purge two" in str(caught.value)
        assert "one_thing" in tables(engine)

    def test_refused_while_a_plugin_requires_it(self, engine, package):
        one, two = package("one"), package("two", 'requires = { one = ">=1" }')
        one.table(1, "one_thing")
        two.table(1, "two_thing")
        migrate.upgrade_engine(engine, streams(one, two))

        with pytest.raises(MigrationError, match="plugin two has data"):
            migrate.downgrade(engine, streams(one, two), {"one": "base"})

    def test_host_stays_while_any_plugin_has_data(self, engine, package):
        stall = package("stall")
        stall.table(1, "stall_thing")
        migrate.upgrade_engine(engine, streams(stall))

        with pytest.raises(MigrationError, match="plugin stall has data"):
            migrate.downgrade(engine, streams(), {"host": "base"})

    def test_disabled_plugin_can_be_taken_back(self, engine, package):
        stall = package("stall")
        stall.table(1, "stall_thing")
        migrate.upgrade_engine(engine, streams(stall))

        done = migrate.downgrade(engine, streams(stall, enabled=""), {"stall": "base"})

        assert done == ["stall_0001"]

    def test_unknown_target_names_the_known_ones(self, engine, package):
        stall = package("stall")
        stall.table(1, "stall_thing")
        migrate.upgrade_engine(engine, streams(stall))

        with pytest.raises(MigrationError) as caught:
            migrate.downgrade(engine, streams(stall), {"stall": "stall_0009"})

        assert "base, stall_0001" in caught.value.why

    def test_gone_package_points_to_purge(self, engine, package):
        stall = package("stall")
        stall.table(1, "stall_thing")
        migrate.upgrade_engine(engine, streams(stall))

        with pytest.raises(MigrationError, match="is gone") as caught:
            migrate.downgrade(engine, streams(), {"stall": "base"})

        assert "purge stall" in str(caught.value)

    def test_failing_one_keeps_what_it_could_not_undo(self, engine, package):
        stall = package("stall")
        stall.table(1, "stall_thing")
        stall.revision(2, "pass", 'op.execute("SELECT 1 / 0")')
        migrate.upgrade_engine(engine, streams(stall))

        with pytest.raises(MigrationError, match="Undoing stall_0002"):
            migrate.downgrade(engine, streams(stall), {"stall": "base"})

        assert applied(engine, "stall") == ["stall_0001", "stall_0002"]


class TestRecord:
    def test_changed_file_of_an_applied_revision_is_noticed(self, engine, package):
        stall = package("stall")
        path = stall.table(1, "stall_thing")
        migrate.upgrade_engine(engine, streams(stall))
        path.write_text(path.read_text() + "\n# later\n")

        with engine.connect() as connection:
            state = migrate.plan(connection, streams(stall)).states["stall"]

        assert state.changed == ("stall_0001",)
        assert state.state == "current"

    def test_stamp_by_hand_is_noticed(self, engine, package):
        stall = package("stall")
        stall.table(1, "stall_thing")
        stall.table(2, "stall_second")
        migrate.upgrade_engine(engine, streams(stall))
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version_stall SET version_num = 'stall_0001'"))

        with engine.connect() as connection:
            found = disagreements(read_database(connection))

        assert "stall_0001" in found[0]
        assert "stall_0002" in found[0]

    def test_downgrade_that_needs_the_data_has_no_removal_sql(self, package):
        stall = package("stall")
        stall.revision(1, "pass", 'op.get_bind().execute(sa.text("SELECT 1")).scalar_one()')

        assert removals(streams(stall)[1]) == {"stall_0001": None}

    def test_literal_percent_signs_and_colons_survive(self, engine, package):
        stall = package("stall")
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
        migrate.upgrade_engine(engine, streams(stall))

        with engine.connect() as connection:
            ((_revision, sql),) = read_removals(connection, "stall")

        assert sql is not None
        assert "'50%' LIKE '5%', 'a:b'" in sql


class TestPlan:
    def test_empty_database_has_everything_pending(self, engine, package):
        stall = package("stall")
        stall.table(1, "stall_thing")

        with engine.connect() as connection:
            found = migrate.plan(connection, streams(stall))

        assert found.states["host"].state == "pending"
        assert [step.revision.id for step in found.steps][-1] == "stall_0001"

    def test_order_does_not_depend_on_the_order_given(self, package):
        made = [package(name) for name in ("cat", "ant", "bee")]
        for each in made:
            each.table(1, f"{each.name}_thing")
        found = streams(*made)
        database = read_nothing()

        orders = [
            [step.revision.id for step in plan_upgrade(each, database).steps]
            for each in (found, found[::-1])
        ]

        assert orders[0] == orders[1]
        assert orders[0][-3:] == ["ant_0001", "bee_0001", "cat_0001"]

    def test_unknown_name_suggests_the_nearest(self, engine, package):
        with pytest.raises(MigrationError, match="did you mean stall"):
            migrate.upgrade_engine(engine, streams(package("stall")), ["stal"])


def read_nothing():
    """The state of an empty database."""
    from torg.migration_plan import Database

    return Database()
