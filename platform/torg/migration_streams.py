"""Migration streams: the host's and one per plugin, each a straight line of revisions.

Owns what a revision file must look like and reads it without running it, so that one plugin's
broken file is named and harms nobody else. What to run is `torg.migration_plan`'s decision, running
is `torg.migration_run`'s job.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from torg import __version__
from torg.manifest import Manifest

HOST = "host"
VERSION_TABLE = "alembic_version"
_REVISION_FILE = re.compile(r"(?!\.|__init__).*\.py")
# Alembic keeps the revision in a column of 32 characters.
_LONGEST_REVISION = 32
_CONSTANTS = frozenset({"revision", "down_revision", "depends_on", "branch_labels", "needs"})


@dataclass(frozen=True, slots=True)
class Revision:
    """One step of a stream, as its file states it.

    Attributes:
        needs: revisions of other streams that must be there first, by plugin name.
        checksum: SHA-256 of the file with line endings unified, in hexadecimal digits.
        transactional: whether a failure leaves nothing behind (no `autocommit_block` in it).
    """

    id: str
    previous: str | None
    title: str
    path: Path
    checksum: str
    needs: Mapping[str, str] = field(default_factory=dict)
    transactional: bool = True


@dataclass(frozen=True, slots=True)
class Stream:
    """All revisions of the host or of one installed plugin, oldest first.

    Attributes:
        folder: where the revision files lie; a plugin without tables has none.
        before: names of the streams that go first when they are there.
        requires: those of them without which this plugin does not work.
        enabled: whether upgrades touch it.
        reason: why an enabled plugin is left out (blocked, incompatible); empty otherwise.
        problem: what is wrong with the revision files; empty when they are sound.
    """

    name: str
    package: str
    version: str
    folder: Path
    before: frozenset[str] = frozenset()
    requires: frozenset[str] = frozenset()
    enabled: bool = True
    reason: str = ""
    revisions: tuple[Revision, ...] = ()
    problem: str = ""

    @property
    def version_table(self) -> str:
        """The table that holds this stream's present revision."""
        return version_table(self.name)

    def position(self, revision: str | None) -> int:
        """How many revisions are applied when the database is at `revision`; -1: not known."""
        if revision is None:
            return 0
        ids = [each.id for each in self.revisions]
        return ids.index(revision) + 1 if revision in ids else -1

    @property
    def newest(self) -> str:
        """The id of the last revision, or a word for none."""
        return self.revisions[-1].id if self.revisions else "none"


class RevisionFileError(ValueError):
    """A revision file does not follow the rules; the message names the file and the mend."""


def version_table(name: str) -> str:
    """The name of a stream's version table."""
    return VERSION_TABLE if name == HOST else f"{VERSION_TABLE}_{name}"


def prefix(name: str) -> str:
    """What the names of a stream's tables, functions and types begin with."""
    return "torg_" if name == HOST else f"{name}_"


def owner(table: str, names: Iterable[str]) -> str | None:
    """Whose table this is: the longest fitting prefix wins (`stats_daily` before `stats`).

    Args:
        table: a table's name; version tables belong to nobody.
        names: all plugins that are installed or have left data; the host is always among them.
    """
    if table == VERSION_TABLE or table.startswith(f"{VERSION_TABLE}_"):
        return None
    owners = [name for name in {HOST, *names} if table.startswith(prefix(name))]
    return max(owners, key=lambda name: len(prefix(name)), default=None)


def environment_folder() -> Path:
    """Where env.py, the template of revisions and the host's own revisions lie."""
    return Path(str(files("torg.migrations")))


def host_stream() -> Stream:
    """The host's own stream, which everything else comes after."""
    return _with_revisions(
        Stream(HOST, "torg", __version__, environment_folder() / "versions", frozenset())
    )


def plugin_stream(manifest: Manifest, *, enabled: bool, reason: str = "") -> Stream:
    """The stream of an installed plugin, read from its package's folder without importing it."""
    providers = frozenset(manifest.requires) | frozenset(manifest.after)
    stream = Stream(
        name=manifest.name,
        package=manifest.package,
        version=manifest.version,
        folder=manifest.path / "migrations" / "versions",
        before=providers - {manifest.name} | {HOST},
        requires=frozenset(manifest.requires),
        enabled=enabled,
        reason=reason,
    )
    # A manifest that cannot be read names no folder: looking there would find somebody else's.
    return stream if manifest.problem else _with_revisions(stream)


def _with_revisions(stream: Stream) -> Stream:
    try:
        revisions = read_revisions(stream.name, stream.folder)
    except (RevisionFileError, OSError) as error:
        return replace(stream, problem=str(error))
    needed = frozenset(name for each in revisions for name in each.needs)
    return replace(stream, revisions=revisions, before=stream.before | needed - {stream.name})


def read_revisions(name: str, folder: Path) -> tuple[Revision, ...]:
    """The revisions in a folder in their order; an absent folder holds none.

    Raises:
        RevisionFileError: a file breaks a rule, or the files are no straight line.
    """
    if not folder.is_dir():
        return ()
    paths = sorted(path for path in folder.iterdir() if _REVISION_FILE.fullmatch(path.name))
    found: dict[str, Revision] = {}
    for path in paths:
        revision = _read_revision(name, path)
        if revision.id in found:
            other = found[revision.id].path.name
            message = f"{other} and {path.name} both call themselves {revision.id}; rename one"
            raise RevisionFileError(message)
        found[revision.id] = revision
    return _in_line(found)


def _read_revision(name: str, path: Path) -> Revision:
    return _revision(name, path, path.read_bytes())


@lru_cache(maxsize=512)  # a process that makes many applications, as tests do, parses a file once
def _revision(name: str, path: Path, source: bytes) -> Revision:
    try:
        module = ast.parse(source)
        constants = _constants(module)
    except (SyntaxError, ValueError) as error:
        message = f"{path}: cannot be read: {error}"
        raise RevisionFileError(message) from error
    identity, needs = constants.get("revision", ""), constants.get("needs") or {}
    _check(path, isinstance(identity, str), 'it must state revision = "…"')
    _check(path, bool(re.fullmatch(rf"{name}_\d{{4,}}", identity)), _NAMING.format(name, identity))
    _check(path, len(identity) <= _LONGEST_REVISION, f"{identity} is over 32 characters long")
    previous = constants.get("down_revision")
    _check(path, previous is None or isinstance(previous, str), "a stream has no merges")
    _check(path, not constants.get("depends_on"), _NO_DEPENDS_ON)
    words = isinstance(needs, dict) and all(isinstance(w, str) for kv in needs.items() for w in kv)
    _check(path, words, 'needs must read {"auth": "auth_0001"}: plugin to revision')
    _check(path, name not in needs, "needs names its own stream, which is in order anyway")
    return Revision(
        id=identity,
        previous=previous,
        title=(ast.get_docstring(module) or "").partition("\n")[0],
        path=path,
        checksum=hashlib.sha256(source.replace(b"\r\n", b"\n")).hexdigest(),
        needs=needs,
        transactional=b"autocommit_block" not in source,
    )


_NAMING = "revisions of this stream are called {0}_0001, {0}_0002 and so on, not {1!r}"
_NO_DEPENDS_ON = (
    "depends_on is not used here, because a downgrade would follow it into another plugin's "
    'tables; say needs = {"other": "other_0001"} instead'
)


def _check(path: Path, fact: bool, otherwise: str) -> None:
    if not fact:
        message = f"{path}: {otherwise}"
        raise RevisionFileError(message)


def _constants(module: ast.Module) -> dict[str, Any]:
    """The values of the known names, which must be literals because nothing is run."""
    values: dict[str, Any] = {}
    for node in module.body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id in _CONSTANTS:
                values[target.id] = _literal(target.id, value)
    return values


def _literal(name: str, value: ast.expr) -> Any:
    try:
        return ast.literal_eval(value)
    except ValueError as error:
        message = f"{name} must be a plain literal, because nothing is run to read it"
        raise ValueError(message) from error


def _in_line(found: Mapping[str, Revision]) -> tuple[Revision, ...]:
    following: dict[str | None, Revision] = {}
    for revision in found.values():
        rival = following.setdefault(revision.previous, revision)
        if rival is not revision:
            message = (
                f"{rival.id} and {revision.id} both follow {revision.previous or 'the beginning'}; "
                f"let one follow the other (down_revision in {revision.path})"
            )
            raise RevisionFileError(message)
        if revision.previous is not None and revision.previous not in found:
            message = f"{revision.path}: it follows {revision.previous}, which is not there"
            raise RevisionFileError(message)
    line: list[Revision] = []
    while (step := following.get(line[-1].id if line else None)) is not None:
        line.append(step)
    if len(line) != len(found):
        rest = sorted(set(found) - {each.id for each in line})
        message = f"these revisions follow each other in a ring: {', '.join(rest)}"
        raise RevisionFileError(message)
    return tuple(line)


def names_of(streams: Collection[Stream]) -> frozenset[str]:
    """The names of the streams."""
    return frozenset(stream.name for stream in streams)
