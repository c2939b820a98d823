"""`torg stats …`: keep sums, make them anew, prove them."""

import click

from torg.db import unit_of_work
from torg_stats.services import catalogue, keeping


@click.group("stats")
def group() -> None:
    """Statistics."""


@group.command("rollup")
def rollup() -> None:
    """Make the sums of all days that were touched since the last time."""
    for name in _names():
        click.echo(f"{name}: {_keep(name)} days")


@group.command("rebuild")
@click.option("--facts", "only", help="Only these facts, as `torg stats list` names them.")
def rebuild(only: str | None) -> None:
    """Forget all sums and make them anew: the numbers stay the same.

    Meanwhile questions are answered from the facts themselves.
    """
    names = _names()
    if only is not None and only not in names:
        raise click.BadParameter(f"one of: {', '.join(names)}", param_hint="--facts")
    for name in [only] if only else names:
        with unit_of_work():
            keeping.forget(name)
        click.echo(f"{name}: {_keep(name)} days")


@group.command("list")
def list_facts() -> None:
    """List what can be counted now, and the facts that it comes from."""
    with unit_of_work("read"):
        for metric in catalogue.metrics().values():
            facts = ", ".join(dict.fromkeys(each.facts.name for each in catalogue.parts(metric)))
            click.echo(f"{metric.name}\t{metric.unit.value}\t{facts}")


@group.command("prove")
def prove() -> None:
    """Count everything again and compare it with the kept sums; repairs nothing.

    Exits with 1 when something differs; `torg stats rebuild` makes it right.
    """
    found: list[str] = []
    for name in _names():
        with unit_of_work():
            differences = keeping.differences(name)
        click.echo(f"{name}: {'ok' if not differences else 'DIFFERENT'}")
        found += differences
    for each in found:
        click.echo(each)
    if found:
        raise SystemExit(1)


def _names() -> list[str]:
    with unit_of_work("read"):
        return list(catalogue.sources())


def _keep(name: str) -> int:
    days = 0
    with unit_of_work():
        keeping.note_changes(name)
    while True:
        with unit_of_work():
            made = keeping.make_pending(name)
        days += made
        if made == 0:
            return days
