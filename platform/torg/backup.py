"""Backups: the database, the stored files and a manifest in one archive, provable and restorable.

Owns the archive's form, making, checking and restoring it. Settings and secret keys are the
deployer's to keep; they are not in it. The command line is `backup_commands`'.

The archive is a tar file:

    manifest.json     versions, migrations, rows of every table, a checksum of every other member
    database.dump     pg_dump's custom format, taken of the very snapshot whose rows were counted
    files/…           the storage folder
"""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

import psycopg2
from psycopg2 import sql

from torg import __version__, postgres_programs
from torg.command_errors import CommandError

FORMAT = 1
_DUMP = "database.dump"
_MANIFEST = "manifest.json"
_FILES = "files/"
_BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Manifest:
    """What an archive says about itself."""

    created_at: str
    torg: str
    postgresql: int
    revisions: dict[str, str]
    rows: dict[str, int]
    members: dict[str, str]
    format: int = FORMAT

    @property
    def files(self) -> int:
        """How many stored files are in it."""
        return sum(name.startswith(_FILES) for name in self.members)


def create(database_url: str, storage_folder: Path, target: Path) -> Manifest:
    """Write an archive; the file appears whole or not at all, readable by its owner only.

    Files are gathered before and after the dump: one that is removed meanwhile is in it, and so is
    one whose row came just before the dump.

    Raises:
        CommandError: The target exists, or a program failed.
    """
    if target.exists():
        raise CommandError("the backup exists already", where=str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        unfinished.touch(mode=0o600)
        with (
            tarfile.open(unfinished, "w") as archive,
            tempfile.TemporaryDirectory(dir=target.parent, prefix=".dump-") as folder,
        ):
            members: dict[str, str] = {}
            _add_files(archive, storage_folder, members)
            dump = Path(folder) / _DUMP
            facts = _dump(database_url, dump)
            members[_DUMP] = _add(archive, dump, _DUMP)
            _add_files(archive, storage_folder, members)
            manifest = Manifest(
                created_at=datetime.now(UTC).isoformat(timespec="seconds"),
                torg=__version__,
                members=members,
                **facts,
            )
            text = json.dumps(vars(manifest), indent=1, sort_keys=True).encode()
            head = tarfile.TarInfo(_MANIFEST)
            head.size = len(text)
            archive.addfile(head, io.BytesIO(text))
        unfinished.rename(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return manifest


def verify(archive_path: Path, database_url: str) -> Manifest:
    """Prove an archive: every checksum, and a restore into a scratch database with equal rows.

    Args:
        archive_path: The archive.
        database_url: Any database of a server on which our role may create databases.

    Raises:
        CommandError: Something is missing, changed or cannot be restored.
    """
    with _opened(archive_path) as archive:
        manifest = _checked(archive, archive_path)
        with tempfile.TemporaryDirectory() as folder, _scratch(database_url) as scratch_url:
            _restore_dump(archive, Path(folder), scratch_url)
            _compare(manifest.rows, _counted(scratch_url))
    return manifest


def restore(archive_path: Path, database_url: str, storage_folder: Path) -> Manifest:
    """Bring database and files back, into an empty database and a folder without other files.

    Raises:
        CommandError: The archive is damaged or the database is not empty; nothing was changed.
    """
    with _opened(archive_path) as archive:
        manifest = _checked(archive, archive_path)
        if _counted(database_url):
            raise CommandError(
                "the database is not empty; nothing was restored",
                where="TORG_DATABASE_URL",
                next_steps=("make an empty database and name it in TORG_DATABASE_URL",),
            )
        # Files first: one without a row does no harm, and the restore can be repeated.
        for name in manifest.members:
            if name.startswith(_FILES):
                _extract(archive, name, storage_folder / name.removeprefix(_FILES))
        with tempfile.TemporaryDirectory() as folder:
            _restore_dump(archive, Path(folder), database_url)
        _compare(manifest.rows, _counted(database_url))
    return manifest


def storage_folder(storage_url: str) -> Path:
    """The folder of stored files.

    Raises:
        CommandError: Files are kept elsewhere, by something that has backups of its own.
    """
    parts = urlsplit(storage_url)
    if parts.scheme != "file":
        raise CommandError(
            "only files on disk can be put into a backup",
            where="TORG_STORAGE_URL",
            why=f"files are kept by {parts.scheme}",
        )
    return Path(unquote(parts.path))


def _dump(database_url: str, dump: Path) -> dict[str, Any]:
    """Dump the database and count its rows, both of one snapshot."""
    connection = _connect(database_url)
    try:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        major = connection.server_version // 10000
        programs = postgres_programs.fitting(major)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_export_snapshot()")
            snapshot = cursor.fetchone()[0]
            rows = _count(cursor)
            revisions = _revisions(cursor, rows)
            programs.run(
                "pg_dump",
                "--format=custom",
                "--no-owner",
                "--no-privileges",
                f"--snapshot={snapshot}",
                f"--file={dump}",
                url=database_url,
            )
    finally:
        connection.close()
    return {"postgresql": major, "rows": rows, "revisions": revisions}


def _restore_dump(archive: tarfile.TarFile, folder: Path, database_url: str) -> None:
    dump = folder / _DUMP
    _extract(archive, _DUMP, dump)
    connection = _connect(database_url)
    major = connection.server_version // 10000
    connection.close()
    postgres_programs.fitting(major).run(
        "pg_restore",
        "--no-owner",
        "--no-privileges",
        "--exit-on-error",
        "--single-transaction",
        str(dump),
        url=database_url,
    )


def _connect(database_url: str) -> Any:
    return psycopg2.connect(database_url.replace("postgresql+psycopg2://", "postgresql://", 1))


def _counted(database_url: str) -> dict[str, int]:
    connection = _connect(database_url)
    try:
        with connection, connection.cursor() as cursor:
            return _count(cursor)
    finally:
        connection.close()


def _count(cursor: Any) -> dict[str, int]:
    """Rows of every table by its full name."""
    cursor.execute(
        "SELECT schemaname, tablename FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2"
    )
    rows = {}
    for schema, table in cursor.fetchall():
        name = sql.Identifier(schema, table)
        cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(name))
        rows[f"{schema}.{table}"] = cursor.fetchone()[0]
    return rows


def _revisions(cursor: Any, rows: Mapping[str, int]) -> dict[str, str]:
    """The migration that each stream stands at."""
    found = {}
    for table in rows:
        schema, _, name = table.partition(".")
        if name.startswith("alembic_version"):
            statement = sql.SQL("SELECT version_num FROM {}")
            cursor.execute(statement.format(sql.Identifier(schema, name)))
            stream = name.removeprefix("alembic_version").lstrip("_") or "host"
            found[stream] = ", ".join(sorted(row[0] for row in cursor.fetchall()))
    return found


def _compare(expected: Mapping[str, int], found: Mapping[str, int]) -> None:
    wrong = [
        f"{table}: {found.get(table, 'missing')} instead of {count}"
        for table, count in expected.items()
        if found.get(table) != count
    ]
    if wrong:
        raise CommandError("restored rows differ from the manifest", why="; ".join(wrong))


@contextmanager
def _scratch(database_url: str) -> Iterator[str]:
    """A database of its own on the same server, dropped at the end."""
    name = f"torg_verify_{secrets.token_hex(6)}"
    connection = _connect(database_url)
    connection.autocommit = True
    identifier = sql.Identifier(name)
    try:
        with connection.cursor() as cursor:
            try:
                statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(identifier)
                cursor.execute(statement)
            except psycopg2.errors.InsufficientPrivilege as error:
                raise CommandError(
                    "no scratch database could be made, so nothing was proven",
                    where="TORG_DATABASE_URL",
                    why=str(error).strip(),
                    next_steps=("ALTER ROLE … CREATEDB, or verify on another server",),
                ) from error
            parts = urlsplit(database_url)
            yield parts._replace(path=f"/{name}").geturl()
    finally:
        with connection.cursor() as cursor:
            statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier)
            cursor.execute(statement)
        connection.close()


def _add_files(archive: tarfile.TarFile, folder: Path, members: dict[str, str]) -> None:
    """Add every file that is not yet in the archive; one that vanishes meanwhile is left out."""
    for path in sorted(folder.rglob("*")):
        name = _FILES + path.relative_to(folder).as_posix()
        if name not in members and path.is_file() and not path.is_symlink():
            with suppress(FileNotFoundError):
                members[name] = _add(archive, path, name)


def _add(archive: tarfile.TarFile, path: Path, name: str) -> str:
    """Add one file and return its checksum; read once, so that both speak of the same bytes."""
    with path.open("rb") as source, tempfile.SpooledTemporaryFile(_BLOCK_BYTES * 8) as copy:
        digest = hashlib.sha256()
        while block := source.read(_BLOCK_BYTES):
            digest.update(block)
            copy.write(block)
        head = tarfile.TarInfo(name)
        head.size, head.mode, head.mtime = copy.tell(), 0o600, int(path.stat().st_mtime)
        copy.seek(0)
        archive.addfile(head, copy)
    return digest.hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        archive = tarfile.open(path, "r:")  # noqa: SIM115 - closed below
    except (OSError, tarfile.TarError) as error:
        raise CommandError("this is no backup", where=str(path), why=str(error)) from error
    with archive:
        try:
            yield archive
        except tarfile.TarError as error:
            # A copy that was cut short is only met where its end is missing.
            raise _damaged(path, str(error)) from error


def _checked(archive: tarfile.TarFile, path: Path) -> Manifest:
    """The manifest, after every member was compared with its checksum."""
    with _member(archive, _MANIFEST) as source:
        try:
            facts = dict(json.load(source))
        except (ValueError, TypeError) as error:
            raise _damaged(path, f"its manifest cannot be read: {error}") from error
    if facts.get("format", FORMAT) != FORMAT:
        raise CommandError(
            f"a backup of format {facts.get('format')} cannot be read",
            where=str(path),
            why=f"this version of Torg reads format {FORMAT}",
        )
    try:
        manifest = Manifest(**facts)
    except TypeError as error:
        raise _damaged(path, f"its manifest is not whole: {error}") from error
    for name, checksum in manifest.members.items():
        digest = hashlib.sha256()
        with _member(archive, name) as source:
            while block := source.read(_BLOCK_BYTES):
                digest.update(block)
        if digest.hexdigest() != checksum:
            raise _damaged(f"{name} in {path}", "its checksum differs")
    return manifest


def _damaged(place: object, why: str) -> CommandError:
    return CommandError(
        "the backup is damaged",
        where=str(place),
        why=why,
        next_steps=("take another copy of it, or an older backup",),
    )


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    try:
        source = archive.extractfile(name)
    except KeyError:
        source = None
    if source is None:
        raise _damaged(archive.name, f"no {name} in it")
    return source


def _extract(archive: tarfile.TarFile, name: str, target: Path) -> None:
    """Write one member; names come from the manifest, so none may leave the folder.

    Raises:
        CommandError: The name climbs out of the folder.
    """
    if ".." in Path(name).parts or Path(name).is_absolute():
        raise CommandError("the backup names a file outside of its folder", where=name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _member(archive, name) as source, target.open("wb") as copy:
        while block := source.read(_BLOCK_BYTES):
            copy.write(block)
