"""Promises of backups: whole or not at all, proven row by row, refused when damaged."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from torg import backup, postgres_programs
from torg.command_errors import CommandError
from torg.testing_servers import Environment


@pytest.fixture
def database(make_app: Callable[..., Any]) -> str:
    """The address of a migrated database with a few rows."""
    url: str = make_app([]).extensions["torg.config"].host.database_url
    execute(url, "INSERT INTO torg_identity SELECT FROM generate_series(1, 7)")
    return url


@pytest.fixture
def empty(torg_environment: Environment) -> Iterator[str]:
    """The address of an empty database."""
    name = f"torg_restored_{os.getpid()}"
    yield torg_environment.create(name)
    torg_environment.drop(name)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A storage folder with two files."""
    folder = tmp_path / "files"
    (folder / "area" / "ab").mkdir(parents=True)
    (folder / "area" / "ab" / "picture").write_bytes(os.urandom(3_000_000))
    (folder / "letter.txt").write_text("письмо")
    return folder


def execute(url: str, statement: str) -> list[Any]:
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def test_a_restored_backup_has_every_row_and_every_file(
    database: str, empty: str, files: Path, tmp_path: Path
) -> None:
    archive, restored = tmp_path / "archive.tar", tmp_path / "restored"
    made = backup.create(database, files, archive)
    assert backup.restore(archive, empty, restored) == made
    assert execute(empty, "SELECT count(*) FROM torg_identity") == [(7,)]
    for path in files.rglob("*"):
        if path.is_file():
            assert (restored / path.relative_to(files)).read_bytes() == path.read_bytes()


def test_the_manifest_names_versions_migrations_and_rows(
    database: str, files: Path, tmp_path: Path
) -> None:
    manifest = backup.create(database, files, tmp_path / "archive.tar")
    assert manifest.rows["public.torg_identity"] == 7
    assert manifest.revisions["host"].startswith("host_")
    assert manifest.files == 2
    assert manifest.postgresql >= 15


def test_a_backup_is_proven_by_restoring_it_beside(
    database: str, files: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "archive.tar"
    made = backup.create(database, files, archive)
    before = execute(database, "SELECT datname FROM pg_database ORDER BY 1")
    assert backup.verify(archive, database) == made
    assert execute(database, "SELECT datname FROM pg_database ORDER BY 1") == before


def test_a_backup_is_readable_by_its_owner_only(database: str, files: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive.tar"
    backup.create(database, files, archive)
    assert archive.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["archive.tar"]


def test_an_existing_file_is_never_overwritten(database: str, files: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive.tar"
    archive.write_text("precious")
    with pytest.raises(CommandError, match="exists already"):
        backup.create(database, files, archive)
    assert archive.read_text() == "precious"


def test_a_backup_that_fails_leaves_nothing(files: Path, tmp_path: Path) -> None:
    with pytest.raises(psycopg2.OperationalError):
        backup.create("postgresql://torg@127.0.0.1:9/none", files, tmp_path / "archive.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["files"]


def test_a_database_that_is_not_empty_is_not_restored_into(
    database: str, files: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "archive.tar"
    backup.create(database, files, archive)
    with pytest.raises(CommandError, match="not empty; nothing was restored"):
        backup.restore(archive, database, tmp_path / "restored")
    assert not (tmp_path / "restored").exists()


@pytest.mark.parametrize("member", ["database.dump", "files/letter.txt"])
def test_a_changed_byte_is_found(
    database: str, empty: str, files: Path, tmp_path: Path, member: str
) -> None:
    archive = tmp_path / "archive.tar"
    backup.create(database, files, archive)
    with tarfile.open(archive) as opened:
        place = opened.getmember(member).offset_data
    content = bytearray(archive.read_bytes())
    content[place + 3] ^= 1
    archive.write_bytes(content)
    with pytest.raises(CommandError, match="damaged"):
        backup.verify(archive, database)
    with pytest.raises(CommandError, match="damaged"):
        backup.restore(archive, empty, tmp_path / "restored")
    assert execute(empty, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


@pytest.mark.parametrize("part", [0.2, 0.9])
def test_a_copy_that_was_cut_short_is_called_damaged(
    database: str, files: Path, tmp_path: Path, part: float
) -> None:
    archive = tmp_path / "archive.tar"
    backup.create(database, files, archive)
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * part)])
    with pytest.raises(CommandError, match="damaged"):
        backup.verify(archive, database)


@pytest.mark.parametrize("manifest", [b"{", b"[7]", b"\xff", b"{}"])
def test_a_manifest_that_cannot_be_read_is_called_damaged(
    database: str, tmp_path: Path, manifest: bytes
) -> None:
    archive = tmp_path / "archive.tar"
    with tarfile.open(archive, "w") as opened:
        head = tarfile.TarInfo("manifest.json")
        head.size = len(manifest)
        opened.addfile(head, io.BytesIO(manifest))
    with pytest.raises(CommandError, match="damaged"):
        backup.verify(archive, database)


def test_a_row_too_few_is_found(database: str, files: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive.tar"
    backup.create(database, files, archive)
    changed = _with_manifest(
        archive, lambda facts: facts["rows"].update({"public.torg_identity": 8})
    )
    with pytest.raises(CommandError, match="7 instead of 8"):
        backup.verify(changed, database)


def test_a_member_that_climbs_out_of_its_folder_is_refused(
    database: str, empty: str, files: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "archive.tar"
    backup.create(database, files, archive)
    content = b"evil"
    checksum = "4b8a4c9b".ljust(64, "0")

    def climb(facts: dict[str, Any]) -> None:
        import hashlib

        nonlocal checksum
        checksum = hashlib.sha256(content).hexdigest()
        facts["members"]["files/../../evil"] = checksum

    changed = _with_manifest(archive, climb, {"files/../../evil": content})
    with pytest.raises(CommandError, match="outside of its folder"):
        backup.restore(changed, empty, tmp_path / "a" / "b" / "restored")
    assert list(tmp_path.rglob("evil")) == []


@pytest.mark.parametrize("content", [b"", b"no archive", os.urandom(20000)])
def test_what_is_no_backup_is_named_so(database: str, tmp_path: Path, content: bytes) -> None:
    archive = tmp_path / "archive.tar"
    archive.write_bytes(content)
    with pytest.raises(CommandError, match=r"no backup|damaged"):
        backup.verify(archive, database)


def test_a_file_removed_while_the_dump_runs_is_still_in_it(
    database: str, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = backup._dump

    def slow(url: str, target: Path) -> dict[str, Any]:
        (files / "letter.txt").unlink()
        (files / "late.txt").write_text("its row came just before the dump")
        return dump(url, target)

    monkeypatch.setattr(backup, "_dump", slow)
    manifest = backup.create(database, files, tmp_path / "archive.tar")
    assert {"files/letter.txt", "files/late.txt"} <= manifest.members.keys()


def test_passwords_go_by_environment_and_not_by_command_line() -> None:
    address, variables = postgres_programs.without_password(
        "postgresql+psycopg2://torg:p%40ss@db:5432/torg?sslmode=require"
    )
    assert address == "postgresql://torg@db:5432/torg?sslmode=require"
    assert variables == {"PGPASSWORD": "p@ss"}


def test_programs_older_than_the_server_are_not_used() -> None:
    with pytest.raises(CommandError, match="PostgreSQL 999"):
        postgres_programs.fitting(999)


def _with_manifest(
    archive: Path,
    change: Callable[[dict[str, Any]], Any],
    more: dict[str, bytes] | None = None,
) -> Path:
    """A copy of an archive with another manifest and further members."""
    target = archive.with_name("changed.tar")
    with tarfile.open(archive) as old, tarfile.open(target, "w") as new:
        for member in old.getmembers():
            source = old.extractfile(member)
            assert source is not None
            content = source.read()
            if member.name == "manifest.json":
                facts = json.loads(content)
                change(facts)
                content = json.dumps(facts).encode()
            _add(new, member.name, content)
        for name, content in (more or {}).items():
            _add(new, name, content)
    return target


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    head = tarfile.TarInfo(name)
    head.size = len(content)
    archive.addfile(head, io.BytesIO(content))
