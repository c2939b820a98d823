"""The command `torg`: finds commands, runs them, and turns errors into messages and exit codes.

Owns the list of commands and nothing they do. Commands of the host are imported when they are asked
for; those of plugins appear under the names of their groups and run in an application context.
Results go to standard output, talk and errors to standard error; exit codes are 0 (done), 1 (a
problem) and 2 (wrongly used).
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
import traceback
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import click

# Name: where it is, and what the overview says; kept here so that the overview imports nothing.
COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "demo": ("torg.demo_commands:demo", "Run everything with live data, nothing to install."),
        "run": ("torg.run_commands:run", "Run web, streams, worker, scheduler or all of them."),
        "doctor": ("torg.doctor_commands:doctor", "Check every part and say what to do."),
        "config": ("torg.config_commands:config", "Check, show and describe the settings."),
        "plugins": ("torg.plugin_commands:plugins", "List, make, check and purge plugins."),
        "db": ("torg.migration_commands:db", "Plan and apply migrations."),
        "jobs": ("torg.job_commands:jobs", "List, show, retry and run background jobs."),
        "backup": ("torg.backup_commands:backup", "Make, verify and restore backups."),
        "routes": ("torg.route_commands:routes", "List the routes of the API."),
        "openapi": ("torg.route_commands:openapi", "Write the API document."),
    }
)


class Commands(click.Group):
    """The top group: the host's commands by name, then the groups of enabled plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, the host's first."""
        del ctx
        return [*COMMANDS, *sorted(set(plugin_groups()) - set(COMMANDS))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        if cmd_name in COMMANDS:
            module, _, name = COMMANDS[cmd_name][0].partition(":")
            command: click.Command = getattr(importlib.import_module(module), name)
            return command
        group = plugin_groups().get(cmd_name)
        return PluginCommands(group) if group is not None else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but near names come from the lazy list."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            raise _unknown(name, self.list_commands(ctx), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The overview, without importing the host's commands."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])
        groups = plugin_groups()
        if groups:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(
                    [(name, group.get_short_help_str()) for name, group in sorted(groups.items())]
                )


def _unknown(name: str, known: list[str], ctx: click.Context) -> Exception:
    """What to say to a word that is no command here, and may be one of a plugin."""
    from click.exceptions import NoSuchCommand

    from torg import config
    from torg.config import SettingsError

    error = NoSuchCommand(name, possibilities=known, ctx=ctx)
    if error.possibilities:
        return error
    reading = config.read()
    if reading.settings is None:
        # Which plugins are enabled is not known, so neither is the word.
        return SettingsError(reading.problems, reading.raw.read)
    message = (
        f"{error.message} Commands of a plugin appear once the plugin is enabled: set TORG_PLUGINS,"
        " or plugins in torg.toml."
    )
    return NoSuchCommand(name, message, ctx=ctx)


class PluginCommands(click.Group):
    """A plugin's group, run inside the application."""

    def __init__(self, group: click.Group) -> None:
        super().__init__(
            name=group.name,
            commands=group.commands,
            help=group.help,
            params=group.params,
            callback=group.callback,
        )

    def invoke(self, ctx: click.Context) -> Any:
        """Build the application, unless only help is asked for."""
        if _asks_for_help(sys.argv):
            return super().invoke(ctx)
        from torg import deployment

        with deployment.application().app_context():
            return super().invoke(ctx)


def plugin_groups() -> dict[str, click.Group]:
    """The command groups of enabled plugins by name, without building the application."""
    from torg import config
    from torg.manifest import discover

    settings = config.read().settings
    enabled = settings.host.plugins if settings is not None else ()
    groups: dict[str, click.Group] = {}
    owners = dict.fromkeys(COMMANDS, "the host")
    for manifest in discover():
        if manifest.name not in enabled or manifest.problem:
            continue
        try:
            module = importlib.import_module(f"{manifest.package}.plugin")
            hook = getattr(module, "torg_cli", None)
            group = _group_of(hook() if hook is not None else None, owners, manifest.name)
        except (Exception, SystemExit) as error:
            # A broken plugin must not take the host's commands with it; `plugins list` tells more.
            _warn(f"commands of plugin {manifest.name} are missing: {error}")
            continue
        if group is not None and group.name is not None:
            groups[group.name] = group
    return groups


def _group_of(found: object, owners: dict[str, str], plugin: str) -> click.Group | None:
    if found is None:
        return None
    if not isinstance(found, click.Group):
        message = f"torg_cli has to return a click.Group, not {found!r}"
        raise TypeError(message)
    name = str(found.name)
    owner = owners.setdefault(name, f"plugin {plugin}")
    if owner != f"plugin {plugin}":
        message = f"the name of its group, {name}, is taken by {owner}"
        raise ValueError(message)
    return found


@functools.cache
def _warn(message: str) -> None:
    """Say it once, however often the commands are looked up."""
    click.echo(f"Warning: {message}", err=True)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="torg", prog_name="torg")
@click.option("--trace", is_flag=True, help="Show where an error arose.")
def torg(trace: bool) -> None:
    """Torg: a trading platform of one small host and plugins."""
    del trace  # read in `main`, which also meets errors of the lines above it


def main(arguments: list[str] | None = None) -> None:
    """Run `torg` and end the process with its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        _use_running_servers(words)
        code = torg.main(args=words, prog_name="torg", standalone_mode=False)
    except click.exceptions.Exit as end:
        code = end.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        # The reader has seen enough (`torg routes | head`); Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:
        code = _report(error, words)
    sys.exit(code if isinstance(code, int) else 0)


def _use_running_servers(words: list[str]) -> None:
    """Let a command typed beside a running demo or `torg run all` work with its servers."""
    from torg import deployment

    command = [word for word in words if not word.startswith("-")]
    if command[:1] == ["demo"] or command[:2] == ["run", "all"]:
        return  # they bring their own, and say so when these run already
    note = deployment.adopt_running_servers(os.environ)
    if note and command and not _asks_for_help(words):
        click.echo(note, err=True)


def _asks_for_help(words: list[str]) -> bool:
    return "--help" in words or "-h" in words


def _report(error: Exception, words: list[str]) -> int:
    """Say what went wrong: to a person, or as JSON on standard output when that was asked for."""
    message, facts = _explain(error)
    if "--trace" in words:
        traceback.print_exception(error)
    if "--json" in words:
        click.echo(json.dumps(facts, ensure_ascii=False))
    else:
        click.echo(f"Error: {message}", err=True)
    return 1


def _explain(error: Exception) -> tuple[str, dict[str, object]]:
    from torg import deployment
    from torg.command_errors import CommandError
    from torg.config import SettingsError
    from torg.plugins import StartError

    error = deployment.explain_database(error) or error
    if isinstance(error, CommandError):
        return str(error), error.as_json()
    if isinstance(error, SettingsError):
        facts = CommandError(
            str(error).partition(":\n")[0], next_steps=("torg config reference",)
        ).as_json()
        return str(error), facts | {"problems": [each.as_json() for each in error.problems]}
    if isinstance(error, StartError):
        return str(error), {"error": str(error), "where": "", "why": "", "next": []}
    text = f"{type(error).__name__}: {error}\n  Next:   torg --trace … shows where it arose"
    return text, {"error": f"{type(error).__name__}: {error}", "where": "", "why": "", "next": []}


if __name__ == "__main__":
    main()
