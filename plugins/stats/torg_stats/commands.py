"""`torg stats …`: keep sums, make them anew, prove them."""

import click

from torg.db import unit_of_work
from torg_stats.services import catalogue, keeping


@click.group("stats")
def group() -> None:
    """Statistics."""


@group.command("rollup")
def rollup() -> None:
    """Make the sums of all days that were touched since the last time.

    Facts that their plugin does not bring are named, and the rest is made; exits with 1 then.
    """
    _keep_all(_names())


@group.command("rebuild")
@click.option("--facts", "only", help="Only these facts, as `torg stats list` names them.")
def rebuild(only: str | None) -> None:
    """Forget all sums and make them anew: the numbers stay the same.

    Meanwhile questions are answered from the facts themselves.
    """
    names = _names()
    if only is not None and only not in names:
        raise click.BadParameter(f"one of: {', '.join(names)}", param_hint="--facts")
    wanted = [only] if only else names
    for name in wanted:
        with unit_of_work():
            keeping.forget(name)
    _keep_all(wanted)


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
        differences: list[str] = []
        with unit_of_work(), keeping.kept_apart(name) as problems:
            differences = keeping.differences(name)
        words = f"BROKEN: {problems[0]}" if problems else "DIFFERENT" if differences else "ok"
        click.echo(f"{name}: {words}")
        found += differences or problems
    for each in found:
        click.echo(each)
    if found:
        raise SystemExit(1)


def _names() -> list[str]:
    with unit_of_work("read"):
        return list(catalogue.sources())


def _keep_all(names: list[str]) -> None:
    is_broken = False
    for name in names:
        days, problems = _keep(name)
        is_broken |= bool(problems)
        click.echo(f"{name}: BROKEN: {problems[0]}" if problems else f"{name}: {days} days")
    if is_broken:
        raise SystemExit(1)


def _keep(name: str) -> tuple[int, list[str]]:
    """How many days were made, and why no more could be."""
    with unit_of_work(), keeping.kept_apart(name) as problems:
        keeping.note_changes(name)
    days = 0
    while not problems:
        made = 0
        with unit_of_work(), keeping.kept_apart(name) as problems:
            made = keeping.make_pending(name)
        days += made
        if made == 0:
            break
    return days, problems
