"""`torg shop …`: prove that its tables agree; fill it to try things out."""

import json
from random import Random

import click

from torg import contracts, identity
from torg.db import database_now, unit_of_work
from torg_shop.generating import generate
from torg_shop.generating_orders import generate_orders
from torg_shop.services import proving


@click.group("shop")
def group() -> None:
    """The shop."""


@group.command("prove")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def prove(as_json: bool) -> None:
    """Check orders against lines, history and books, stock against reservations, and coupons.

    Exits with 1 when something is wrong. Repairs nothing.
    """
    with unit_of_work():
        outcome = proving.prove()
    if as_json:
        click.echo(json.dumps(outcome))
    else:
        for each in outcome["findings"]:
            click.echo(f"{each['invariant']}: {each['subject']}: {each['detail']}")
        counts = ", ".join(f"{number} {name}" for name, number in outcome["counts"].items())
        verdict = "the shop is sound" if outcome["is_sound"] else "THE SHOP IS NOT SOUND"
        click.echo(f"{verdict}: {counts}")
    if not outcome["is_sound"]:
        raise SystemExit(1)


@group.command("generate")
@click.option("--products", default=10_000, show_default=True, type=click.IntRange(0, 1_000_000))
@click.option(
    "--orders",
    default=0,
    show_default=True,
    type=click.IntRange(0, 1_000_000),
    help="Made-up orders of the last twelve months.",
)
@click.option(
    "--buyers",
    default=200,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="Of how many people they are; who is missing is made, and nobody can sign in as him.",
)
@click.option("--seed", default=1, show_default=True, help="The same seed draws the same.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def fill(products: int, orders: int, buyers: int, seed: int, yes: bool) -> None:
    """Enter products with pictures, categories, tags, stock and past orders, to try things out."""
    if not yes:
        asked = f"Enter {products} made-up products and {orders} orders into this shop?"
        click.confirm(asked, abort=True)
    random = Random(seed)  # noqa: S311 - chances, no secrets
    with unit_of_work():
        if products:
            click.echo(f"{generate(random, products)} products")
        if orders:
            number = generate_orders(random, orders, database_now(), _buyers(buyers))
            click.echo(f"{number} orders")


def _buyers(number: int) -> list[int]:
    users = contracts.require("users", ">=1,<2")
    found = [each.id for each in users.page(0, number)]
    return found + [identity.create_identity() for _ in range(number - len(found))]
