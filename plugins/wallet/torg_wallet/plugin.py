"""What the wallet hands to the host. It imports everything of the plugin."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from torg import config, hookimpl
from torg.contracts import Service
from torg.events import Event
from torg.health import HealthCheck
from torg.jobs import Job
from torg.mail import MailTemplate
from torg.schedules import Schedule
from torg_ledger.payments import PaymentProvider
from torg_metrics import Metric, Ratio
from torg_wallet import (
    checks,
    commands,
    emails,
    hookspecs,
    jobs,
    metrics,
    personal,
    sample,
    schemas,
)
from torg_wallet.models import MODELS
from torg_wallet.providers.manual import Manual
from torg_wallet.providers.sandbox import Sandbox
from torg_wallet.routes import blueprint
from torg_wallet.services.bonus import BonusService
from torg_wallet.services.collecting import WholeLedger
from torg_wallet.settings import WalletSettings

if TYPE_CHECKING:
    from torg.blueprint import Blueprint
    from torg.demo import Demo

_MANUAL, _SANDBOX = Manual(), Sandbox()


@hookimpl
def torg_hookspecs() -> Any:
    """The extension point of payment providers."""
    return hookspecs


@hookimpl
def torg_settings() -> type[WalletSettings]:
    """The section `[wallet]`."""
    return WalletSettings


@hookimpl
def torg_models() -> Iterable[type]:
    """The tables."""
    return MODELS


@hookimpl
def torg_blueprints() -> "Iterable[Blueprint]":
    """The routes."""
    return [blueprint]


@hookimpl
def torg_services() -> Iterable[Service]:
    """The contracts `ledger` and `bonus`."""
    return [
        Service("ledger", "1.2", WholeLedger()),
        Service("bonus", "1.0", BonusService()),
    ]


@hookimpl
def torg_events() -> Iterable[Event]:
    """How deposits and payouts end."""
    return [
        Event("wallet.deposit_ended", "1.0", schemas.PaymentEndedEvent),
        Event("wallet.payout_ended", "1.0", schemas.PaymentEndedEvent),
    ]


@hookimpl
def torg_mail_templates() -> Iterable[MailTemplate]:
    """The mails."""
    return emails.TEMPLATES


@hookimpl
def wallet_payment_providers() -> Iterable[PaymentProvider]:
    """`manual`, and `sandbox` where it is switched on."""
    section = config.plugin_settings("wallet", WalletSettings)
    is_sandbox = section.sandbox or config.settings().host.demo
    return [_MANUAL, _SANDBOX] if is_sandbox else [_MANUAL]


@hookimpl
def torg_jobs() -> Iterable[Job]:
    """Background work."""
    return jobs.JOBS


@hookimpl
def torg_schedules() -> Iterable[Schedule]:
    """When it is due."""
    return jobs.SCHEDULES


@hookimpl
def torg_health() -> Iterable[HealthCheck]:
    """Whether the books sum to zero and providers make sense."""
    return [
        HealthCheck("books", checks.books_sum_to_zero, kept_seconds=30.0),
        HealthCheck("providers", checks.providers_make_sense, kept_seconds=30.0),
    ]


@hookimpl
def torg_cli() -> click.Group:
    """`torg wallet …`."""
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
    """Money and points to look at."""
    sample.fill(demo)


@hookimpl(optionalhook=True)
def stats_metrics() -> Iterable[Metric | Ratio]:
    """What statistics count, where somebody makes them."""
    return metrics.METRICS
