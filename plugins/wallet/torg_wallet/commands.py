"""`torg wallet …`: prove the books, let go of expired holds."""

import json

import click

from torg.db import unit_of_work
from torg_wallet.services import expiry, proving


@click.group("wallet")
def group() -> None:
    """The ledger."""


@group.command("prove")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def prove(as_json: bool) -> None:
    """Derive every balance again from the entries and check all invariants.

    Exits with 1 when something is wrong. Repairs nothing.
    """
    with unit_of_work("read"):
        outcome = proving.prove()
    if as_json:
        click.echo(json.dumps(outcome))
    else:
        for each in outcome["findings"]:
            click.echo(f"{each['invariant']}: {each['subject']}: {each['detail']}")
        counts = ", ".join(f"{number} {name}" for name, number in outcome["counts"].items())
        verdict = "the books are sound" if outcome["is_sound"] else "THE BOOKS ARE NOT SOUND"
        click.echo(f"{verdict}: {counts}")
    if not outcome["is_sound"]:
        raise SystemExit(1)


@group.command("expire-holds")
def expire_holds() -> None:
    """Let go of every hold whose time is over."""
    with unit_of_work():
        number = expiry.expire_holds(limit=100_000)
    click.echo(f"holds of {number} accounts let go")
