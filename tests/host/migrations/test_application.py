"""An application knows from one statement what its database lacks, and never migrates by itself."""

import threading
from typing import Any

import pytest
from sqlalchemy import text

from torg import db, migrate, plugins
from torg.app import create_app
from torg.config import HostSettings, Settings


@pytest.fixture
def start(shell: Any, torg_environment: Any) -> Any:
    """Starts applications on the stage."""
    apps = []

    def starting(*names: str, **host: Any) -> Any:
        values = {
            "database_url": shell.stage.engine.url.render_as_string(hide_password=False),
            "redis_url": torg_environment.redis_url,
            "data_dir": str(shell.stage.folder),
            "debug": True,
            "log_level": "error",
            "plugins": names,
            **host,
        }
        app = create_app(Settings.build(HostSettings(**values)))
        apps.append(app)
        return app

    yield starting
    for app in apps:
        with app.app_context():
            db.session.remove()
            db.db.engine.dispose()


def state(app: Any, name: str) -> tuple[str, str]:
    """A plugin's state and reason in an application."""
    found = plugins.registry(app).plugins[name]
    return str(found.state), found.reason


def test_start_only_reads_and_upgrade_makes_plugins_active(
    shell: Any, start: Any, count_queries: Any
) -> None:
    stall = shell.install(shell.stage.plugin("stall"))
    stall.table(1, "stall_thing")
    app = start("stall")

    assert state(app, "stall") == ("pending", "migrations wait: stall_0001; run: torg db upgrade")
    assert shell.stage.tables() == set()
    assert migrate.pending(app)["stall"] == ["stall_0001"]

    assert migrate.upgrade(app)[-1] == "stall_0001"

    assert state(app, "stall") == ("active", "")
    with count_queries() as count:
        assert migrate.pending(app) == {}
    assert count.total == 1


def test_plugin_that_needs_a_pending_one_waits_with_it(shell: Any, start: Any) -> None:
    one = shell.install(shell.stage.plugin("one"))
    one.table(1, "one_thing")
    shell.install(shell.stage.plugin("two", 'requires = { one = ">=1" }'))
    app = start("one", "two")

    migrate.upgrade(app)

    assert state(app, "one")[0] == "active"
    assert state(app, "two")[0] == "active"


def test_database_that_is_ahead_quarantines_the_plugin_and_blocks_who_needs_it(
    shell: Any, start: Any
) -> None:
    one = shell.install(shell.stage.plugin("one"))
    one.table(1, "one_thing")
    newest = one.table(2, "one_more")
    shell.install(shell.stage.plugin("two", 'requires = { one = ">=1" }'))
    migrate.upgrade(start("one", "two"))
    newest.unlink()

    app = start("one", "two")

    assert state(app, "one")[0] == "quarantined"
    assert "one_0002" in state(app, "one")[1]
    assert state(app, "two")[0] == "blocked"


def test_disabled_plugin_is_not_pending(shell: Any, start: Any) -> None:
    shell.install(shell.stage.plugin("stall")).table(1, "stall_thing")

    assert set(migrate.pending(start())) == {"host"}


def test_host_starts_while_the_database_is_away(shell: Any, start: Any) -> None:
    stall = shell.install(shell.stage.plugin("stall"))
    stall.table(1, "stall_thing")

    app = start("stall", database_url="postgresql://nobody@127.0.0.1:1/none")

    assert state(app, "stall")[0] == "active"


def test_flask_db_works_on_the_host_with_its_record(shell: Any, start: Any) -> None:
    app = start()
    runner = app.test_cli_runner()

    for words in (["upgrade"], ["check"], ["downgrade"], ["upgrade"], ["current"]):
        result = runner.invoke(args=["db", *words])
        assert result.exit_code == 0, result.output

    assert shell.stage.applied("host") == [each.id for each in migrate.streams_of(app)[0].revisions]
    assert migrate.pending(app) == {}


def test_upgrade_under_load_refuses_nobody(shell: Any) -> None:
    stage = shell.stage
    stall = stage.plugin("stall")
    stall.table(1, "stall_thing")
    stage.upgrade(stall)
    with stage.engine.begin() as connection:
        connection.execute(text("INSERT INTO stall_thing SELECT generate_series(1, 1000000)"))
    stall.revision(
        2,
        """
        op.execute("ALTER TABLE stall_thing ADD COLUMN word text DEFAULT 'new'")
        with op.get_context().autocommit_block():
            op.execute("CREATE INDEX CONCURRENTLY ix_stall_thing_word ON stall_thing (word)")
        """,
    )
    stall.revision(
        3,
        """
        op.execute("ALTER TABLE stall_thing ADD CONSTRAINT ck_id CHECK (id > 0) NOT VALID")
        op.execute("ALTER TABLE stall_thing VALIDATE CONSTRAINT ck_id")
        """,
    )
    over = threading.Event()
    written: list[int] = []
    errors: list[BaseException] = []

    def trade(number: int) -> None:
        # The statements of the version before: they name no new column.
        try:
            with stage.engine.connect() as connection:
                while not over.is_set():
                    number += 10
                    connection.execute(
                        text("INSERT INTO stall_thing (id) VALUES (:id)"), {"id": number}
                    )
                    connection.execute(
                        text("SELECT id FROM stall_thing WHERE id = :id"), {"id": number}
                    )
                    connection.commit()
                    written.append(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=trade, args=(10_000_000 + each,)) for each in range(4)]
    for thread in threads:
        thread.start()
    try:
        done = stage.upgrade(stall)
    finally:
        over.set()
        for thread in threads:
            thread.join()

    assert done == ["stall_0002", "stall_0003"]
    assert errors == []
    with stage.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM stall_thing")) == 1_000_000 + len(
            written
        )
