"""Reads raw settings with the place each came from: environment over `.env` over `torg.toml`.

Owns files and variables; leaves types, rules and defaults to `torg.config`.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from importlib.metadata import entry_points
from pathlib import Path

from dotenv.parser import parse_stream

PREFIX = "TORG_"
PLUGIN_GROUP = "torg.plugins"

# Not settings: where the settings are, which process this is (`processes`), and what the test kit
# passes to its own children.
RESERVED = frozenset({"TORG_CONFIG", "TORG_PROCESS"})
RESERVED_PREFIX = "TORG_TEST_"


@dataclass(frozen=True)
class Given:
    """A raw value and the place it was found in."""

    value: object = field(repr=False)  # it may be a secret
    name: str  # TORG_WEB_THREADS, or web_threads in a TOML file
    where: str  # "environment", ".env line 3", "torg.toml line 9"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in the settings.

    Attributes:
        name: the variable or key as the deployer wrote it, or would write it.
        where: the source and line, empty when the value is set nowhere.
        given: the value as text, masked when it is a secret; None when there is none.
        message: what is wrong.
        mend: what to do.
    """

    name: str
    where: str
    given: str | None
    message: str
    mend: str

    def as_json(self) -> dict[str, str | None]:
        """The same for a machine."""
        return asdict(self)

    def __str__(self) -> str:
        """The lines shown to the deployer."""
        value = "" if self.given is None else f" = {self.given}"
        where = f"   ({self.where})" if self.where else "   (not set)"
        lines = [f"{self.name}{value}{where}", f"    {self.message}"]
        if self.mend:
            lines.append(f"    Do: {self.mend}")
        return "\n".join(f"  {line}" for line in lines)


@dataclass
class Raw:
    """Everything found, sorted into the host's keys and the sections of plugins."""

    directory: Path
    host: dict[str, Given] = field(default_factory=dict)
    sections: dict[str, dict[str, Given]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    read: list[str] = field(default_factory=list)


def installed_plugins() -> frozenset[str]:
    """Names of all installed plugins, found without importing any of them."""
    return frozenset(point.name for point in entry_points(group=PLUGIN_GROUP))


def locate(environ: Mapping[str, str], directory: Path | None) -> tuple[Path, Path]:
    """The folder of `.env` and the path of the TOML file.

    `TORG_CONFIG` may name a TOML file or a folder; otherwise the given or working folder counts.
    """
    chosen = environ.get("TORG_CONFIG")
    if chosen:
        path = Path(chosen).expanduser().absolute()
        return (path, path / "torg.toml") if path.is_dir() else (path.parent, path)
    folder = (directory or Path.cwd()).absolute()
    return folder, folder / "torg.toml"


def read(
    host_keys: Collection[str],
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
    installed: Collection[str] | None = None,
) -> Raw:
    """Collect every value; later sources win key by key.

    Args:
        host_keys: the names of the host's own settings.
        environ: the process environment by default.
        directory: where `.env` and `torg.toml` are looked for; the working folder by default.
        installed: names of installed plugins; read from the package metadata by default.
    """
    environ = os.environ if environ is None else environ
    names = installed_plugins() if installed is None else frozenset(installed)
    folder, toml = locate(environ, directory)
    raw = Raw(directory=folder)
    if environ.get("TORG_CONFIG") and not toml.exists():
        raw.problems.append(_missing_file(environ["TORG_CONFIG"]))
    _read_toml(raw, toml, frozenset(host_keys), names)
    for given in _dotenv(raw, folder / ".env"):
        _place(raw, given, frozenset(host_keys), names)
    for name in sorted(environ):
        if name.startswith(PREFIX):
            _place(raw, Given(environ[name], name, "environment"), frozenset(host_keys), names)
    raw.read.append("environment")
    return raw


def nearest(name: str, candidates: Collection[str]) -> str | None:
    """The likeliest meant name, or None when nothing is near."""
    found = get_close_matches(name, sorted(candidates), n=1, cutoff=0.75)
    return found[0] if found else None


def variable(key: str, plugin: str | None = None) -> str:
    """The environment variable of a key: `variable("step", "news")` is TORG_NEWS_STEP."""
    return PREFIX + (f"{plugin}_{key}" if plugin else key).upper()


def _missing_file(path: str) -> Problem:
    return Problem(
        "TORG_CONFIG", "environment", path, "there is no such file", "correct the path or unset it"
    )


def _place(raw: Raw, given: Given, host_keys: frozenset[str], installed: frozenset[str]) -> None:
    """Sort one TORG_ variable into the host's keys or a plugin's section."""
    name = given.name
    if name in RESERVED or name.startswith(RESERVED_PREFIX):
        return
    key = name.removeprefix(PREFIX).lower()
    if key in host_keys:
        raw.host[key] = given
        return
    owners = [plugin for plugin in installed if key.startswith(f"{plugin}_")]
    if owners:
        # The longest name owns it: TORG_NEWS_EXTRA_X is news_extra's when that is installed.
        owner = max(owners, key=len)
        raw.sections.setdefault(owner, {})[key.removeprefix(f"{owner}_")] = given
        return
    raw.problems.append(_unknown_variable(given, host_keys, installed))


def _unknown_variable(
    given: Given, host_keys: frozenset[str], installed: frozenset[str]
) -> Problem:
    words = given.name.removeprefix(PREFIX).split("_")
    candidates = {variable(key) for key in host_keys}
    for plugin in installed:
        rest = words[len(plugin.split("_")) :]
        if rest:
            candidates.add(variable("_".join(rest), plugin))
    return _unknown(given, candidates, "variable")


def _unknown(given: Given, candidates: Collection[str], kind: str) -> Problem:
    near = nearest(given.name, candidates)
    mend = f"did you mean {near}?" if near else "remove it; torg config reference lists all"
    # The value is not shown: a mistyped name may well hold a password.
    return Problem(given.name, given.where, None, f"is an unknown {kind}", mend)


def _dotenv(raw: Raw, path: Path) -> list[Given]:
    if not path.is_file():
        return []
    raw.read.append(path.name)
    found = []
    try:
        with path.open(encoding="utf-8") as stream:
            for binding in parse_stream(stream):
                where = f"{path.name} line {binding.original.line}"
                if binding.error:
                    message = "is not NAME=value"
                    raw.problems.append(
                        Problem(path.name, where, None, message, "correct the line")
                    )
                elif binding.key and binding.key.startswith(PREFIX):
                    found.append(Given(binding.value or "", binding.key, where))
    except UnicodeDecodeError:
        problem = Problem(path.name, str(path), None, "is not UTF-8 text", "save it as UTF-8")
        raw.problems.append(problem)
    return found


def _read_toml(raw: Raw, path: Path, host_keys: frozenset[str], installed: frozenset[str]) -> None:
    if not path.is_file():
        return
    raw.read.append(path.name)
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problem = Problem(path.name, str(path), None, f"is not TOML: {error}", "correct the file")
        raw.problems.append(problem)
        return
    for key, value in document.items():
        given = Given(value, key, _line(path.name, text, key, None))
        if key in host_keys:
            raw.host[key] = given
        elif isinstance(value, dict) and key in installed:
            raw.sections[key] = {
                name: Given(item, f"[{key}] {name}", _line(path.name, text, name, key))
                for name, item in value.items()
            }
        elif isinstance(value, dict):
            section = Given(value, f"[{key}]", _line(path.name, text, None, key))
            candidates = [f"[{name}]" for name in installed]
            raw.problems.append(_unknown(section, candidates, "section (no such plugin)"))
        else:
            raw.problems.append(_unknown(given, host_keys, "key"))


def _line(filename: str, text: str, key: str | None, section: str | None) -> str:
    """The place of a key for a person; the parser itself keeps no line numbers."""
    current: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\s*\"?([\w-]+)\"?", line)
        if header:
            current = header[1]
            if key is None and current == section:
                return f"{filename} line {number}"
        elif key and current == section and re.match(rf"\s*\"?{re.escape(key)}\"?\s*[.=]", line):
            return f"{filename} line {number}"
    return filename
