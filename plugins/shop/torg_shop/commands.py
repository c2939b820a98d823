"""`torg shop …`: fill the catalogue."""

from random import Random

import click

from torg.db import unit_of_work
from torg_shop.generating import generate


@click.group("shop")
def group() -> None:
    """The shop."""


@group.command("generate")
@click.option("--products", default=10_000, show_default=True, type=click.IntRange(1, 1_000_000))
@click.option("--seed", default=1, show_default=True, help="The same seed draws the same.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def fill(products: int, seed: int, yes: bool) -> None:
    """Enter products with pictures, categories, tags and stock, to try things out."""
    if not yes:
        click.confirm(f"Enter {products} made-up products into this shop?", abort=True)
    with unit_of_work():
        number = generate(Random(seed), products)  # noqa: S311 - chances, no secrets
    click.echo(f"{number} products")
