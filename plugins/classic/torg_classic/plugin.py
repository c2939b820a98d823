"""What this plugin hands to the host: routes, and nothing else."""

from torg import hookimpl
from torg.blueprint import Blueprint
from torg_classic.routes import blueprint


@hookimpl
def torg_blueprints() -> list[Blueprint]:
    """The routes."""
    return [blueprint]
