"""What the market hands to the host. It imports everything of the plugin."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from torg import hookimpl
from torg.events import Event
from torg.health import HealthCheck
from torg.jobs import Job
from torg.mail import MailTemplate
from torg.schedules import Schedule
from torg_autotrade import checks, commands, emails, jobs, metrics, personal, sample
from torg_autotrade.models import MODELS
from torg_autotrade.routes import blueprint
from torg_autotrade.schemas import trading
from torg_autotrade.settings import AutotradeSettings
from torg_metrics import Metric, Ratio

if TYPE_CHECKING:
    from torg.blueprint import Blueprint
    from torg.demo import Demo


@hookimpl
def torg_settings() -> type[AutotradeSettings]:
    """The section `[autotrade]`."""
    return AutotradeSettings


@hookimpl
def torg_models() -> Iterable[type]:
    """The tables."""
    return MODELS


@hookimpl
def torg_blueprints() -> "Iterable[Blueprint]":
    """The routes."""
    return [blueprint]


@hookimpl
def torg_events() -> Iterable[Event]:
    """What others may hear."""
    return [
        Event("autotrade.sale_made", "1.0", trading.SaleMade),
        Event("autotrade.offer_ended", "1.0", trading.OfferEnded),
    ]


@hookimpl
def torg_jobs() -> Iterable[Job]:
    """Background work."""
    return jobs.JOBS


@hookimpl
def torg_schedules() -> Iterable[Schedule]:
    """When it is due."""
    return jobs.SCHEDULES


@hookimpl
def torg_mail_templates() -> Iterable[MailTemplate]:
    """The mails."""
    return emails.TEMPLATES


@hookimpl
def torg_health() -> Iterable[HealthCheck]:
    """Whether runs are in time and dealers sound."""
    return [
        HealthCheck("runs", checks.runs_are_in_time, kept_seconds=10.0),
        HealthCheck("dealers", checks.dealers_are_sound, kept_seconds=10.0),
    ]


@hookimpl
def torg_cli() -> click.Group:
    """`torg autotrade …`."""
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
    """A year of trading."""
    sample.fill(demo)


@hookimpl(optionalhook=True)
def stats_metrics() -> Iterable[Metric | Ratio]:
    """What statistics count, where somebody makes them."""
    return metrics.METRICS
