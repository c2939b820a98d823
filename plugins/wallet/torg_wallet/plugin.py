"""What the wallet hands to the host. It imports everything of the plugin."""

from collections.abc import Iterable

import click

from torg import hookimpl
from torg.contracts import Service
from torg.jobs import Job
from torg.schedules import Schedule
from torg_wallet import commands, jobs
from torg_wallet.models import MODELS
from torg_wallet.services.ledger import LedgerService


@hookimpl
def torg_models() -> Iterable[type]:
    """The tables."""
    return MODELS


@hookimpl
def torg_services() -> Iterable[Service]:
    """The contract `ledger`."""
    return [Service("ledger", "1.0", LedgerService())]


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
    """`torg wallet …`."""
    return commands.group
