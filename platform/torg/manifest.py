"""What a plugin says about itself in `plugin.toml`, read without importing any of its code.

Owns discovery and the shape of manifests. Which of them run, and in which order, is
`torg.plugins`' decision.
"""

import importlib.util
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from torg.root_paths import MOST_CLAIMS, is_claim

GROUP = "torg.plugins"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
_PREFIX = re.compile(r"[a-z][a-z0-9-]{0,39}")
_PERMISSION = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_RESERVED = frozenset({"host", "torg", "jobs", "alembic"})
_KEYS = frozenset(
    {"name", "title", "summary", "api", "url_prefix", "root_paths", "requires", "after"}
    | {"conflicts", "provides", "consumes", "docs", "permissions"}
)


@dataclass(frozen=True, slots=True)
class Permission:
    """A permission that a plugin declares, with the roles that carry it by default."""

    name: str
    title: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Consumed:
    """A contract that a plugin uses: which versions, and whether it can do without."""

    versions: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Manifest:
    """One installed plugin. `problem` says what is wrong with its manifest, if anything is."""

    name: str
    package: str
    version: str
    path: Path
    title: str = ""
    summary: str = ""
    api: str = ">=1,<2"
    url_prefix: str | None = None
    root_paths: tuple[str, ...] = ()
    requires: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    provides: Mapping[str, str] = field(default_factory=dict)
    consumes: Mapping[str, Consumed] = field(default_factory=dict)
    permissions: tuple[Permission, ...] = ()
    docs: str | None = None
    problem: str | None = None


def discover() -> list[Manifest]:
    """All installed plugins, by name; a manifest that cannot be read is there with its problem."""
    found: dict[str, Manifest] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda each: (each.name, each.value)):
        manifest = _read_entry(entry)
        present = found.get(manifest.name)
        if present is None:
            found[manifest.name] = manifest
        elif present.package != manifest.package:
            problem = (
                f"two installed packages call themselves plugin {manifest.name!r}: "
                f"{present.package} and {manifest.package}; uninstall one of them"
            )
            found[manifest.name] = _broken(manifest.name, manifest.package, "0", Path(), problem)
    return [found[name] for name in sorted(found)]


def _read_entry(entry: EntryPoint) -> Manifest:
    version = entry.dist.version if entry.dist else "0"
    package = entry.module
    if "." in package:
        problem = f"the entry point must name a top-level package, not {package!r}"
        return _broken(entry.name, package, version, Path(), problem)
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError) as error:
        return _broken(entry.name, package, version, Path(), f"cannot be found: {error}")
    locations = list(spec.submodule_search_locations or ()) if spec else []
    if not locations:
        problem = f"package {package!r} is registered but not there; install it again"
        return _broken(entry.name, package, version, Path(), problem)
    return read(Path(locations[0]), package, version, entry.name)


def read(path: Path, package: str, version: str, name: str) -> Manifest:
    """Read `plugin.toml` in a package's folder; never raises for what is written in it."""
    file = path / "plugin.toml"
    raw: dict[str, Any] = {}
    try:
        raw = tomllib.loads(file.read_text("utf-8"))
        return _parse(raw, path, package, version, name)
    except FileNotFoundError:
        problem = f"there is no plugin.toml in package {package}; add one"
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValueError) as error:
        problem = f"plugin.toml of {package} is wrong: {error}"
    # The addresses of a plugin that cannot run still answer 503 with its name, and not 404.
    prefix = raw.get("url_prefix")
    claimed = prefix if isinstance(prefix, str) and _PREFIX.fullmatch(prefix) else None
    paths = raw.get("root_paths")
    at_root = tuple(each for each in paths if is_claim(each)) if isinstance(paths, list) else ()
    broken = _broken(name, package, version, path, problem)
    return replace(broken, url_prefix=claimed, root_paths=at_root)


def _broken(name: str, package: str, version: str, path: Path, problem: str) -> Manifest:
    return Manifest(name=name, package=package, version=version, path=path, problem=problem)


def _parse(raw: dict[str, Any], path: Path, package: str, version: str, name: str) -> Manifest:
    _check_keys(raw, _KEYS, "")
    _check(raw.get("name") == name, f"name must be {name!r}, as in the entry point")
    _check(bool(_NAME.fullmatch(name)), "name must be lower snake, at most 30 characters")
    _check(name not in _RESERVED, f"name {name!r} is reserved for the host")
    _check(bool(_text(raw, "title")), "title is missing")
    prefix = raw.get("url_prefix")
    _check(prefix is None or bool(_PREFIX.fullmatch(str(prefix))), "url_prefix must be kebab-case")
    return Manifest(
        name=name,
        package=package,
        version=version,
        path=path,
        title=_text(raw, "title"),
        summary=_text(raw, "summary"),
        api=_versions(raw.get("api", ">=1,<2"), "api"),
        url_prefix=prefix,
        root_paths=_root_paths(raw),
        requires={str(k): _versions(v, f"requires.{k}") for k, v in _table(raw, "requires")},
        after=_names(raw, "after"),
        conflicts=_names(raw, "conflicts"),
        provides={str(k): _version(v, f"provides.{k}") for k, v in _table(raw, "provides")},
        consumes={str(k): _consumed(str(k), v) for k, v in _table(raw, "consumes")},
        permissions=tuple(_permission(name, str(k), v) for k, v in _table(raw, "permissions")),
        docs=_text(raw, "docs") or None,
    )


def _check(fact: bool, otherwise: str) -> None:
    if not fact:
        raise ValueError(otherwise)


def _check_keys(table: dict[str, Any], allowed: Collection[str], place: str) -> None:
    """A misspelt key, such as that of a permission's roles, would be missed in silence."""
    unknown = sorted(set(table) - set(allowed))
    _check(not unknown, f"{place}unknown keys {unknown}; allowed are {sorted(allowed)}")


def _text(raw: dict[str, Any], key: str) -> str:
    value = raw.get(key, "")
    _check(isinstance(value, str), f"{key} must be a text")
    return str(value)


def _table(raw: dict[str, Any], key: str) -> list[tuple[str, Any]]:
    value = raw.get(key, {})
    _check(isinstance(value, dict), f"{key} must be a table")
    return list(value.items())


def _names(raw: dict[str, Any], key: str) -> tuple[str, ...]:
    value = raw.get(key, [])
    strings = isinstance(value, list) and all(isinstance(each, str) for each in value)
    _check(strings, f"{key} must be a list of plugin names")
    return tuple(value)


def _root_paths(raw: dict[str, Any]) -> tuple[str, ...]:
    value = raw.get("root_paths", [])
    fits = isinstance(value, list) and len(value) <= MOST_CLAIMS and all(map(is_claim, value))
    _check(fits, 'root_paths must be a list of addresses such as "/products", without a last slash')
    return tuple(value)


def _versions(value: Any, key: str) -> str:
    _check(isinstance(value, str), f"{key} must be a version range such as '>=1,<2'")
    try:
        SpecifierSet(value)
    except InvalidSpecifier as error:
        message = f"{key}: {error}"
        raise ValueError(message) from error
    return str(value)


def _version(value: Any, key: str) -> str:
    _check(isinstance(value, str), f"{key} must be a version such as '1.0'")
    try:
        Version(value)
    except InvalidVersion as error:
        message = f"{key}: {error}"
        raise ValueError(message) from error
    return str(value)


def _consumed(name: str, value: Any) -> Consumed:
    if isinstance(value, str):
        return Consumed(_versions(value, f"consumes.{name}"))
    _check(isinstance(value, dict), f"consumes.{name} must be a range or a table")
    _check_keys(value, ("range", "optional"), f"consumes.{name}: ")
    versions = _versions(value.get("range", ""), f"consumes.{name}.range")
    optional = value.get("optional", False)
    _check(isinstance(optional, bool), f"consumes.{name}.optional must be true or false")
    return Consumed(versions, optional)


def _permission(plugin: str, name: str, value: Any) -> Permission:
    own = bool(_PERMISSION.fullmatch(name)) and name.startswith(f"{plugin}.")
    _check(own, f"permission {name!r} must read {plugin}.<noun>.<verb>")
    _check(isinstance(value, dict), f"permission {name!r} must be a table with title and roles")
    _check_keys(value, ("title", "roles"), f"permission {name!r}: ")
    roles = value.get("roles", [])
    fits = isinstance(roles, list) and all(isinstance(role, str) for role in roles)
    _check(fits, f"roles of {name!r} must be a list of names")
    return Permission(name, _text(value, "title") or name, tuple(roles))
