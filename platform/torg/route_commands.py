"""`torg routes` and `torg openapi`: what the API offers, as a list and as documents.

Both describe the code, so they work without a running database and without secrets. The documents
themselves are `openapi`'s.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import click

from torg import config, config_sources, deployment
from torg.command_errors import CommandError

_HIDDEN_METHODS = frozenset({"HEAD", "OPTIONS"})


@click.command()
@click.option("--plugin", help="Only routes of this plugin; host for the host's own.")
@click.option("--json", "as_json", is_flag=True, help="A list of objects.")
def routes(plugin: str | None, as_json: bool) -> None:
    """List the routes of the API with their methods and operations."""
    app = _application()
    rows = [
        {"methods": sorted(set(rule.methods or ()) - _HIDDEN_METHODS), "path": rule.rule}
        | _owner(app, rule.endpoint)
        for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule)
    ]
    if plugin is not None:
        rows = [row for row in rows if row["plugin"] == plugin]
        if not rows:
            raise _no_routes(app, plugin)
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        methods = ",".join(str(each) for each in row["methods"])
        click.echo(f"{methods:<12} {row['path']:<60} {row['plugin']}")


@click.command()
@click.option("--plugin", help="Only this plugin's document.")
@click.option("--postman", is_flag=True, help="A Postman collection instead.")
@click.option("--out", type=click.Path(path_type=Path), help="Write it there instead.")
def openapi(plugin: str | None, postman: bool, out: Path | None) -> None:
    """Print the API document of the enabled plugins."""
    if plugin is not None and postman:
        raise click.UsageError("The Postman collection is of all plugins: leave --plugin out.")
    path = "/postman.json" if postman else f"/openapi/{plugin}.json" if plugin else "/openapi.json"
    answer = _application().test_client().get(path)
    if answer.status_code != 200:
        enabled = ", ".join(config.load(overrides=_stand_ins()).host.plugins) or "none"
        raise CommandError(
            f"there is no document {path}",
            why=f"enabled plugins: {enabled}",
            next_steps=("torg plugins list", "set TORG_PLUGINS"),
        )
    text = json.dumps(answer.get_json(), indent=2, ensure_ascii=False)
    if out is None:
        click.echo(text)
        return
    out.write_text(f"{text}\n", encoding="utf-8")
    click.echo(f"Written: {out}", err=True)


def _no_routes(app: Any, plugin: str) -> CommandError:
    from torg import plugins

    known = plugins.registry(app).plugins
    found = known.get(plugin)
    near = config_sources.nearest(plugin, ["host", *known])
    if found is not None:
        why = found.reason or f"it is {found.state}"
    else:
        why = f"no plugin has this name{f'; did you mean {near}?' if near else ''}"
    return CommandError(
        f"there are no routes of {plugin}", why=why, next_steps=("torg plugins list",)
    )


def _application() -> Any:
    return deployment.application(config.load(overrides=_stand_ins()))


def _stand_ins() -> dict[str, object]:
    """What a description of the code does not depend on, where nothing is configured."""
    raw = config.read().raw.host
    values: dict[str, object] = {"docs_enabled": True, "log_level": "error"}
    if "secret_key" not in raw or not raw["secret_key"].value:
        values["secret_key"] = secrets.token_urlsafe(48)
    if "database_url" not in raw or not raw["database_url"].value:
        values["database_url"] = "postgresql://nobody@127.0.0.1:1/none"
    return values


def _owner(app: Any, endpoint: str) -> dict[str, str]:
    """The plugin whose blueprint a route belongs to; the host's own have none."""
    from torg import plugins

    name = endpoint.partition(".")[0]
    known = plugins.registry(app).plugins
    return {"plugin": name if name in known and "." in endpoint else "host", "endpoint": endpoint}
