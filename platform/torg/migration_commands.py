"""`torg db …`: plan, upgrade, check, history, downgrade and new revisions.

Owns what these commands print and ask. Deciding and running is `torg.migrate`'s. Only `check`, the
end of `upgrade` and `revision` import plugins; the rest works with whatever is broken.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from torg import config, deployment, migrate, migration_locks, migration_revisions
from torg.config import Settings, SettingsError
from torg.migration_plan import MigrationError, Plan, Step, StreamState
from torg.migration_record import read_history
from torg.migration_run import upgrades

_plugin_option = click.option(
    "--plugin",
    "names",
    multiple=True,
    metavar="NAME",
    help="Only this plugin (or host); repeatable.",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def db() -> None:
    """Plan and apply migrations of the host and of each plugin."""


@db.command()
@_plugin_option
@_json_option
@click.option("--sql", "with_sql", is_flag=True, help="Print the SQL of each revision too.")
def plan(names: tuple[str, ...], as_json: bool, with_sql: bool) -> None:
    """Show what `torg db upgrade` would do, and change nothing."""
    settings = settings_at_hand()
    streams = migrate.installed_streams(settings.host.plugins)
    with engine_of(settings) as engine, engine.connect() as connection:
        planned = migrate.plan(connection, streams, names)
    written = upgrades(planned.steps)
    steps = [_described(step, *sql) for step, sql in zip(planned.steps, written, strict=True)]
    if as_json:
        states = {name: asdict(state) for name, state in planned.states.items()}
        _print_json({"steps": steps, "streams": states})
    else:
        _print_plan(planned, steps, with_sql=with_sql)
    if planned.problems:
        sys.exit(1)


@db.command()
@_plugin_option
@_json_option
def upgrade(names: tuple[str, ...], as_json: bool) -> None:
    """Apply what is pending: the host first, then enabled plugins in their order."""
    settings = settings_at_hand()
    streams = migrate.installed_streams(settings.host.plugins)
    with engine_of(settings) as engine:
        applied = migrate.upgrade_engine(engine, streams, names, say)
    migrate.bring_in_line(deployment.application(settings))
    if as_json:
        _print_json({"applied": applied})
    else:
        click.echo(f"Applied {_counted(applied)}." if applied else "Nothing was pending.")


@db.command()
@_plugin_option
@_json_option
def check(names: tuple[str, ...], as_json: bool) -> None:
    """Fail when something is pending, or models and tables differ."""
    app = deployment.application()
    result = migrate.check(app, names)
    if as_json:
        _print_json(asdict(result) | {"sound": result.sound})
    else:
        for name, state in result.states.items():
            differences = result.drift.get(name, ())
            click.echo(_state_line(state, sound="✓" if not differences else "✗"))
            for line in differences:
                click.echo(f"      {line}")
        for note in result.notes:
            say(f"Note: {note}")
    if not result.sound:
        say("Next: torg db upgrade for what is pending, torg db revision for what differs.")
        sys.exit(1)


@db.command()
@_plugin_option
@_json_option
def history(names: tuple[str, ...], as_json: bool) -> None:
    """List every revision: applied ones with time and version, then those that wait."""
    settings = settings_at_hand()
    streams = migrate.installed_streams(settings.host.plugins)
    with engine_of(settings) as engine, engine.connect() as connection:
        rows = [row for row in read_history(connection) if not names or row["plugin"] in names]
        states = migrate.plan(connection, streams).states
        migrate.require_known(names, {*states, *(str(row["plugin"]) for row in rows)})
        waiting: list[dict[str, str | None]] = [
            {"plugin": state.name, "revision": revision, "applied_at": None, "version": None}
            for state in states.values()
            for revision in state.pending
            if not names or state.name in names
        ]
    if as_json:
        _print_json([*rows, *waiting])
        return
    titles = {each.id: each.title for stream in streams for each in stream.revisions}
    for row in (*rows, *waiting):
        revision = str(row["revision"])
        when = f"{row['applied_at']}  {row['version']}" if row["applied_at"] else "pending"
        click.echo(f"{revision:<24} {when:<40} {titles.get(revision, '')}".rstrip())


@db.command()
@_plugin_option
@click.option("--to", "target", required=True, help="Revision to stop at, or base.")
@click.option("--yes", is_flag=True, help="Do not ask whether it is meant.")
@click.option("--confirm", "typed", metavar="NAME", help="The name, typed, for scripts.")
@_json_option
def downgrade(
    names: tuple[str, ...], target: str, yes: bool, typed: str | None, as_json: bool
) -> None:
    """Take plugins back to a revision. Their data since then is lost."""
    if not names:
        message = "name the plugin: --plugin NAME"
        raise click.UsageError(message)
    settings = settings_at_hand()
    streams = migrate.installed_streams(settings.host.plugins)
    targets = dict.fromkeys(names, target)
    with engine_of(settings) as engine:
        with engine.connect() as connection:
            steps = migrate.planned_downgrade(connection, streams, targets)
        if not steps:
            click.echo("[]" if as_json else "There is nothing to take back.")
            return
        say(f"This undoes {_counted([step.revision.id for step in steps])}, with their data.")
        if settings.host.debug:
            _ask(yes)
        else:
            if not yes:
                message = "outside of debug mode it needs --yes as well as the typed name"
                raise click.UsageError(message)
            confirm_name(" ".join(names), typed)
        undone = migrate.downgrade(engine, streams, targets, say)
    if as_json:
        _print_json({"undone": undone})
    else:
        click.echo(f"Undone: {_counted(undone)}.")


@db.command()
@click.option("--plugin", "name", required=True, metavar="NAME", help="Whose revision (or host).")
@click.option("-m", "--message", required=True, help="What it does, in a few words.")
@click.option("--empty", is_flag=True, help="Do not compare models and tables.")
def revision(name: str, message: str, empty: bool) -> None:
    """Write the next revision of a plugin, filled from its models (for developers)."""
    app = deployment.application()
    path = migration_revisions.write(app, name, message, empty=empty)
    if path is None:
        raise MigrationError(
            f"models and tables of {name} do not differ; nothing was written",
            next_steps=(f'for a data step: torg db revision --plugin {name} -m "…" --empty',),
        )
    say("Read it before you apply it: a generator cannot know renames and data.")
    click.echo(str(path))


def settings_at_hand() -> Settings:
    """The settings as far as they can be read: a plugin that is gone must not stop commands.

    Raises:
        SettingsError: the host's own settings are wrong.
    """
    reading = config.read()
    if reading.settings is None:
        raise SettingsError(reading.problems, reading.raw.read)
    for note in reading.settings.notes:
        say(f"Note: {note}")
    for problem in reading.problems:
        say(f"Warning: {problem}")
    if not reading.settings.host.database_url:
        raise deployment.no_database()
    return reading.settings


@contextmanager
def engine_of(settings: Settings) -> Iterator[Engine]:
    """An engine without an application, for commands that work whatever plugins do."""
    engine = create_engine(
        settings.host.database_url,
        poolclass=NullPool,
        connect_args={"connect_timeout": 5, "application_name": "torg db"},
    )
    try:
        yield engine
    finally:
        engine.dispose()


def confirm_name(name: str, typed: str | None) -> None:
    """Ask for a name to be typed, or compare the one of `--confirm`.

    Raises:
        MigrationError: something else was typed.
        click.UsageError: nobody is there to type.
    """
    if typed is None:
        if not sys.stdin.isatty():
            message = f'nobody is there to type the name; scripts say --confirm "{name}"'
            raise click.UsageError(message)
        typed = click.prompt(f"Type {name} to go on", err=True)
    if typed != name:
        raise MigrationError(f"typed was {typed!r}, not {name!r}; nothing was done")


def say(line: str) -> None:
    """Talk goes to standard error."""
    click.echo(line, err=True)


def _ask(yes: bool) -> None:
    if not yes and not sys.stdin.isatty():
        message = "nobody is there to ask; scripts say --yes"
        raise click.UsageError(message)
    if not yes:
        click.confirm("Go on?", abort=True, err=True)


def _described(step: Step, sql: str | None, reason: str) -> dict[str, object]:
    revision = step.revision
    return {
        "stream": step.stream.name,
        "revision": revision.id,
        "title": revision.title,
        "needs": dict(revision.needs),
        "transactional": revision.transactional,
        "locks": migration_locks.notes(sql or ""),
        "sql": sql,
        "why_no_sql": reason or None,
    }


def _print_plan(planned: Plan, steps: Sequence[dict[str, Any]], *, with_sql: bool) -> None:
    for number, step in enumerate(steps, 1):
        click.echo(f"{number:>3}. {step['revision']:<24} {step['title']}".rstrip())
        for name, needed in step["needs"].items():
            click.echo(f"     after {needed} of {name}")
        for note in step["locks"]:
            click.echo(f"     lock  {note}")
        if not step["transactional"]:
            click.echo("     note  works outside a transaction: a failure may leave a part")
        if step["why_no_sql"]:
            click.echo(f"     note  cannot be shown as SQL ({step['why_no_sql']})")
        elif with_sql:
            click.echo("\n".join(f"       {line}" for line in step["sql"].splitlines()))
    if not steps:
        click.echo("Nothing to apply.")
    click.echo()
    for state in planned.states.values():
        click.echo(_state_line(state))
    if steps and not planned.problems:
        say("Next: torg db upgrade")


def _state_line(state: StreamState, sound: str = "✓") -> str:
    mark = {"current": sound, "blocked": "✗", "pending": "✗"}.get(state.state, "-")
    words = [f"  {mark} {state.name:<16} {state.state:<9} {state.current or '-':<20}"]
    if state.pending:
        words.append(f"waiting: {', '.join(state.pending)}")
    if state.problem:
        words.append(state.problem)
    if state.next_step:
        words.append(f"→ {state.next_step}")
    return " ".join(words).rstrip()


def _counted(revisions: Sequence[str]) -> str:
    noun = "revision" if len(revisions) == 1 else "revisions"
    return f"{len(revisions)} {noun}: {', '.join(revisions)}"


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: object) -> object:
    if isinstance(value, Iterable):
        return list(value)
    return str(value)
