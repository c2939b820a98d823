"""`torg run …`: the processes of a deployment, one by one or all together.

Owns what happens before a process starts: settings, address, migrations, embedded servers. What the
processes do is theirs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import click

from torg import config, deployment, embedded, processes
from torg.command_errors import CommandError
from torg.config import Settings
from torg.supervisor import Program, Supervisor


def _address_options(command: Callable[..., Any]) -> Callable[..., Any]:
    port = click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on.")
    host = click.option("--host", help="Address to listen on, such as 0.0.0.0.")
    return host(port(command))


@click.group()
def run() -> None:
    """Run the processes of a deployment."""


@run.command()
@_address_options
def web(host: str | None, port: int | None) -> None:
    """Serve the API."""
    settings = _settings(host, port)
    processes.refuse_taken_address(settings.host.bind, "torg run web")
    _refuse_pending(settings)
    _become(processes.web(os.environ))


@run.command()
@_address_options
def streams(host: str | None, port: int | None) -> None:
    """Serve live streams, for a proxy to send them to (by default one port further)."""
    plain = config.load().host.bind
    following = int(plain.rpartition(":")[2]) + 1
    settings = _settings(host, port if port is not None else following)
    processes.refuse_taken_address(settings.host.bind, "torg run streams")
    _refuse_pending(settings)
    _become(processes.web(os.environ, "streams"))


@run.command()
@click.option("--queue", "queues", multiple=True, help="Only jobs of this queue; repeatable.")
def worker(queues: tuple[str, ...]) -> None:
    """Run background jobs."""
    from torg import worker as worker_process

    settings = _settings()
    count = settings.host.job_workers
    if count == 1:
        sys.exit(worker_process.main(settings, queues))
    programs = [processes.worker(os.environ, number + 1) for number in range(count)]
    words = [word for queue in queues for word in ("--queue", queue)]
    programs = [replace(each, command=(*each.command, *words)) for each in programs]
    _supervise(settings, programs)


@run.command()
def scheduler() -> None:
    """Keep the time of the schedules; a second one does no harm."""
    from torg import scheduler as scheduler_process

    sys.exit(scheduler_process.main(_settings()))


@run.command("all")
@_address_options
def everything(host: str | None, port: int | None) -> None:
    """Run everything on one machine; what is not configured is embedded."""
    settings = config.load()
    _bind(settings, host, port)
    settings = config.load()
    processes.refuse_taken_address(settings.host.bind, "torg run all")
    with embedded_servers(settings) as servers:
        settings = config.load()
        if servers is not None and servers.database_url:
            migrate(settings)
        else:
            _refuse_pending(settings)
        _say(f"Torg answers at {settings.host.base_url}  (Ctrl+C stops)")
        with shared_numbers():
            _supervise(settings, processes.everything(settings.host, os.environ), servers)


@contextmanager
def shared_numbers() -> Iterator[None]:
    """One folder of metrics for all processes started from here, removed at the end."""
    folder = processes.make_numbers_folder()
    os.environ[processes.NUMBERS] = str(folder)
    try:
        yield
    finally:
        processes.remove_numbers_folder(folder)


@contextmanager
def embedded_servers(
    settings: Settings, *, doorbell: bool = True
) -> Iterator[embedded.Servers | None]:
    """Start what is not configured, and name it in the environment for us and our children.

    Args:
        settings: What is configured.
        doorbell: Whether Redis is needed at all.
    """
    postgres = not settings.host.database_url
    valkey = doorbell and not settings.host.redis_url
    if not postgres and not valkey:
        yield None
        return
    with embedded.start(settings.host.data_dir, postgres=postgres, valkey=valkey) as servers:
        for note in servers.notes:
            _say(note)
        if postgres:
            os.environ["TORG_DATABASE_URL"] = servers.database_url
        if valkey:
            os.environ["TORG_REDIS_URL"] = servers.redis_url
        yield servers


def migrate(settings: Settings) -> int:
    """Bring an embedded database up to date; returns the number of revisions applied."""
    from torg import migrate as migrations

    app = deployment.application(settings)
    applied = migrations.upgrade(app)
    release(app)
    return len(applied)


def release(app: Any) -> None:
    """Close the connections of an application that this process needs no more."""
    from torg import db

    with app.app_context():
        db.db.engine.dispose()


def _settings(host: str | None = None, port: int | None = None) -> Settings:
    """The settings with the address of the command line, also for the processes to come.

    Raises:
        CommandError: No database is configured or running in this folder.
    """
    settings = config.load()
    if not settings.host.database_url:
        raise deployment.no_database()
    if host is None and port is None:
        return settings
    _bind(settings, host, port)
    return config.load()


def _bind(settings: Settings, host: str | None, port: int | None) -> None:
    os.environ["TORG_BIND"] = processes.address(settings.host.bind, host, port)


def _refuse_pending(settings: Settings) -> None:
    """A database behind the code would answer with errors; a web server must not start on it.

    Plugins whose migrations wait do not stop the host: they are `pending` and say so.

    Raises:
        CommandError: Migrations of the host wait.
    """
    from sqlalchemy.exc import OperationalError

    from torg import migrate as migrations

    app = deployment.application(settings)
    try:
        waiting = migrations.pending(app)
    except OperationalError:
        _say("Warning: the database does not answer; requests get 503 until it does.")
        return
    finally:
        release(app)
    if waiting.get(migrations.HOST):
        count = sum(len(revisions) for revisions in waiting.values())
        raise CommandError(
            "the database is behind the code; not starting",
            where=", ".join(f"{name}: {len(found)}" for name, found in waiting.items()),
            why=f"{count} migrations wait",
            next_steps=("torg db plan       look first", "torg db upgrade    apply them"),
        )
    for name, revisions in waiting.items():
        _say(f"Warning: plugin {name} is off until `torg db upgrade` ({len(revisions)} waiting).")


def _become(program: Program) -> None:
    """Replace this process, so that signals and the exit code are the server's own."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(program.command[0], program.command, dict(program.environment))  # noqa: S606


def _supervise(
    settings: Settings,
    programs: list[Program],
    servers: embedded.Servers | None = None,
) -> None:
    terminal = sys.stdout.isatty()
    Supervisor(
        programs,
        tell=_say,
        output=sys.stdout.buffer,
        marked=terminal or settings.host.log_format == "console",
        reloads=not terminal,
        servers=servers,
        # The web server keeps requests for that long; whoever waits for it needs a little more.
        stop_seconds=settings.host.shutdown_seconds + 2,
    ).run()


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)
