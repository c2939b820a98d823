"""Every hook of the host, with its contract. A plugin implements those it needs in `plugin.py`.

Hooks return data; the host mounts, checks and meters it. All are called once at start, in
dependency order, each plugin by itself, unless a hook says otherwise. A hook that raises at start
puts its plugin into quarantine; one that raises later is logged under the plugin's name.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from torg import hookspec

if TYPE_CHECKING:
    import click
    from flask import Flask, Request
    from pydantic import BaseModel

    from torg.blueprint import Blueprint
    from torg.contracts import Service
    from torg.demo import Demo
    from torg.events import Event, Subscription
    from torg.health import HealthCheck
    from torg.identity import Identity
    from torg.jobs import Job
    from torg.mail import MailTemplate
    from torg.schedules import Schedule

API_VERSION = "1.0"


@hookspec
def torg_hookspecs() -> Any:
    """Return a module (or object) with hook specifications of the plugin's own extension points.

    Called first, so that other plugins may implement them (with `optionalhook=True`).
    """


@hookspec
def torg_settings() -> "type[BaseModel]":
    """Return the pydantic model of the plugin's section; read it by `torg.config.plugin_settings`.

    Values come from `TORG_<PLUGIN>_<KEY>` and `[<plugin>]` in torg.toml; a wrong or unknown one
    stops the start.
    """


@hookspec
def torg_models() -> Iterable[type]:
    """Return the mapped classes; the host checks table prefix and foreign keys."""


@hookspec
def torg_blueprints() -> "Iterable[Blueprint]":
    """Return the blueprints that the host mounts below `/api/v1/<url_prefix>`.

    One with `at_root=True` stands at whole addresses, which `root_paths` of the manifest claim.
    """


@hookspec(firstresult=True)
def torg_authenticate(request: "Request") -> "Identity | None":
    """Say who is asking, on a request; the first answer that is not None wins.

    Runs inside the request's unit of work, only when the host does not remember the token. None
    means: not my kind of credentials.

    Raises:
        UnauthorizedError: the credentials are of the plugin's kind and are not valid.
    """


@hookspec
def torg_services() -> "Iterable[Service]":
    """Return implementations of the contracts that the manifest says the plugin provides."""


@hookspec
def torg_events() -> "Iterable[Event]":
    """Return the events that the plugin publishes, each with its version and schema."""


@hookspec
def torg_subscriptions() -> "Iterable[Subscription]":
    """Return handlers of events, of any plugin, with the phase in which they run."""


@hookspec
def torg_jobs() -> "Iterable[Job]":
    """Return the jobs that workers may run for the plugin; a handler may run more than once."""


@hookspec
def torg_schedules() -> "Iterable[Schedule]":
    """Return when which job is due: five-field cron in a zone, or an interval."""


@hookspec
def torg_mail_templates() -> "Iterable[MailTemplate]":
    """Return the mails that the plugin sends, each with a sample context for previews and tests."""


@hookspec
def torg_cli() -> "click.Group":
    """Return a command group; it appears as `torg <group name>` and runs in an app context."""


@hookspec
def torg_health() -> "Iterable[HealthCheck]":
    """Return checks that `/health/ready` runs, each with a time limit."""


@hookspec
def torg_demo_data(demo: "Demo") -> None:
    """Fill the demo through the plugin's own services; called once, inside a unit of work."""


@hookspec
def torg_data_export(identity_id: int) -> dict[str, Any]:
    """Return all that the plugin keeps about a person, as JSON values, when he asks for it."""


@hookspec
def torg_data_erase(identity_id: int) -> None:
    """Forget a person as far as others' records allow; runs inside the erasing transaction."""


@hookspec
def torg_on_enable() -> None:
    """Bring the plugin's rows in line after `torg db upgrade`; runs in a transaction, repeatable.

    Called for every active plugin after each upgrade, so it must change nothing the second time.
    """


@hookspec
def torg_on_disable(plugin: str) -> None:
    """Called on every active plugin when `plugin` is found switched off, in one transaction.

    A switched-off plugin's own code does not run any more, so it is the others who are told: to
    hide what they showed of it. Fires once, at the next start of a worker or `torg db upgrade`.
    """


@hookspec
def torg_before_purge(plugin: str) -> Iterable[str]:
    """Return reasons why the data of `plugin` must not be purged now; none means no objection."""


@hookspec
def torg_ready(app: "Flask") -> None:
    """Called last, when everything is mounted, for what needs the finished application.

    A plugin that raises here stays active; `torg plugins list` and `/health/ready` name it.
    """
