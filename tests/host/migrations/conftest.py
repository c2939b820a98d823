"""A stage for migrations: an empty database and pretend plugins made of files."""

import importlib
import json
import shutil
import sys
import textwrap
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from torg import cli, manifest, migrate
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


@dataclass
class Shell:
    """The command `torg` in a folder and an environment of its own, in this process."""

    patch: pytest.MonkeyPatch
    stage: Stage

    def install(self, package: Package, hooks: str = "") -> Package:
        """Make a pretend plugin importable and findable, as pip would."""
        folder = package.path.parent
        (package.path / "__init__.py").write_text("", "utf-8")
        (package.path / "plugin.py").write_text(hooks, "utf-8")
        metadata = folder / f"torg_{package.name}-1.2.3.dist-info"
        metadata.mkdir(exist_ok=True)
        words = f"Metadata-Version: 2.1\nName: torg-{package.name}\nVersion: 1.2.3\n"
        (metadata / "METADATA").write_text(words, "utf-8")
        entry = f"[torg.plugins]\n{package.name} = torg_{package.name}\n"
        (metadata / "entry_points.txt").write_text(entry, "utf-8")
        self.patch.syspath_prepend(str(folder))
        return package

    def uninstall(self, package: Package) -> None:
        """Take a pretend plugin away again."""
        shutil.rmtree(package.path)
        shutil.rmtree(package.path.parent / f"torg_{package.name}-1.2.3.dist-info")
        importlib.invalidate_caches()

    def enable(self, *names: str) -> None:
        """Switch plugins on and all others off."""
        self.patch.setenv("TORG_PLUGINS", ",".join(names))

    def run(self, *words: str, typed: str = "") -> Result:
        """Run a command; errors that end it are in the result."""
        return CliRunner().invoke(cli.torg, words, input=typed)

    def json(self, *words: str) -> Any:
        """Run a command that succeeds and read what it printed."""
        result = self.run(*words, "--json")
        assert result.exception is None, result.output
        return json.loads(result.stdout)

    def json_anyway(self, *words: str) -> Any:
        """Read what a command printed, whether it succeeded or not."""
        return json.loads(self.run(*words, "--json").stdout)


@pytest.fixture
def shell(
    stage: Stage, torg_environment: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Shell]:
    """The command line on the stage."""
    before = set(sys.modules)
    values = {
        "TORG_DATABASE_URL": stage.engine.url.render_as_string(hide_password=False),
        "TORG_REDIS_URL": torg_environment.redis_url,
        "TORG_SECRET_KEY": "a test's key 0123456789 abcdefghijklmnop",
        "TORG_DATA_DIR": str(tmp_path / "data"),
        "TORG_PLUGINS": "",
        "TORG_LOG_LEVEL": "error",
        "TORG_TEST_DATABASE_URL": torg_environment.admin_url,
        "TORG_TEST_REDIS_URL": torg_environment.redis_url,
    }
    for key, value in values.items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(tmp_path)
    yield Shell(monkeypatch, stage)
    pretended = {name for name in set(sys.modules) - before if name.startswith("torg_")}
    for name in pretended:
        del sys.modules[name]
