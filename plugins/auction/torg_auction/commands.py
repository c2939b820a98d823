"""`torg auction …`: close what is due, prove the logs."""

import json

import click

from torg.db import unit_of_work
from torg_auction.queries import proof
from torg_auction.replay import findings
from torg_auction.services import closing


@click.group("auction")
def group() -> None:
    """Auctions."""


@group.command("close-due")
def close_due() -> None:
    """Close every auction whose end has come."""
    with unit_of_work():
        closed = closing.close_due(limit=100_000)
    click.echo(f"{len(closed)} closed")


@group.command("prove")
@click.option("--auction", "auction_id", type=int, help="Only this one.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def prove(auction_id: int | None, as_json: bool) -> None:
    """Replay every log of bids by the rule and compare it with what is stored.

    Exits with 1 when an auction differs from its replay. Names no secret maximum.
    """
    problems: dict[int, list[str]] = {}
    count = 0
    for each, stored in proof.all_stored(auction_id):
        count += 1
        if found := list(findings(stored)):
            problems[each] = found
    if as_json:
        click.echo(json.dumps({"proven": count - len(problems), "problems": problems}))
    else:
        for each, found in problems.items():
            click.echo(f"auction {each}: {'; '.join(found)}")
        click.echo(f"{count - len(problems)} of {count} auctions follow from their bids")
    if problems:
        raise SystemExit(1)
