"""The hooks of the plugin: everything it gives the host. Nothing imports this module."""

from torg import hookimpl
from torg.blueprint import Blueprint
from torg.jobs import Job

from torg_guestbook import jobs, models, routes


@hookimpl
def torg_models() -> list[type]:
    """The tables."""
    return [models.Note]


@hookimpl
def torg_blueprints() -> list[Blueprint]:
    """The routes."""
    return [routes.blueprint]


@hookimpl
def torg_jobs() -> list[Job]:
    """The background work."""
    return [jobs.COUNT_WORDS]
