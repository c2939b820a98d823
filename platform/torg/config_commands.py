"""The command group `torg config`: check, show, describe the settings; make a secret key.

Owns how settings are told to a person; reading and rules are `torg.config`'s.
"""

from __future__ import annotations

import json
import secrets
import sys

import click
from pydantic import BaseModel

from torg import config as configuration
from torg import config_reference
from torg.config import HostSettings, Problem, Settings, SettingsError
from torg.config_sources import Raw
from torg.config_values import masked
from torg.manifest import discover


@click.group()
def config() -> None:
    """Check, show and describe the settings."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def check(as_json: bool) -> None:
    """Check every setting, those of plugins too, and list all that is wrong at once."""
    reading = configuration.read()
    problems = list(reading.problems)
    notes: list[str] = []
    if reading.settings is not None:
        models, failures = config_reference.models_of(_installed(reading.settings.host))
        problems += failures + _of_plugins(reading.settings, models)
        notes = [*reading.settings.notes, *_advice(reading.settings.host)]
    if as_json:
        click.echo(json.dumps(_as_json(problems, notes), ensure_ascii=False))
        sys.exit(1 if problems else 0)
    for note in notes:
        click.echo(f"Note: {note}", err=True)
    if problems:
        raise SettingsError(problems, reading.raw.read)
    click.echo(f"The settings are sound (read: {', '.join(reading.raw.read)}).")
    click.echo("Next: torg config show, or torg doctor to try every part.", err=True)


@config.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def show(as_json: bool) -> None:
    """Show every setting that counts, where it comes from, secrets masked."""
    settings = configuration.load()
    models, failures = config_reference.models_of(_installed(settings.host))
    for failure in failures:
        click.echo(f"Warning: {failure}", err=True)
    settings.plugins(models)
    rows = list(_rows(settings.host, None, settings.raw))
    for name in models:
        rows += _rows(settings.plugin(name, models[name]), name, settings.raw)
    if as_json:
        click.echo(json.dumps([dict(zip(_HEADS, row, strict=True)) for row in rows], indent=2))
        return
    widest = max(len(row[0]) for row in rows)
    for key, value, source in rows:
        click.echo(f"{key:<{widest}}  {value}" + (f"   ({source})" if source != "default" else ""))


@config.command()
@click.option("--markdown", "kind", flag_value="markdown", default=True, help="The page (default).")
@click.option("--toml", "kind", flag_value="toml", help="An example torg.toml.")
@click.option(
    "--plugin", "names", multiple=True, help="Only this plugin; all installed by default."
)
def reference(kind: str, names: tuple[str, ...]) -> None:
    """Describe every setting with its default and what is allowed."""
    models = config_reference.installed_models()
    if names:
        models, failures = config_reference.models_of(names)
        if failures:
            raise SettingsError(failures)
    write = config_reference.markdown if kind == "markdown" else config_reference.toml
    click.echo(write(models), nl=False)


@config.command()
def secret() -> None:
    """Make a secret key: torg config secret >> .env"""
    click.echo(f"TORG_SECRET_KEY={secrets.token_urlsafe(48)}")


_HEADS = ("key", "value", "source")


def _rows(section: BaseModel, plugin: str | None, raw: Raw) -> list[tuple[str, str, str]]:
    given = raw.host if plugin is None else raw.sections.get(plugin, {})
    rows = []
    for key, described in type(section).model_fields.items():
        source = f"{given[key].name}, {given[key].where}" if key in given else "default"
        if key in given and given[key].where == "default":
            source = "default"
        shown = masked(key, getattr(section, key), described)
        rows.append((f"{plugin}.{key}" if plugin else key, shown, source))
    return rows


def _of_plugins(settings: Settings, models: dict[str, type[BaseModel]]) -> list[Problem]:
    try:
        settings.plugins(models)
    except SettingsError as error:
        return list(error.problems)
    return []


def _installed(host: HostSettings) -> list[str]:
    """Enabled plugins whose package is there; the notes name the others, which stop nothing."""
    there = {manifest.name for manifest in discover()}
    return [name for name in host.plugins if name in there]


def _advice(host: HostSettings) -> list[str]:
    """What a careful deployer changes before the public comes; none of it stops a start."""
    if host.debug or host.demo:
        return []
    advice = []
    if host.mail_url.startswith(("file:", "console:")):
        advice.append("mail_url is not set: mails are kept here and nobody receives them")
    if not host.database_url:
        advice.append("database_url is not set: torg run starts a PostgreSQL of its own")
    if host.base_url.startswith("http://") and not host.bind.startswith("127.0.0.1"):
        advice.append("base_url has no https://: passwords and tokens would travel in the clear")
    if "localhost" in host.mail_from:
        advice.append(f"mail_from is {host.mail_from}: most servers refuse such a sender")
    return advice


def _as_json(problems: list[Problem], notes: list[str]) -> dict[str, object]:
    return {
        "ok": not problems,
        "problems": [problem.as_json() for problem in problems],
        "notes": notes,
    }
