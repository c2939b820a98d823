"""The environment of every migration stream: the host's and each plugin's use this one file.

`torg.migration_run` hands over the stream, the connection and the recorder as attributes of the
configuration. Without them (`flask db …`) this is the host's own stream. No plugin ships an env.py.
"""

from alembic import context
from flask import current_app
from sqlalchemy import Connection

from torg.migration_record import Recorder
from torg.migration_run import exclusive, options, removals
from torg.migration_streams import Stream, host_stream

attributes = context.config.attributes
stream: Stream = attributes.get("stream") or host_stream()
chosen = options(stream, attributes.get("names", ()))
chosen["process_revision_directives"] = attributes.get("process_revision_directives")


def run(connection: Connection, recorder: Recorder | None) -> None:
    """Run the command on this connection, which must not be inside a transaction."""
    callbacks = [recorder] if recorder else []
    context.configure(connection=connection, on_version_apply=callbacks, **chosen)
    with context.begin_transaction():
        context.run_migrations()


def run_for_flask() -> None:
    """`flask db …`: the host's stream, under the same lock and with the same record."""
    with exclusive(current_app.extensions["migrate"].db.engine) as connection:
        run(connection, Recorder(connection, stream, removals(stream)))


if context.is_offline_mode():
    context.configure(
        dialect_name="postgresql",
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
        **chosen,
    )
    with context.begin_transaction():
        context.run_migrations()
elif "connection" in attributes:
    run(attributes["connection"], attributes.get("recorder"))
else:
    run_for_flask()
