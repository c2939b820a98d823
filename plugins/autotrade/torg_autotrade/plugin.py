"""What the market hands to the host. It imports everything of the plugin."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from torg import hookimpl
from torg.events import Event
from torg.jobs import Job
from torg.mail import MailTemplate
from torg.schedules import Schedule
from torg_autotrade import emails, jobs
from torg_autotrade.models import MODELS
from torg_autotrade.routes import blueprint
from torg_autotrade.schemas import trading
from torg_autotrade.settings import AutotradeSettings

if TYPE_CHECKING:
    from torg.blueprint import Blueprint


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
