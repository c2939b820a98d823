"""`torg autotrade …`: run the jobs, prove the market, trade through months in minutes."""

import json
from datetime import timedelta
from random import Random

import click

from torg.db import database_now, unit_of_work
from torg_autotrade.domain.words import KINDS
from torg_autotrade.generating import Trade
from torg_autotrade.services import proving, runs


@click.group("autotrade")
def group() -> None:
    """The market of cars."""


@group.command("run")
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--dry-run", is_flag=True, help="Decide, show, change nothing.")
@click.option("--part", default=0, show_default=True, help="Which share of the work, from 0.")
@click.option("--parts", default=1, show_default=True, help="Into how many shares it is split.")
def run(kind: str, dry_run: bool, part: int, parts: int) -> None:
    """Run one of the market's jobs now, in this process."""
    if dry_run:
        with unit_of_work("read"):
            report = runs.rehearse(kind)
        for decision in report.decisions:
            click.echo(json.dumps(decision))
    else:
        report = runs.run(kind, part=part, parts=parts)
    click.echo(
        f"{kind}: {report.seen} seen, {report.dealt} dealt, {report.failed} failed", err=True
    )


@group.command("prove")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def prove(as_json: bool) -> None:
    """Derive stock, counts and balances again from the deals. Exits with 1 when something differs.

    That the ledger itself is sound is proven by `torg wallet prove`.
    """
    with unit_of_work("read"):
        found = proving.prove()
    if as_json:
        rows = [
            {"rule": each.rule, "subject": each.subject, "detail": each.detail} for each in found
        ]
        click.echo(json.dumps({"is_sound": not found, "findings": rows}))
    else:
        for each in found:
            click.echo(f"{each.rule}: {each.subject}: {each.detail}")
        click.echo("the market is sound" if not found else f"{len(found)} findings")
    if found:
        raise SystemExit(1)


@group.command("generate")
@click.option("--months", default=12, show_default=True, type=click.IntRange(1, 120))
@click.option("--ticks", default=360, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--dealers", default=4, show_default=True, type=click.IntRange(1, 1000))
@click.option("--suppliers", default=6, show_default=True, type=click.IntRange(1, 1000))
@click.option("--models", default=40, show_default=True, type=click.IntRange(1, 1000))
@click.option("--buyers", default=20, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--seed", default=42, show_default=True)
@click.confirmation_option(prompt="This adds people's money and deals to the database. Go on?")
def generate(
    months: int, ticks: int, dealers: int, suppliers: int, models: int, buyers: int, seed: int
) -> None:
    """Produce months of trading by running the real jobs under a moved clock."""
    with unit_of_work("read"):
        now = database_now()
    trade = Trade.begin(
        Random(seed),  # noqa: S311 - made-up data
        now - timedelta(days=30 * months),
        dealers=dealers,
        suppliers=suppliers,
        models=models,
        buyers=buyers,
    )
    with click.progressbar(range(ticks), label="trading") as bar:
        for number in bar:
            trade.tick(number, ticks, now)
    click.echo(trade.summary())
