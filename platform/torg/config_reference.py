"""The reference of all settings, made from the settings classes: a page and an example file.

Owns finding the classes of plugins without an application, and the two texts. Both are kept in the
repository and a test compares them, so that no setting is ever undocumented.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from torg.config_host import HostSettings, Section
from torg.config_sources import Problem, nearest, variable
from torg.config_values import allowed_values, literal, settings_class
from torg.manifest import discover

Models = Mapping[str, type[BaseModel]]

_INTRODUCTION = """\
# Settings

Made from the code by `torg config reference`; change the code, not this page.

A setting comes from the environment (`TORG_WEB_THREADS`), else from `.env`, else from `torg.toml`
(`web_threads`), else it has its default. Both files are looked for in the working folder, or where
`TORG_CONFIG` points: a TOML file or a folder. A relative path is relative to that folder. An empty
variable counts as not set. An unknown or wrong setting stops the start; `torg config check` says
the same without starting, `torg config show` what counts and where it comes from.
"""

_EXAMPLE = """\
# Every setting with its default. Copy this file to torg.toml and uncomment what you change.
# Made by: torg config reference --toml
# Passwords and keys are better kept in the environment or in .env (TORG_SECRET_KEY=...)."""


def models_of(names: Iterable[str]) -> tuple[dict[str, type[BaseModel]], list[Problem]]:
    """The settings classes of plugins, by name; one that cannot be imported is a problem."""
    manifests = {manifest.name: manifest for manifest in discover()}
    models: dict[str, type[BaseModel]] = {}
    problems: list[Problem] = []
    for name in names:
        manifest = manifests.get(name)
        if manifest is None:
            near = nearest(name, manifests)
            mend = f"did you mean {near}?" if near else f"installed: {', '.join(manifests)}"
            problems.append(_problem(name, "is no installed plugin", mend))
            continue
        if manifest.problem:
            problems.append(_problem(name, manifest.problem))
            continue
        try:
            models[name] = _model(manifest.package)
        except (Exception, SystemExit) as error:
            message = f"cannot be imported: {type(error).__name__}: {error}"
            problems.append(_problem(name, message))
    return models, problems


def _problem(name: str, message: str, mend: str = "torg plugins list") -> Problem:
    return Problem(f"plugin {name}", "installed packages", None, message, mend)


def installed_models() -> dict[str, type[BaseModel]]:
    """The settings classes of all installed plugins that can be imported."""
    return models_of(manifest.name for manifest in discover())[0]


def _model(package: str) -> type[BaseModel]:
    hook = getattr(importlib.import_module(f"{package}.plugin"), "torg_settings", None)
    return settings_class(hook()) if hook is not None else Section


def markdown(models: Models | None = None) -> str:
    """The reference page: the host's settings, then a section for each plugin.

    Args:
        models: settings classes by plugin; of all installed plugins by default.
    """
    models = installed_models() if models is None else models
    parts = [_INTRODUCTION, "## Host\n", *_table(HostSettings, None)]
    for name, model in sorted(models.items()):
        parts += [f"\n## Plugin {name}\n", f"In `torg.toml` below `[{name}]`.\n"]
        parts += _table(model, name)
    return "\n".join(parts) + "\n"


def toml(models: Models | None = None) -> str:
    """The example file, everything commented out; `models` as for `markdown`."""
    models = installed_models() if models is None else models
    parts = [_EXAMPLE, *_examples(HostSettings)]
    for name, model in sorted(models.items()):
        parts += [f"\n[{name}]", *_examples(model)]
    return "\n".join(parts).rstrip() + "\n"


def _table(model: type[BaseModel], plugin: str | None) -> Iterator[str]:
    if not model.model_fields:
        yield "No settings."
        return
    yield "| variable | key | default | allowed | meaning |"
    yield "|---|---|---|---|---|"
    for key, described in model.model_fields.items():
        cells = (
            f"`{variable(key, plugin)}`",
            f"`{key}`",
            _default(described) or "",
            allowed_values(described),
            described.description or "",
        )
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _examples(model: type[BaseModel]) -> Iterator[str]:
    for key, described in model.model_fields.items():
        yield ""
        if described.description:
            yield f"# {described.description}"
        yield f"# Allowed: {allowed_values(described)}"
        yield f"# {key} = {_value(described)}"


def _default(described: FieldInfo) -> str:
    if described.is_required():
        return "**required**"
    value = _value(described)
    return "" if value == '""' else f"`{value}`"


def _value(described: FieldInfo) -> str:
    if described.is_required():
        return '""'
    value = described.get_default(call_default_factory=True, validated_data={})
    return '""' if isinstance(value, SecretStr) else literal(value)
