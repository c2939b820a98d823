"""What the shop hands to the host. It imports everything of the plugin."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from torg import hookimpl
from torg.contracts import Service
from torg.events import Event, Subscription
from torg.jobs import Job
from torg.mail import MailTemplate
from torg.schedules import Schedule
from torg_metrics import Metric, Ratio
from torg_shop import commands, emails, jobs, metrics, personal, sample
from torg_shop.models import MODELS
from torg_shop.routes import blueprint
from torg_shop.schemas.orders import OrderHappened
from torg_shop.services import provider_payments
from torg_shop.services.offering import ShopCatalogue
from torg_shop.services.trading import ShopTrading
from torg_shop.settings import ShopSettings

if TYPE_CHECKING:
    from torg.blueprint import Blueprint
    from torg.demo import Demo


@hookimpl
def torg_settings() -> type[ShopSettings]:
    """The section `[shop]`."""
    return ShopSettings


@hookimpl
def torg_models() -> Iterable[type]:
    """The tables."""
    return MODELS


@hookimpl
def torg_services() -> Iterable[Service]:
    """The contracts `catalogue` and `trading`."""
    return [
        Service("catalogue", "1.0", ShopCatalogue()),
        Service("trading", "1.0", ShopTrading()),
    ]


@hookimpl
def torg_blueprints() -> "Iterable[Blueprint]":
    """The routes."""
    return [blueprint]


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
    """`torg shop …`."""
    return commands.group


@hookimpl
def torg_demo_data(demo: "Demo") -> None:
    """A catalogue to look at."""
    sample.fill(demo)


@hookimpl
def torg_events() -> Iterable[Event]:
    """What others may hear."""
    names = ("order_placed", "order_paid", "order_cancelled")
    return [Event(f"shop.{name}", "1.0", OrderHappened) for name in names]


@hookimpl
def torg_subscriptions() -> Iterable[Subscription]:
    """How payments by providers end."""
    return [
        Subscription("wallet.deposit_ended", provider_payments.heard, versions=">=1,<2"),
    ]


@hookimpl
def torg_mail_templates() -> Iterable[MailTemplate]:
    """The mails."""
    return emails.TEMPLATES


@hookimpl
def torg_data_export(identity_id: int) -> dict[str, Any]:
    """What is kept about a person."""
    return personal.export(identity_id)


@hookimpl
def torg_data_erase(identity_id: int) -> None:
    """Forget what is his alone."""
    personal.erase(identity_id)


@hookimpl(optionalhook=True)
def stats_metrics() -> Iterable[Metric | Ratio]:
    """What statistics count, where somebody makes them."""
    return metrics.METRICS
