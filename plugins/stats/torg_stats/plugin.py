"""What statistics hand to the host. It imports everything of the plugin."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from torg import hookimpl
from torg.jobs import Job
from torg.mail import MailTemplate
from torg.schedules import Schedule
from torg_stats import commands, emails, hookspecs, jobs, personal, sample
from torg_stats.models import MODELS
from torg_stats.routes import blueprint
from torg_stats.settings import StatsSettings

if TYPE_CHECKING:
    from torg.blueprint import Blueprint
    from torg.demo import Demo


@hookimpl
def torg_hookspecs() -> Any:
    """The extension point of metrics."""
    return hookspecs


@hookimpl
def torg_settings() -> type[StatsSettings]:
    """The section `[stats]`."""
    return StatsSettings


@hookimpl
def torg_models() -> Iterable[type]:
    """The tables."""
    return MODELS


@hookimpl
def torg_blueprints() -> "Iterable[Blueprint]":
    """The routes."""
    return [blueprint]


@hookimpl
def torg_mail_templates() -> Iterable[MailTemplate]:
    """The mail of a report."""
    return emails.TEMPLATES


@hookimpl
def torg_jobs() -> Iterable[Job]:
    """Background work."""
    return jobs.JOBS


@hookimpl
def torg_schedules() -> Iterable[Schedule]:
    """When it is due."""
    return jobs.SCHEDULES


@hookimpl
def torg_cli() -> click.Group:
    """`torg stats …`."""
    return commands.group


@hookimpl
def torg_data_export(identity_id: int) -> dict[str, Any]:
    """What is kept about a person."""
    return personal.export(identity_id)


@hookimpl
def torg_data_erase(identity_id: int) -> None:
    """Forget what is his alone."""
    personal.erase(identity_id)


@hookimpl
def torg_demo_data(demo: "Demo") -> None:
    """A report to look at."""
    sample.fill(demo)
