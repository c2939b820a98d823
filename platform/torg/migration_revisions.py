"""Writing the next revision of a stream from its models, for developers.

Owns the name and the place of the new file; comparing is Alembic's, kept to the stream's tables.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flask
from alembic import command

from torg import db, migrate
from torg.migration_plan import MigrationError
from torg.migration_run import configuration, exclusive
from torg.migration_streams import Stream, names_of


def write(app: flask.Flask, name: str, message: str, *, empty: bool = False) -> Path | None:
    """Write the next revision of a stream and return its file; None when nothing differs.

    Args:
        app: an application with the plugin enabled.
        name: the plugin, or `host`.
        message: what it does; the first line of its docstring and part of the file's name.
        empty: write it without comparing models and tables.

    Raises:
        MigrationError: the plugin is not running here, or its database is not up to date.
    """
    streams = migrate.streams_of(app)
    stream = next((each for each in streams if each.name == name), None)
    if stream is None:
        raise migrate.unknown(name, names_of(streams))
    state = migrate.states(app)[name]
    if state.state != "current":
        raise MigrationError(
            f"{name} is {state.state}, and a revision is written from an up-to-date database",
            why=state.problem,
            next_steps=("torg db upgrade", f"torg plugins info {name}"),
        )
    stream.folder.mkdir(parents=True, exist_ok=True)
    with app.app_context(), exclusive(db.db.engine) as connection:
        config = configuration(
            stream,
            {
                "connection": connection,
                "names": names_of(streams),
                "process_revision_directives": _drop_empty if not empty else None,
            },
        )
        config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
        made = command.revision(config, message, autogenerate=not empty, rev_id=_next(stream))
    scripts = made if isinstance(made, list) else [made]
    return next((Path(script.path) for script in scripts if script is not None), None)


def _next(stream: Stream) -> str:
    newest = stream.revisions[-1].id if stream.revisions else f"{stream.name}_0000"
    return f"{stream.name}_{int(newest.rpartition('_')[2]) + 1:04}"


def _drop_empty(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """A revision that does nothing is not worth a file."""
    if directives[0].upgrade_ops.is_empty():
        directives[:] = []
