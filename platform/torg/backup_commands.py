"""`torg backup …`: make, verify and restore archives of a deployment.

Owns the command line; what an archive is and how it is proven is `backup`'s.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from torg import backup as archives
from torg import config
from torg.backup import Manifest
from torg.config import Settings
from torg.run_commands import embedded_servers

_as_json = click.option("--json", "as_json", is_flag=True, help="For a machine.")
_archive = click.argument("archive", type=click.Path(path_type=Path, dir_okay=False))


@click.group()
def backup() -> None:
    """Make, verify and restore backups: database, stored files and a manifest in one archive."""


@backup.command()
@click.argument("target", type=click.Path(path_type=Path), default=Path())
@_as_json
def create(target: Path, as_json: bool) -> None:
    """Write a backup while everything goes on running.

    TARGET is the file to write, or a folder, in which the file is named by the time.
    """
    if target.is_dir():
        target /= f"torg-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar"
    with _database() as settings:
        folder = archives.storage_folder(settings.host.storage_url)
        manifest = archives.create(settings.host.database_url, folder, target)
    _tell(manifest, target, "written", as_json)
    if not as_json:
        click.echo(f"Prove it: torg backup verify {target}", err=True)


@backup.command()
@_archive
@_as_json
def verify(archive: Path, as_json: bool) -> None:
    """Prove a backup: checksums, and a restore into a scratch database with the same rows."""
    with _database() as settings:
        manifest = archives.verify(archive, settings.host.database_url)
    _tell(manifest, archive, "verified", as_json)


@backup.command()
@_archive
@_as_json
def restore(archive: Path, as_json: bool) -> None:
    """Bring a backup back, into an empty database."""
    with _database() as settings:
        folder = archives.storage_folder(settings.host.storage_url)
        manifest = archives.restore(archive, settings.host.database_url, folder)
    _tell(manifest, archive, "restored", as_json)
    if not as_json:
        click.echo("Next: torg db plan   (an older backup may need migrations)", err=True)


@contextmanager
def _database() -> Iterator[Settings]:
    """The settings with a database that runs, be it an embedded one started for this."""
    with embedded_servers(config.load(), doorbell=False):
        yield config.load()


def _tell(manifest: Manifest, path: Path, done: str, as_json: bool) -> None:
    rows, tables = sum(manifest.rows.values()), len(manifest.rows)
    if as_json:
        facts = {"archive": str(path), "done": done, **vars(manifest), "files": manifest.files}
        facts.pop("members")
        click.echo(json.dumps(facts))
        return
    click.echo(
        f"{path} {done}: {rows} rows in {tables} tables, {manifest.files} files, "
        f"of {manifest.created_at}, Torg {manifest.torg}, PostgreSQL {manifest.postgresql}"
    )
