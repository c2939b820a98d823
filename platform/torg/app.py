"""The application: every part of the host wired in order, then the plugins.

Owns the order of the start and nothing else. Whoever wants to know what happens between `torg run`
and the first request reads `create_app` from top to bottom.
"""

from collections.abc import Iterable
from types import ModuleType

import structlog
from sqlalchemy.exc import OperationalError

from torg import (
    cache,
    config,
    contracts,
    db,
    events,
    health,
    http,
    i18n,
    identity,
    job_routes,
    jobs,
    limits,
    logs,
    mail,
    mail_pages,
    metrics,
    migrate,
    mounting,
    openapi,
    plugins,
    problems,
    ready_answers,
    request_pages,
    schedules,
    start_page,
    storage,
)
from torg.config import Settings
from torg.http import Application

_log = structlog.get_logger(__name__)


def create_app(
    settings: Settings | None = None, *, extra: Iterable[ModuleType] = ()
) -> Application:
    """Build the application of one deployment.

    Args:
        settings: read from environment and files when absent.
        extra: further plugin modules with a `MANIFEST`, for test kits.

    Raises:
        SettingsError: a setting is unknown, wrong or missing.
        StartError: a plugin that is marked as required cannot run.
    """
    settings = settings or config.load()
    settings.require("database_url")
    app = Application("torg")
    app.config.update(_flask_settings(settings))
    config.init(app, settings)
    logs.init(app)
    db.init(app)
    migrate.init(app)
    for part in (contracts, events, identity, i18n, problems, http, limits, cache):
        part.init(app)
    for part in (ready_answers, storage, jobs, schedules, mail, metrics, health, openapi):
        part.init(app)
    registry = plugins.init(app, settings.host.plugins, settings.host.required_plugins, extra=extra)
    with app.app_context():
        mounting.check_settings(registry, settings)
        openapi.mount_host(app, [job_routes.blueprint])
        for pages in (health, metrics, mail_pages, request_pages, start_page):
            pages.mount(app)
        mounting.mount(app, registry)
        openapi.finish(app)
        note_pending(app)
        plugins.announce_ready(app)
        db.session.remove()
    return app


def note_pending(app: Application) -> None:
    """Set the plugins' states as the database is, when it can be asked (see `note_states`)."""
    try:
        migrate.note_states(app)
    except OperationalError as error:
        # The host starts without its database: health says so, and requests answer 503.
        _log.warning("database_away_at_start", error=str(error.orig))


def _flask_settings(settings: Settings) -> dict[str, object]:
    host = settings.host
    bounds_ms = {
        "statement_timeout": host.database_statement_timeout_seconds * 1000,
        "lock_timeout": host.database_lock_timeout_seconds * 1000,
        # A transaction that a stuck process left open must not hold its locks for ever.
        "idle_in_transaction_session_timeout": 60_000,
    }
    options = " ".join(["-c timezone=UTC", *(f"-c {k}={int(v)}" for k, v in bounds_ms.items())])
    return {
        "SECRET_KEY": host.secret_key.get_secret_value(),
        "DEBUG": host.debug,
        "MAX_CONTENT_LENGTH": host.body_limit_bytes,
        "SQLALCHEMY_DATABASE_URI": host.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": {
            # A failing statement must put no value, which may be a secret, into a log.
            "hide_parameters": True,
            "pool_size": host.database_pool_size,
            "max_overflow": 5,
            "pool_timeout": host.database_pool_timeout_seconds,
            "connect_args": {"connect_timeout": 3, "options": options},
        },
    }
