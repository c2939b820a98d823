"""Write the reference pages that follow from the code: hooks, errors, command line, settings.

`make docs` runs it; a test fails when a page in the repository is not what it would write.
"""

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import click

from torg import cli, config_reference, errors, hookspecs, manifest

FOLDER = Path(__file__).parent / "reference"
_NOTE = "<!-- Generated from the code by `make docs`: change the code, not this page. -->\n\n"


def hooks() -> str:
    """One section a hook: its arguments and its whole contract."""
    introduction = (
        f"Version of the hook specification: **{hookspecs.API_VERSION}**. Implement a hook as a "
        "function of the same name in your plugin's `plugin.py`, marked with `@torg.hookimpl`. "
        "See [Write a plugin](../how-to/write-a-plugin.md).\n"
    )
    lines = [_NOTE + "# Hooks\n", introduction]
    for name, hook in vars(hookspecs).items():
        if name.startswith("torg_"):
            signature = str(inspect.signature(hook)).replace("'", "")
            first = "; the first answer wins" if hook.torg_spec["firstresult"] else ""
            lines += [f"## `{name}`\n", f"`{name}{signature}`{first}\n", _text(hook)]
    return "\n".join(lines)


def error_pages() -> str:
    """A row an error code: status, title, what it means."""
    for each in manifest.discover():
        importlib.import_module(f"{each.package}.plugin")
    importlib.import_module("torg.app")
    rows = [
        f"| `{code}` | {error.status} | {error.title} | {_first_paragraph(error)} |"
        for code, error in errors.catalogue().items()
        if error.__module__.startswith("torg")
    ]
    head = (
        "# Errors\n\nEvery refusal is `application/problem+json` (RFC 9457). `code` is stable; "
        "`type` is the address of a page that says the same as this table.\n\n"
        "| code | status | title | meaning |\n|---|---|---|---|\n"
    )
    return _NOTE + head + "\n".join(rows) + "\n"


def commands() -> str:
    """Every command with its options, those of all installed plugins too."""
    environ = {
        "TORG_PLUGINS": ",".join(each.name for each in manifest.discover()),
        "TORG_SECRET_KEY": "only to read the settings 0123456789",
    }
    with mock.patch.dict(os.environ, environ):
        return _NOTE + "# Command line\n\n" + "".join(_command(cli.torg, "torg"))


def settings() -> str:
    """Every setting of the host and of the built-in plugins."""
    return config_reference.markdown()


def example_settings() -> str:
    """The same as a torg.toml in which everything is commented out."""
    return config_reference.toml()


PAGES: dict[str, Callable[[], str]] = {
    "hooks.md": hooks,
    "errors.md": error_pages,
    "command-line.md": commands,
    "settings.md": settings,
    "../../torg.example.toml": example_settings,
}


def _command(command: click.Command, name: str) -> list[str]:
    with click.Context(command, info_name=name, terminal_width=98) as context:
        text = f"## `{name}`\n\n```text\n{command.get_help(context)}\n```\n\n"
        lines = [text.replace(" \n", "\n")]
        if isinstance(command, click.Group):
            for child in sorted(command.list_commands(context)):
                found = command.get_command(context, child)
                if found is not None and not found.hidden:
                    lines += _command(found, f"{name} {child}")
    return lines


def _text(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").strip() + "\n"


def _first_paragraph(thing: Any) -> str:
    return " ".join(_text(thing).split("\n\n")[0].split()).replace("|", "\\|")


def main(folder: Path = FOLDER) -> int:
    """Write every page into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")
        print(f"wrote {folder / name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
