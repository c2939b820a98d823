"""A stage for migrations: an empty database and pretend plugins made of files."""

import textwrap
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from torg import manifest, migrate
from torg.migration_plan import StreamState
from torg.migration_record import read_database
from torg.migration_streams import Stream
from torg.testing import Environment


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

    def table(
        self,
        number: int,
        table: str,
        *,
        previous: int | None = -1,
        extra: str = "",
        file: str = "",
    ) -> Path:
        """A revision that makes one small table."""
        return self.revision(
            number,
            f'op.create_table("{table}", sa.Column("id", sa.BigInteger, primary_key=True))',
            f'op.drop_table("{table}")',
            previous=previous,
            extra=extra,
            file=file,
        )


@dataclass
class Stage:
    """An empty database of one test, and a folder for its pretend plugins."""

    engine: Engine
    folder: Path

    def plugin(self, name: str, manifest_lines: str = "", folder: str = "") -> Package:
        """Make a pretend plugin."""
        path = self.folder / folder / f"torg_{name}"
        (path / "migrations" / "versions").mkdir(parents=True)
        lines = [f'name = "{name}"', f'title = "{name}"', 'api = ">=1,<2"', manifest_lines]
        (path / "plugin.toml").write_text("\n".join(lines), "utf-8")
        return Package(name, path)

    def streams(self, *packages: Package, enabled: str | None = None) -> list[Stream]:
        """The streams of these plugins; all enabled unless `enabled` names some."""
        names = [each.name for each in packages] if enabled is None else enabled.split()
        return migrate.installed_streams(names, [each.manifest() for each in packages])

    def upgrade(self, *packages: Package, only: Collection[str] = ()) -> list[str]:
        """Bring the database to the newest revisions of these plugins."""
        return migrate.upgrade_engine(self.engine, self.streams(*packages), only)

    def downgrade(
        self, *packages: Package, enabled: str | None = None, **targets: str
    ) -> list[str]:
        """Take plugins back."""
        return migrate.downgrade(self.engine, self.streams(*packages, enabled=enabled), targets)

    def state(self, *packages: Package, of: str, enabled: str | None = None) -> StreamState:
        """Where a stream stands while these plugins are installed."""
        with self.engine.connect() as connection:
            return migrate.plan(connection, self.streams(*packages, enabled=enabled)).states[of]

    def tables(self) -> set[str]:
        """The tables of the database, without Alembic's own."""
        names = sa.inspect(self.engine).get_table_names()
        return {name for name in names if not name.startswith("alembic_")}

    def applied(self, plugin: str) -> list[str]:
        """The record of one stream."""
        with self.engine.connect() as connection:
            records = read_database(connection).records
        return [each.revision for each in records if each.plugin == plugin]


@pytest.fixture(scope="session")
def stage_engine(torg_environment: Environment) -> Iterator[Engine]:
    """One database for all stages; each finds it empty."""
    url = torg_environment.create("torg_migrations")
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg2://"), poolclass=NullPool
    )
    yield engine
    torg_environment.drop("torg_migrations")


@pytest.fixture
def stage(stage_engine: Engine, tmp_path: Path) -> Stage:
    """An empty database and pretend plugins."""
    with stage_engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    return Stage(stage_engine, tmp_path)
