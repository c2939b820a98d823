"""What accounts bring to the host."""

from collections.abc import Iterable
from typing import Any

import click
import flask
import structlog
from flask import current_app
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError

from torg import hookimpl
from torg.contracts import Service
from torg.db import unit_of_work
from torg.demo import Demo
from torg.http import Blueprint
from torg.identity import Identity
from torg.jobs import Job
from torg.mail import MailTemplate
from torg.schedules import Schedule
from torg_auth import demo as demo_people
from torg_auth import metrics, models, models_changes, models_personal, models_verification
from torg_auth.change_emails import CHANGE_TEMPLATES
from torg_auth.change_jobs import CHANGE_JOBS, CHANGE_SCHEDULES
from torg_auth.commands import user
from torg_auth.emails import TEMPLATES
from torg_auth.jobs import JOBS, SCHEDULES
from torg_auth.routes import blueprint
from torg_auth.services import access, directory, privacy, reception, tokens, worth
from torg_auth.settings import AuthSettings
from torg_metrics import Metric, Ratio

_log = structlog.get_logger(__name__)


@hookimpl
def torg_settings() -> type[BaseModel]:
    """The section `[auth]`."""
    return AuthSettings


@hookimpl
def torg_models() -> list[type]:
    """The tables."""
    return [
        models.User,
        models.Session,
        models.RefreshToken,
        models.OneTimeCode,
        models.Role,
        models.RolePermission,
        models.UserRole,
        models.SecurityEvent,
        models_changes.PendingChange,
        models_changes.TextMessage,
        models_verification.VerificationRequest,
        models_verification.VerificationDocument,
        models_personal.ApiKey,
        models_personal.ExternalIdentity,
        models_personal.StatusChange,
    ]


@hookimpl
def torg_services() -> list[Service]:
    """What others may use of accounts; and tokens must be readable before any request."""
    tokens.init(current_app)
    return [
        Service("users", "1.1", directory.Directory()),
        Service("verification", "1.0", worth.Verification()),
        Service("accounts", "1.0", reception.Reception()),
    ]


@hookimpl
def torg_blueprints() -> list[Blueprint]:
    """The routes."""
    return [blueprint]


@hookimpl
def torg_authenticate(request: flask.Request) -> Identity | None:
    """Sign in whoever carries an access token of ours."""
    return directory.authenticate(request)


@hookimpl
def torg_jobs() -> tuple[Job, ...]:
    """The background work."""
    return (*JOBS, *CHANGE_JOBS)


@hookimpl
def torg_schedules() -> tuple[Schedule, ...]:
    """The nightly cleaning."""
    return (*SCHEDULES, *CHANGE_SCHEDULES)


@hookimpl
def torg_mail_templates() -> tuple[MailTemplate, ...]:
    """The mails."""
    return (*TEMPLATES, *CHANGE_TEMPLATES)


@hookimpl
def torg_cli() -> click.Group:
    """`torg user …`."""
    return user


@hookimpl
def torg_data_export(identity_id: int) -> dict[str, Any]:
    """What accounts keep about a person."""
    return privacy.own_part(identity_id)


@hookimpl
def torg_data_erase(identity_id: int) -> None:
    """Forget a person's name, addresses and all else that is not others' record."""
    privacy.forget_own_part(identity_id)


@hookimpl
def torg_on_enable() -> None:
    """Write the roles and permissions that the enabled plugins declare."""
    access.sync()


@hookimpl
def torg_ready(app: flask.Flask) -> None:
    """The same for a plugin without tables, which is switched on without an upgrade."""
    try:
        with unit_of_work(app=app):
            if not access.is_in_line():
                access.sync()
    except OperationalError as error:
        # Nothing is lost: the next start looks again, and roles that were written before count.
        _log.warning("roles_not_compared", error=str(error.orig).strip())


@hookimpl
def torg_demo_data(demo: Demo) -> None:
    """The people of the demo."""
    demo_people.fill(demo)


@hookimpl(optionalhook=True)
def stats_metrics() -> Iterable[Metric | Ratio]:
    """What statistics count, where somebody makes them."""
    return metrics.METRICS
