"""The settings of a deployment: typed, checked at the start, read once, frozen.

Owns the host's keys, the sections of plugins, their rules and the message when something is
wrong. Leaves reading of files and variables to `torg.config_sources`, the generated reference to
`torg.config_reference` and the command line to `torg.config_commands`.

Order of sources: environment (`TORG_WEB_THREADS`) over `.env` over `torg.toml` over the defaults.
Both files are looked for in the working folder, or where `TORG_CONFIG` points (a TOML file or a
folder). A plugin's settings are its own section: `[news]` or `TORG_NEWS_…`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from pydantic import BaseModel, ValidationError

from torg import config_sources
from torg.config_host import HostSettings, Section
from torg.config_sources import Given, Problem, Raw, nearest, variable
from torg.config_values import allowed_values, from_text, is_secret, masked

if TYPE_CHECKING:
    from flask import Flask

__all__ = [
    "HostSettings",
    "Problem",
    "Reading",
    "Section",
    "Settings",
    "SettingsError",
    "init",
    "load",
    "of",
    "plugin_settings",
    "read",
    "settings",
    "stored_secret",
]

Model = TypeVar("Model", bound=BaseModel)
EXTENSION = "torg.config"


class SettingsError(Exception):
    """The settings are wrong; the text lists every problem with its place and its mend."""

    def __init__(self, problems: Collection[Problem], read: Collection[str] = ()) -> None:
        """Keep the problems in the order found."""
        self.problems = tuple(problems)
        self.read = tuple(read)
        super().__init__(self._text())

    def _text(self) -> str:
        count = len(self.problems)
        heading = f"{count} problem{'s' if count != 1 else ''} in the settings"
        sources = f" (read: {', '.join(self.read)})" if self.read else ""
        lines = [f"{heading}{sources}:", *(str(problem) for problem in self.problems)]
        lines.append("  All settings: torg config reference")
        return "\n".join(lines)


@dataclass(frozen=True)
class Settings:
    """All settings of one deployment.

    Attributes:
        host: the host's own settings.
        raw: what was found and where; for `torg config show`.
        notes: things to say that do not stop the start.
    """

    host: HostSettings
    raw: Raw = field(repr=False)
    notes: tuple[str, ...] = ()
    _plugins: dict[str, BaseModel] = field(default_factory=dict, repr=False)

    @classmethod
    def build(
        cls, host: HostSettings, sections: Mapping[str, Mapping[str, object]] | None = None
    ) -> Settings:
        """Settings made in code, as the test kit does, with no file or variable read."""
        raw = Raw(directory=Path.cwd())
        for name, values in (sections or {}).items():
            raw.sections[name] = {
                key: Given(value, f"[{name}] {key}", "code") for key, value in values.items()
            }
        return cls(host=host, raw=raw)

    def plugin(self, name: str, model: type[Model]) -> Model:
        """The checked section of one plugin; kept for `plugin_settings`.

        Raises:
            SettingsError: listing every unknown key and wrong value of the section.
        """
        kept = self._plugins.get(name)
        if isinstance(kept, model):
            return kept
        value, problems = _validated(model, self.raw.sections.get(name, {}), name)
        if problems or value is None:
            raise SettingsError(problems, self.raw.read)
        self._plugins[name] = value
        return value

    def plugins(self, models: Mapping[str, type[BaseModel] | None]) -> None:
        """Check the sections of all given plugins at once; None: a plugin without settings.

        Raises:
            SettingsError: ONE message with the problems of all sections.
        """
        problems: list[Problem] = []
        for name, model in models.items():
            try:
                self.plugin(name, model or Section)
            except SettingsError as error:
                problems.extend(error.problems)
        if problems:
            raise SettingsError(problems, self.raw.read)

    def known_plugin(self, name: str) -> BaseModel:
        """A section checked before; KeyError when the plugin is not enabled."""
        return self._plugins[name]

    def require(self, *keys: str) -> None:
        """Refuse to go on without these host keys, for commands that cannot do without them.

        Raises:
            SettingsError: naming each key that is empty.
        """
        missing = [key for key in keys if not getattr(self.host, key)]
        if missing:
            raise SettingsError([_missing(key) for key in missing], self.raw.read)


@dataclass(frozen=True)
class Reading:
    """The outcome of reading: settings when the host's keys are sound, and every problem."""

    settings: Settings | None
    problems: tuple[Problem, ...]
    raw: Raw


def load(
    environ: Mapping[str, str] | None = None,
    directory: Path | str | None = None,
    *,
    installed: Collection[str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """Read and check the settings.

    Args:
        environ: the process environment by default.
        directory: where `.env` and `torg.toml` lie; the working folder by default.
        installed: names of installed plugins; read from the package metadata by default.
        overrides: host keys given on the command line; they win over every source.

    Raises:
        SettingsError: ONE message with every problem of the host's keys, of unknown variables and
            of plugin names. Sections of plugins are checked by `Settings.plugins`, after their
            packages were imported.
    """
    reading = read(environ, directory, installed=installed, overrides=overrides)
    if reading.problems or reading.settings is None:
        raise SettingsError(reading.problems, reading.raw.read)
    return reading.settings


def read(
    environ: Mapping[str, str] | None = None,
    directory: Path | str | None = None,
    *,
    installed: Collection[str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Reading:
    """As `load`, but hands the problems back so that a check can go on to the plugins."""
    environ = os.environ if environ is None else environ
    names = config_sources.installed_plugins() if installed is None else frozenset(installed)
    folder = Path(directory) if directory is not None else None
    raw = config_sources.read(HostSettings.model_fields, environ, folder, names)
    for key, value in (overrides or {}).items():
        raw.host[key] = Given(value, key, "command line")
    _anchor_paths(raw)
    problems = list(raw.problems)
    host, wrong = _validated(HostSettings, _with_secret(raw), None)
    problems.extend(wrong)
    problems.extend(_unknown_plugins(raw, names))
    settings = None
    if host is not None:
        settings = Settings(host=host, raw=raw, notes=tuple(_notes(host, raw, names)))
    return Reading(settings, tuple(problems), raw)


def stored_secret(data_dir: Path) -> str:
    """The secret key of a first-run deployment, made once and kept in its data folder.

    Several processes may start at once: the first to create the file wins, the others read it.
    """
    path = data_dir / "secret_key"
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = data_dir / f".secret_key.{os.getpid()}.{secrets.token_hex(4)}"
    if not path.exists():
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48), encoding="ascii")
        try:
            # A hard link appears whole or not at all, and never replaces a key in use.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii").strip()


def init(app: Flask, settings: Settings) -> None:
    """Make the settings of this application reachable by `settings()` and `plugin_settings()`."""
    app.extensions[EXTENSION] = settings


def of(app: Flask) -> Settings:
    """The settings of an application, for parts that are set up before any context exists."""
    found: Settings = app.extensions[EXTENSION]
    return found


def settings() -> Settings:
    """The settings of the current application; RuntimeError outside an application context."""
    from flask import current_app

    return of(current_app)


@overload
def plugin_settings(name: str) -> Any: ...


@overload
def plugin_settings(name: str, model: type[Model]) -> Model: ...


def plugin_settings(name: str, model: type[Model] | None = None) -> Any:
    """A plugin's own checked section in the current application.

    Args:
        name: the plugin's name.
        model: its settings class, for the type checker's sake.

    Raises:
        KeyError: the plugin is not enabled here.
    """
    if model is not None:
        return settings().plugin(name, model)
    return settings().known_plugin(name)


def _validated(
    model: type[Model], given: Mapping[str, Given], plugin: str | None
) -> tuple[Model | None, list[Problem]]:
    problems = [
        _unknown_key(key, item, model, plugin)
        for key, item in given.items()
        if key not in model.model_fields
    ]
    values: dict[str, object] = {}
    for key, item in given.items():
        described = model.model_fields.get(key)
        if described is None:
            continue
        try:
            value = from_text(described, item.value)
        except ValueError as error:
            problems.append(_wrong(model, plugin, key, item, str(error)))
            continue
        # An empty variable counts as unset: compose files pass empty strings for what is not set.
        if value != "":
            values[key] = value
    try:
        return (model(**values), problems)
    except ValidationError as error:
        for item_error in error.errors(include_url=False, include_context=False):
            key = str(item_error["loc"][0]) if item_error["loc"] else ""
            path = ".".join(str(part) for part in item_error["loc"][1:])
            message = item_error["msg"].removeprefix("Value error, ")
            text = f"{path}: {message}" if path else message
            problems.append(_wrong(model, plugin, key, given.get(key), text))
    return None, problems


def _wrong(
    model: type[BaseModel], plugin: str | None, key: str, given: Given | None, message: str
) -> Problem:
    described = model.model_fields.get(key)
    shown = None
    if given is not None:
        shown = masked(key, given.value, described)
        if described is not None and is_secret(key, described):
            message = message.replace(str(given.value), "***")
    name = given.name if given else variable(key, plugin) if key else f"[{plugin}]"
    mend = f"allowed: {allowed_values(described)}" if described is not None else ""
    return Problem(name, given.where if given else "", shown, message, mend)


def _unknown_key(key: str, given: Given, model: type[BaseModel], plugin: str | None) -> Problem:
    known = list(model.model_fields)
    near = nearest(key, known)
    of_whom = f"plugin {plugin} has no such setting" if plugin else "is an unknown key"
    by_variable = given.name.startswith(config_sources.PREFIX)
    if near:
        mend = f"did you mean {variable(near, plugin) if by_variable else near}?"
    elif known:
        mend = f"allowed: {', '.join(sorted(known))}"
    else:
        mend = "remove it: this plugin has no settings"
    return Problem(given.name, given.where, None, of_whom, mend)


def _unknown_plugins(raw: Raw, installed: frozenset[str]) -> list[Problem]:
    """Names that are nearly those of installed plugins: slips of the pen, which stop the start.

    Any other unknown name may be a package that was removed. The host goes on without it, so that
    every command keeps working, and shows it as missing.
    """
    given = raw.host.get("plugins")
    if given is None:
        return []
    try:
        names = from_text(HostSettings.model_fields["plugins"], given.value)
    except ValueError:
        return []  # the field's own check reports it
    problems = []
    for name in names if isinstance(names, list) else []:
        near = nearest(str(name), installed)
        if name not in installed and near:
            mend = f"did you mean {near}? "
            known = ", ".join(sorted(installed)) or "none"
            message = "is no installed plugin"
            problems.append(
                Problem(given.name, given.where, str(name), message, f"{mend}Installed: {known}")
            )
    return problems


def _notes(host: HostSettings, raw: Raw, installed: frozenset[str]) -> list[str]:
    """What does no harm and is worth a word: plugins that are off or gone."""
    off = [
        f"plugin {name} is not enabled, so its settings are ignored: "
        + ", ".join(sorted(item.name for item in values.values()))
        for name, values in sorted(raw.sections.items())
        if name not in host.plugins
    ]
    gone = [
        f"plugin {name} is no installed plugin: install its package, or take it out of `plugins`"
        for name in host.plugins
        if name not in installed
    ]
    return off + gone


def _missing(key: str) -> Problem:
    described = HostSettings.model_fields[key]
    mend = f"set {variable(key)} or {key} in torg.toml; allowed: {allowed_values(described)}"
    return Problem(variable(key), "", None, "is missing", mend)


def _anchor_paths(raw: Raw) -> None:
    """A relative path means: relative to the settings, whatever folder the process runs in."""
    raw.host.setdefault("data_dir", Given(".torg", "data_dir", "default"))
    for key in ("data_dir", "template_dir"):
        given = raw.host.get(key)
        if given is not None and isinstance(given.value, str) and given.value:
            path = raw.directory / Path(given.value).expanduser()
            raw.host[key] = Given(str(path), given.name, given.where)


def _with_secret(raw: Raw) -> dict[str, Given]:
    """Give a demo or debug deployment its own kept key when it names none."""
    given = dict(raw.host)
    named = given.get("secret_key")
    relaxed = any(
        str(given[key].value).lower() in {"1", "true", "yes", "on", "t", "y"}
        for key in ("debug", "demo")
        if key in given
    )
    if relaxed and (named is None or named.value == ""):
        folder = Path(str(given["data_dir"].value))
        given["secret_key"] = Given(stored_secret(folder), "secret_key", "data folder")
    return given
