"""What the auction plugin hands to the host. It imports everything of the plugin."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click
import flask

from torg import hookimpl
from torg.events import Event
from torg.health import HealthCheck
from torg.jobs import Job
from torg.mail import MailTemplate
from torg.schedules import Schedule
from torg_auction import checks, commands, emails, jobs, metrics, personal, schemas, streams
from torg_auction.demo import fill
from torg_auction.models import MODELS
from torg_auction.routes import blueprint
from torg_auction.settings import AuctionSettings
from torg_metrics import Metric, Ratio

if TYPE_CHECKING:
    from torg.blueprint import Blueprint
    from torg.demo import Demo


@hookimpl
def torg_settings() -> type[AuctionSettings]:
    """The section `[auction]`."""
    return AuctionSettings


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
        Event("auction.created", "1.0", schemas.CreatedEvent),
        Event("auction.bid_placed", "1.0", schemas.BidPlacedEvent),
        Event("auction.closed", "1.0", schemas.ClosedEvent),
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
    """Whether auctions are closed in time."""
    return [HealthCheck("closing", checks.closing_is_in_time, kept_seconds=5.0)]


@hookimpl
def torg_cli() -> click.Group:
    """`torg auction …`."""
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
    """Auctions to look at."""
    fill(demo)


@hookimpl
def torg_ready(app: flask.Flask) -> None:
    """Make the hub of live streams."""
    streams.init(app)


@hookimpl(optionalhook=True)
def stats_metrics() -> Iterable[Metric | Ratio]:
    """What statistics count, where somebody makes them."""
    return metrics.METRICS
