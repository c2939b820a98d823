"""`torg jobs`: look at background jobs, try dead ones again, run what is due.

Owns the words of these commands; what they do is `torg.outbox`'s and `torg.jobs`'.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import click

from torg import outbox
from torg.command_errors import CommandError

_SHOWN = ("id", "job", "state", "attempts", "run_at", "last_error")


@click.group()
def jobs() -> None:
    """List, show, retry and run background jobs."""


@jobs.command("list")
@click.option("--state", type=click.Choice(outbox.STATES), help="Only jobs in this state.")
@click.option("--plugin", help="Only jobs of this plugin; host for the host's own.")
@click.option("--job", help="Only jobs of this name.")
@click.option(
    "--limit", type=click.IntRange(1, 10000), default=50, show_default=True, help="At most so many."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON list on standard output.")
def list_jobs(
    state: str | None, plugin: str | None, job: str | None, limit: int, as_json: bool
) -> None:
    """List jobs, newest first, and count the unfinished ones."""
    with _reading():
        rows = outbox.listing(state=state, plugin=plugin, job=job, limit=limit)
        waiting = outbox.counts()
    if as_json:
        click.echo(json.dumps([_facts(row) for row in rows], ensure_ascii=False))
        return
    for row in rows:
        facts = _facts(row)
        click.echo("  ".join(str(facts[name]) for name in _SHOWN if facts[name] is not None))
    for name, condition, number in waiting:
        click.echo(f"{name}: {number} {condition}", err=True)
    if not rows:
        click.echo("No such jobs.", err=True)


@jobs.command()
@click.argument("job_id", type=int)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def show(job_id: int, as_json: bool) -> None:
    """Show everything about one job."""
    with _reading():
        row = outbox.find(job_id)
    if row is None:
        raise CommandError(
            f"there is no job {job_id}",
            why="it was never there, or was done long ago and forgotten (job_keep_days)",
            next_steps=("torg jobs list",),
        )
    facts = _facts(row)
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    for name, value in facts.items():
        if value is not None:
            click.echo(f"{name:>15}  {value}")


@jobs.command()
@click.argument("job_ids", type=int, nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every dead job.")
@click.option("--job", help="Every dead job of this name.")
@click.option("--json", "as_json", is_flag=True, help="The ids as a JSON list on standard output.")
def retry(job_ids: tuple[int, ...], every: bool, job: str | None, as_json: bool) -> None:
    """Give dead jobs a full set of attempts again."""
    if bool(job_ids) + every + (job is not None) != 1:
        raise click.UsageError("Give either ids, or --job NAME, or --all.")
    from torg import db, deployment

    app = deployment.application()
    with db.unit_of_work("write", app):
        found = outbox.retry(job_ids or None, job=job)
    missed = sorted(set(job_ids) - set(found))
    if as_json:
        click.echo(json.dumps(found))
    else:
        for each in found:
            click.echo(each)
        if not found and not missed:
            click.echo("No job was dead, so none is tried again.", err=True)
    if missed:
        raise CommandError(
            f"not dead, so not retried: {', '.join(map(str, missed))}",
            next_steps=("torg jobs list --state dead",),
        )


@jobs.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON object on standard output.")
def run(as_json: bool) -> None:
    """Run every job that is due in this process, then end."""
    from torg import deployment
    from torg import jobs as running

    app = deployment.application()
    count = running.run_due(app)
    click.echo(json.dumps({"ran": count}) if as_json else f"{count} jobs ran")


def _reading() -> Any:
    from torg import db, deployment

    return db.unit_of_work("read", deployment.application())


def _facts(row: Any) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in row._mapping.items()  # noqa: SLF001 - SQLAlchemy's public name
    }
