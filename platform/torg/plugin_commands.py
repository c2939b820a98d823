"""`torg plugins …`: list, info, new, check and purge.

Owns what these commands print and ask. Facts come from `torg.plugin_overview`, rules from
`torg.plugin_conformance`, removal from `torg.migration_purge`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from torg import deployment, migrate, plugin_overview
from torg.manifest import Manifest, discover
from torg.migration_commands import confirm_name, engine_of, say, settings_at_hand
from torg.migration_plan import MigrationError
from torg.migration_purge import PurgePlan, plan_purge, purge
from torg.migration_run import exclusive
from torg.plugin_overview import Line
from torg.plugins import registry

if TYPE_CHECKING:
    from torg.plugin_conformance import Finding

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def plugins() -> None:
    """List, make, check and purge plugins."""


@plugins.command("list")
@_json_option
def list_plugins(as_json: bool) -> None:
    """Show every plugin: version, state, and why."""
    overview = _overview()
    if as_json:
        _print_json([line.as_json() for line in overview.lines])
        return
    rows = [("NAME", "VERSION", "STATE", "REASON")]
    for line in overview.lines:
        version = line.manifest.version if line.manifest else "-"
        name = f"{line.name} (required)" if line.required else line.name
        rows.append((name, version, line.state, line.reason))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [row[column].ljust(widths[column]) for column in range(3)]
        click.echo("  ".join([*cells, row[3]]).rstrip())
    if not overview.lines:
        say("No plugin is installed. Next: torg plugins new NAME")


@plugins.command()
@click.argument("name")
@_json_option
def info(name: str, as_json: bool) -> None:
    """Show everything about one plugin."""
    line = _overview().find(name)
    facts = _facts(line)
    if as_json:
        _print_json(line.as_json() | facts)
        return
    for key, value in facts.items():
        for number, part in enumerate(value if isinstance(value, list) else [value]):
            click.echo(f"{key if number == 0 else '':<14} {part}".rstrip())


@plugins.command()
@click.argument("name")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where its folder is made; plugins/ when there is one, else here.",
)
def new(name: str, directory: Path | None) -> None:
    """Make a new plugin that works: a table, a route, a job and tests."""
    from torg import plugin_scaffold

    default = Path("plugins") if Path("plugins").is_dir() else Path()
    target = plugin_scaffold.make(name, directory or default)
    say(f"Next: pip install -e {target}")
    say(f"      torg plugins check {name}")
    say(f"      pytest {target}")
    say(f"      add {name} to TORG_PLUGINS or to plugins in torg.toml")
    click.echo(str(target))


@plugins.command("check")
@click.argument("names", nargs=-1)
@_json_option
def check_plugins(names: tuple[str, ...], as_json: bool) -> None:
    """Try the host's rules on installed plugins, on servers started for it."""
    from torg import plugin_conformance, testing_servers

    installed = discover()
    known = {each.name: each for each in installed}
    for name in names:
        if name not in known:
            raise migrate.unknown(name, known)
    environment = testing_servers.start()
    report: dict[str, list[dict[str, object]]] = {}
    failed = False
    try:
        for name in names or known:
            report[name] = []
            if not as_json:
                click.echo(f"{name} {known[name].version}")
            with tempfile.TemporaryDirectory(prefix="torg-check-") as folder:
                for finding in plugin_conformance.check(
                    known[name], installed, environment, Path(folder)
                ):
                    failed = failed or not finding.passed
                    _print_finding(finding, report[name], as_json=as_json)
    finally:
        environment.stop()
    if as_json:
        _print_json(report)
    if failed:
        sys.exit(1)


def _print_finding(finding: Finding, report: list[dict[str, object]], *, as_json: bool) -> None:
    report.append({"rule": finding.rule, "passed": finding.passed, "problems": finding.problems})
    if as_json:
        return
    mark = "✓" if finding.passed else "-" if finding.problems is None else "✗"
    click.echo(f"  {mark} {finding.rule}")
    for problem in finding.problems or ():
        click.echo("\n".join(f"      {line}" for line in problem.splitlines()))


@plugins.command("purge")
@click.argument("name")
@click.option("--plan", "only_plan", is_flag=True, help="Show what would go; change nothing.")
@click.option("--confirm", "typed", metavar="NAME", help="The name, typed, for scripts.")
@_json_option
def purge_plugin(name: str, only_plan: bool, typed: str | None, as_json: bool) -> None:
    """Remove all data of a plugin for good, also when its package is gone."""
    deployment.adopt_running_servers(os.environ)
    settings = settings_at_hand()
    streams = migrate.installed_streams(settings.host.plugins)
    with engine_of(settings) as engine:
        with engine.connect() as connection:
            planned = plan_purge(connection, name, streams)
        if planned.is_empty and name not in {stream.name for stream in streams}:
            raise migrate.unknown(name, [stream.name for stream in streams])
        objections = _objections(name)
        if only_plan:
            _print_purge(planned, objections, as_json=as_json)
            if not (planned.dependents or objections or planned.is_empty):
                say(f"Next: torg backup create, then torg plugins purge {name}")
            return
        if planned.is_empty:
            click.echo("{}" if as_json else f"The database holds nothing of {name}.")
            return
        if objections:
            raise MigrationError(f"plugin {name} must not be purged now", why="; ".join(objections))
        if not as_json:
            _print_purge(planned, objections, as_json=False)
        if not planned.dependents:
            confirm_name(name, typed)
        with exclusive(engine, say) as connection:
            removed = purge(connection, name, streams, say)
    if as_json:
        _print_json(removed.as_json())
    else:
        rows = _counted(sum(removed.tables.values()), "row")
        click.echo(f"Purged {name}: {_counted(len(removed.tables), 'table')} with {rows}.")


def _objections(name: str) -> list[str]:
    """What active plugins say against it, by the hook `torg_before_purge`."""
    overview = plugin_overview.overview(settings_at_hand())
    if overview.app is None:
        say(f"Warning: other plugins could not be asked; {'; '.join(overview.notes)}")
        return []
    found = []
    with overview.app.app_context():
        present = registry()
        for plugin in present.active():
            try:
                reasons = present.invoke(plugin, "torg_before_purge", plugin=name) or ()
            except Exception as error:
                # Whoever cannot be asked has not agreed.
                reasons = [f"it could not be asked: {type(error).__name__}: {error}"]
            found += [f"{plugin.name}: {reason}" for reason in reasons]
    return found


def _print_purge(planned: PurgePlan, objections: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        _print_json(planned.as_json() | {"objections": list(objections)})
        return
    click.echo(f"Purging {planned.plugin} would remove:")
    for table, rows in planned.tables.items():
        click.echo(f"  table {table}: {_counted(rows, 'row')}")
    for thing in planned.other:
        click.echo(f"  {thing}")
    for table, rows in planned.host_rows.items():
        click.echo(f"  {_counted(rows, 'row')} of the host's {table}")
    if planned.is_empty:
        click.echo("  nothing: the database holds nothing of it")
    for revision in planned.unwritten:
        click.echo(f"  note: {revision} has no stored SQL, its tables are dropped by name")
    for reason in (*planned.dependents, *objections):
        click.echo(f"  ✗ {reason}")


def _overview() -> plugin_overview.Overview:
    deployment.adopt_running_servers(os.environ)
    found = plugin_overview.overview(settings_at_hand())
    for note in found.notes:
        say(f"Note: {note}")
    return found


def _facts(line: Line) -> dict[str, object]:
    facts: dict[str, object] = {"name": line.name, "state": line.state}
    if line.reason:
        facts["reason"] = line.reason
    manifest = line.manifest
    if manifest is not None:
        facts |= {
            "title": manifest.title,
            "summary": manifest.summary,
            "version": manifest.version,
            "package": f"{manifest.package} in {manifest.path}",
            "docs": manifest.docs or "-",
            "hooks": manifest.api,
            "addresses": ", ".join(_addresses(manifest)) or "-",
            "requires": [f"{name} {range_}" for name, range_ in manifest.requires.items()],
            "after": list(manifest.after),
            "conflicts": list(manifest.conflicts),
            "provides": [f"{name} {version}" for name, version in manifest.provides.items()],
            "consumes": [
                f"{name} {each.versions}{' (optional)' if each.optional else ''}"
                for name, each in manifest.consumes.items()
            ],
            "permissions": [
                f"{each.name}: {', '.join(each.roles) or 'nobody by default'}"
                for each in manifest.permissions
            ],
        }
    if line.migrations is not None:
        facts["revision"] = line.migrations.current or "none"
        facts["pending"] = list(line.migrations.pending)
    facts["cost"] = (
        f"start {line.start_seconds * 1000:.0f} ms, hooks {line.hook_seconds * 1000:.0f} ms, "
        f"{line.hook_errors} errors"
    )
    return {key: value for key, value in facts.items() if value != []}


def _addresses(manifest: Manifest) -> list[str]:
    prefix = manifest.url_prefix
    return [*([f"/api/v1/{prefix}"] if prefix else []), *manifest.root_paths]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
