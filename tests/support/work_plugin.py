"""A pretend plugin whose jobs leave traces, and an application of nothing but the host's jobs.

Shared by the tests of jobs and by the real worker processes that they start (`work_farm.py`).
"""

import os
import smtplib
import sys
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import flask
import structlog
from sqlalchemy import text

from torg import config, contracts, db, events, identity, jobs, logs, metrics, plugins, schedules
from torg.config import HostSettings, Settings
from torg.jobs import GiveUpError, Job, JobRun
from torg.manifest import Manifest
from torg.outbox import BULK, URGENT
from torg.schedules import Schedule

TABLE = "CREATE TABLE work_effect (job_id bigint, attempt int, note text, at timestamptz)"


def effect(run: JobRun, note: str = "") -> None:
    """A change in the database, as part of the job's transaction."""
    db.session.execute(
        text("INSERT INTO work_effect VALUES (:id, :attempt, :note, clock_timestamp())"),
        {"id": run.id, "attempt": run.attempt, "note": note},
    )


def note(payload: dict[str, Any], run: JobRun) -> None:
    """Leave a trace."""
    effect(run, payload.get("note", run.job))


def answer(payload: dict[str, Any], run: JobRun) -> dict[str, Any]:
    """Return a result."""
    effect(run)
    return {"sum": payload["a"] + payload["b"]}


def fail(payload: dict[str, Any], run: JobRun) -> None:
    """Change something and fail, as often as the payload says."""
    effect(run, "to be undone")
    if run.attempt <= payload.get("times", 1000):
        raise RuntimeError(payload.get("words", "it broke"))
    effect(run, "kept")


def give_up(_payload: dict[str, Any], _run: JobRun) -> None:
    """Fail for good."""
    raise GiveUpError("there is no such address")


def die(_payload: dict[str, Any], run: JobRun) -> None:
    """Take the process along."""
    effect(run)
    os._exit(9)


def end_itself(payload: dict[str, Any], run: JobRun) -> None:
    """Break the rule that only the host ends transactions."""
    effect(run, "before")
    getattr(db.session, payload["way"])()
    effect(run, "after")


def savepoint(_payload: dict[str, Any], run: JobRun) -> None:
    """Undo a part of the work."""
    with db.session.begin_nested() as part:
        effect(run, "undone")
        part.rollback()
    with db.session.begin_nested():
        effect(run, "kept")


def slow(payload: dict[str, Any], run: JobRun) -> None:
    """Take a while, and say how far it is."""
    steps = int(payload.get("steps", 10))
    for step in range(steps):
        run.progress(step, steps)
        time.sleep(payload.get("seconds", 1.0) / steps)
    run.progress(steps, steps)
    effect(run, "slow")


def follow_up(payload: dict[str, Any], run: JobRun) -> None:
    """Put another job in."""
    from torg import outbox

    outbox.enqueue("work.note", {"note": "follower"}, key=payload.get("key"))
    effect(run, logs.request_id() or "")


def send(payload: dict[str, Any], run: JobRun) -> None:
    """Send a mail, with an id that is the same in every attempt."""
    message = EmailMessage()
    message["Message-ID"] = f"<{payload['number']}@work.example>"
    message["From"], message["To"] = "work@work.example", "you@work.example"
    message.set_content("x")
    server = smtplib.SMTP("127.0.0.1", payload["port"], timeout=5)
    # Said good-bye to after the commit: only the server's answer may lie before it.
    db.after_commit(server.close)
    server.send_message(message)


JOBS = [
    Job("work.note", note),
    Job("work.urgent", note, priority=URGENT),
    Job("work.bulk", note, priority=BULK),
    Job("work.answer", answer),
    Job("work.fail", fail, max_attempts=3),
    Job("work.give_up", give_up),
    Job("work.die", die, max_attempts=2),
    Job("work.end_itself", end_itself, max_attempts=1),
    Job("work.savepoint", savepoint),
    Job("work.slow", slow),
    Job("work.short", slow, limit_seconds=1, max_attempts=1),
    Job("work.follow_up", follow_up),
    Job("work.send", send, max_attempts=200, longest_wait_seconds=4),
    Job("work.aside", note, queue="aside"),
]
SCHEDULES = [
    Schedule("work.each_second", "work.note", every_seconds=1),
    Schedule("work.each_two_seconds", "work.note", every_seconds=2, payload={"note": "two"}),
]
MANIFEST = Manifest(name="work", package=__name__, version="1", path=Path(__file__).parent)


def build(
    database_url: str,
    redis_url: str = "",
    *,
    with_plugin: bool = True,
    with_schedules: bool = False,
    **host: Any,
) -> flask.Flask:
    """An application with the host's jobs, and this plugin's unless it is to be off."""
    values = {"data_dir": "/tmp/torg-work", "debug": True, "log_level": "error", **host}
    settings = HostSettings(database_url=database_url, redis_url=redis_url, **values)
    app = flask.Flask("work")
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": 10}
    config.init(app, Settings.build(settings))
    logs.init(app)
    db.init(app)
    for part in (contracts, events, identity, jobs, schedules, metrics):
        part.init(app)
    module = sys.modules[__name__]
    plugins.init(app, [], extra=[module] if with_plugin else [])
    if with_plugin:
        for job in JOBS:
            jobs.register(app, "work", job)
        for schedule in SCHEDULES if with_schedules else ():
            schedules.register(app, "work", schedule)
    structlog.contextvars.clear_contextvars()
    return app
