"""The host's rules for a plugin, tried out one by one on real servers made for it.

Owns the list of rules behind `torg plugins check`. Each is also kept somewhere at run time; here an
author sees all of them at once, before anybody installs the plugin.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import flask
from sqlalchemy.exc import SQLAlchemyError

from torg import config, db, migrate, plugin_imports, plugins, testing_people
from torg.command_errors import CommandError
from torg.config import SettingsError
from torg.manifest import GROUP, Manifest
from torg.migration_purge import plan_purge, purge
from torg.migration_run import exclusive
from torg.migration_streams import plugin_stream
from torg.operations import operations
from torg.plugins import StartError
from torg.resolution import State
from torg.testing_servers import Environment

_SCRATCH = f"torg_check_{os.getpid()}"
_METHODS = frozenset({"get", "post", "put", "patch", "delete"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule and what breaks it; `problems` is None when an earlier one kept it from running."""

    rule: str
    problems: Sequence[str] | None = ()

    @property
    def passed(self) -> bool:
        """Whether the rule was tried and is kept."""
        return self.problems is not None and not self.problems


@dataclass
class Trial:
    """One plugin on trial.

    Attributes:
        manifest: of the plugin.
        installed: manifests of all installed plugins.
        environment: servers on which a database is made for the trial.
        directory: a folder of the trial.
        app: the running application, once it has started.
    """

    manifest: Manifest
    installed: Sequence[Manifest]
    environment: Environment
    directory: Path
    app: flask.Flask | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self.manifest.name

    @property
    def running(self) -> flask.Flask:
        """The application."""
        if self.app is None:
            message = "the application has not started"
            raise AssertionError(message)
        return self.app


def check(
    manifest: Manifest, installed: Sequence[Manifest], environment: Environment, directory: Path
) -> Iterator[Finding]:
    """Try the rules one after the other; once one of the first ones breaks, the rest cannot run."""
    trial = Trial(manifest, installed, environment, directory)
    stopped = False
    with _scratch_database(trial):
        for rule, attempt, is_needed in _RULES:
            if stopped:
                yield Finding(rule, None)
                continue
            try:
                problems = list(attempt(trial))
            except (CommandError, SettingsError, StartError, SQLAlchemyError) as error:
                problems = [str(error)]
            yield Finding(rule, problems)
            stopped = bool(problems) and is_needed


@contextmanager
def _scratch_database(trial: Trial) -> Iterator[None]:
    trial.environment.create(_SCRATCH)
    try:
        yield
    finally:
        if trial.app is not None:
            with trial.app.app_context():
                db.session.remove()
                db.db.engine.dispose()
        trial.environment.drop(_SCRATCH)


def _manifest(trial: Trial) -> Iterable[str]:
    if trial.manifest.problem:
        yield trial.manifest.problem


def _documentation(trial: Trial) -> Iterable[str]:
    docs, path = trial.manifest.docs, trial.manifest.path
    if not trial.manifest.summary:
        yield "plugin.toml has no summary: say in a few words what the plugin is for"
    if not docs:
        yield 'plugin.toml names no docs; write a README and say docs = "README.md"'
    elif "://" in docs or any((each / docs).is_file() for each in (path, path.parent)):
        return
    elif not _is_described(trial.manifest.package):
        yield f"docs = {docs!r} is neither an address nor a file beside {path}"


def _is_described(package: str) -> bool:
    """Whether its distribution has a long text: a wheel keeps the README there and nowhere else."""
    return any(
        "Description" in entry.dist.metadata
        for entry in entry_points(group=GROUP)
        if entry.module == package and entry.dist is not None
    )


def _imports(trial: Trial) -> Iterable[str]:
    others = {each.package for each in trial.installed} - {trial.manifest.package}
    return plugin_imports.problems(trial.manifest.package, trial.manifest.path, others)


def _revision_files(trial: Trial) -> Iterable[str]:
    stream = plugin_stream(trial.manifest, enabled=True)
    return [stream.problem] if stream.problem else []


def _start(trial: Trial) -> Iterable[str]:
    """It starts with its requirements and, in place of accounts, the kit's people."""
    from torg.app import create_app

    names = _closure(trial.manifest, trial.installed)
    chosen = [each for each in trial.installed if each.name in names]
    extra = [] if any("users" in each.provides for each in chosen) else [testing_people.MODULE]
    reading = config.read(
        overrides={
            "database_url": trial.environment.url(_SCRATCH),
            "redis_url": trial.environment.redis_url,
            "data_dir": str(trial.directory),
            "plugins": sorted(names),
            "required_plugins": [],
            "debug": True,
            "log_level": "error",
        }
    )
    if reading.settings is None:
        raise SettingsError(reading.problems, reading.raw.read)
    trial.app = create_app(reading.settings, extra=extra)
    found = plugins.registry(trial.app).plugins[trial.name]
    if found.state in {State.ACTIVE, State.PENDING}:
        migrate.upgrade(trial.app)
    if found.state is not State.ACTIVE or found.reason:
        yield f"it is {found.state}: {found.reason}"


def _closure(manifest: Manifest, installed: Sequence[Manifest]) -> set[str]:
    """The plugin with what it requires, and somebody who provides each contract it needs."""
    known = {each.name: each for each in installed}
    names: set[str] = set()
    queue = [manifest.name]
    while queue:
        name = queue.pop()
        if name in names or name not in known:
            continue
        names.add(name)
        queue += known[name].requires
        for contract, consumed in known[name].consumes.items():
            providers = [each.name for each in installed if contract in each.provides]
            # The kit's people stand in for accounts.
            if not consumed.optional and contract != "users":
                queue += providers[:1]
    return names


def _routes(trial: Trial) -> Iterable[str]:
    app = trial.running
    if not any(each.plugin == trial.name for each in operations(app).values()):
        return
    answer = app.test_client().get(f"/openapi/{trial.name}.json")
    if answer.status_code != 200:
        detail = (answer.get_json(silent=True) or {}).get("detail", "")
        yield f"/openapi/{trial.name}.json answers {answer.status_code}: {detail}"
        return
    document: dict[str, Any] = answer.get_json()
    for path, methods in document["paths"].items():
        for method in _METHODS & set(methods):
            yield from _operation_problems(trial.name, f"{method.upper()} {path}", methods[method])


def _operation_problems(name: str, place: str, operation: dict[str, Any]) -> Iterable[str]:
    statuses = {str(status)[0] for status in operation.get("responses", {})}
    if not str(operation.get("operationId", "")).startswith(f"{name}_"):
        yield f"{place}: its operationId must begin with {name}_"
    if not operation.get("summary"):
        yield f"{place}: the view has no docstring, which is its summary"
    if "2" not in statuses and "3" not in statuses:
        yield f"{place}: it declares no good answer; say @blueprint.response(200, Schema)"
    if "4" not in statuses:
        yield f"{place}: it documents no answer of 4xx"


def _up_down_up(trial: Trial) -> Iterable[str]:
    app = trial.running
    streams = migrate.streams_of(app)
    with app.app_context():
        engine = db.db.engine
        migrate.downgrade(engine, streams, {trial.name: "base"})
        with engine.connect() as connection:
            left = plan_purge(connection, trial.name, streams)
        for thing in (*left.tables, *left.other):
            yield f"after a downgrade to base {thing} is still there"
    migrate.upgrade(app)


def _drift(trial: Trial) -> Iterable[str]:
    return migrate.check(trial.running, [trial.name]).drift.get(trial.name, ())


def _purge(trial: Trial) -> Iterable[str]:
    """The package counts as gone: the database must know by itself what to remove."""
    app = trial.running
    streams = [each for each in migrate.streams_of(app) if each.name != trial.name]
    told: list[str] = []
    with app.app_context(), exclusive(db.db.engine) as connection:
        planned = plan_purge(connection, trial.name, streams)
        for revision in planned.unwritten:
            yield f"the downgrade of {revision} reads the database, so no SQL could be stored"
        connection.rollback()
        purge(connection, trial.name, streams, told.append)
        if not plan_purge(connection, trial.name, streams).is_empty:
            yield "something of it is left after a purge"
        connection.rollback()
    yield from told


_RULES: tuple[tuple[str, Callable[[Trial], Iterable[str]], bool], ...] = (
    ("its manifest is valid", _manifest, True),
    ("it is documented", _documentation, False),
    ("it imports no other plugin", _imports, False),
    ("its revision files keep the rules", _revision_files, True),
    ("it starts with nothing but what it requires", _start, True),
    ("every route names who may call it and is documented", _routes, False),
    ("its migrations go up, down and up again", _up_down_up, True),
    ("its models and tables agree", _drift, False),
    ("all of its data can be purged without its package", _purge, False),
)
