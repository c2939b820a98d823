"""Making a new plugin: a package that keeps every rule and passes its own tests at once.

Owns names and places; the files come from the templates under `scaffold/`.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from torg.command_errors import CommandError
from torg.manifest import discover

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
# Its revisions are called <name>_0001, and Alembic keeps 32 characters of that.
_LONGEST_NAME = 27
_RESERVED = frozenset({"host", "torg", "jobs", "alembic"})


def make(name: str, directory: Path) -> Path:
    """Write a new plugin's folder below `directory` and return it.

    Raises:
        CommandError: the name is not one for a plugin or is taken, or the folder exists.
    """
    _check_name(name)
    target = directory / name
    if target.exists():
        raise CommandError(
            f"there is a folder {target} already; nothing was written",
            next_steps=("choose another name", "or another place: --directory DIR"),
        )
    package = f"torg_{name}"
    words = {
        "name": name,
        "package": package,
        "prefix": name.replace("_", "-"),
        "title": name.replace("_", " ").capitalize(),
    }
    source = Path(str(files("torg"))) / "scaffold"
    environment = Environment(
        loader=FileSystemLoader(source),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - it writes Python and TOML, no pages
    )
    for template in sorted(environment.list_templates(extensions=["jinja"])):
        place = target / _place(template, name, package)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(environment.get_template(template).render(words), encoding="utf-8")
    return target


def _place(template: str, name: str, package: str) -> str:
    path = template.removesuffix(".jinja").replace("/first.py", f"/{name}_0001_notes.py")
    return re.sub(r"^package/", f"{package}/", path)


def _check_name(name: str) -> None:
    why = ""
    if not _NAME.fullmatch(name):
        why = "names are lower snake: letters, digits and single underscores between them"
    elif len(name) > _LONGEST_NAME:
        why = f"names have at most {_LONGEST_NAME} characters"
    elif name in _RESERVED:
        why = "the host keeps this name for itself"
    elif name in {each.name for each in discover()}:
        why = "an installed plugin has this name"
    if why:
        raise CommandError(f"{name!r} cannot be a plugin's name", why=why)
