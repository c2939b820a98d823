"""What this plugin hands to the host: routes, and lines to try in the demo."""

from torg import hookimpl
from torg.blueprint import Blueprint
from torg.demo import Demo
from torg_classic.routes import blueprint


@hookimpl
def torg_blueprints() -> list[Blueprint]:
    """The routes."""
    return [blueprint]


@hookimpl
def torg_demo_data(demo: Demo) -> None:
    """Addresses to try; the products are the shop's."""
    demo.show("See nested categories", "curl '{base_url}/categories'")
    demo.show(
        "Find products by price",
        "curl -H 'Content-Type: application/json' '{base_url}/products?limit=3'"
        """ -d '{"price_max": 20, "sort": "-price"}'""",
    )
