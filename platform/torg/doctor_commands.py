"""`torg doctor`: looks at every part of a deployment and says what to do about each trouble.

Owns the list of findings and their words; the parts' checks are those of `/health/ready`
(`health_checks`), here with the causes that a public answer must not show.
"""

from __future__ import annotations

import json
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import click
import psycopg2
from sqlalchemy.exc import OperationalError

from torg import config, deployment
from torg.command_errors import CommandError
from torg.config import Settings, SettingsError

_CLOCK_SECONDS = 2.0
_DISK_WARNING_BYTES = 2 * 1024**3
_DISK_FAILURE_BYTES = 200 * 1024**2
_MARKS = {"ok": "[ok]  ", "degraded": "[warn]", "failing": "[FAIL]"}
_MENDS = {
    "migrations": "torg db plan, then: torg db upgrade",
    "plugins": "torg plugins list",
    "redis": "see that the server of TORG_REDIS_URL runs; jobs and requests go on without it",
    "worker": "torg run worker      or: docker compose up -d worker",
    "scheduler": "torg run scheduler   or: docker compose up -d scheduler",
    "queue": "torg jobs list --state queued",
    "mail": "see TORG_MAIL_URL; mails wait and are tried again",
    "storage": "see that the folder of TORG_STORAGE_URL exists and can be written",
}


@dataclass(frozen=True)
class Finding:
    """What was found about one part.

    Attributes:
        status: `ok`, `degraded` (limps) or `failing`.
        mend: The next command or action; empty when all is well.
    """

    name: str
    status: str
    detail: str = ""
    mend: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A list of findings on standard output.")
@click.option(
    "--alive",
    type=click.Choice(["worker", "scheduler"]),
    help="Only whether this process of this machine has given a sign of life lately.",
)
def doctor(as_json: bool, alive: str | None) -> None:
    """Check settings, database, Redis, processes, mail, files, clock and disk."""
    if alive is not None:
        sys.exit(0 if is_alive(alive) else 1)
    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            click.echo(_line(finding))
    bad = [each for each in findings if each.status == "failing"]
    limping = [each for each in findings if each.status == "degraded"]
    if as_json:
        click.echo(json.dumps([asdict(each) for each in findings]))
    else:
        click.echo(f"{len(bad)} failed, {len(limping)} warnings", err=True)
    sys.exit(1 if bad else 0)


def examine() -> Iterator[Finding]:
    """Look at one part after the other; what needs a failed part is left out."""
    try:
        # The findings say it all; log lines between them would only disturb.
        settings = config.load(overrides={"log_level": "error"})
    except SettingsError as error:
        yield Finding("settings", "failing", str(error), "torg config check")
        return
    sources = ", ".join(settings.raw.read) or "defaults"
    count = len(settings.host.plugins)
    yield Finding("settings", "ok", f"{sources}; {count} plugins enabled")
    yield _disk(settings)
    database = list(_database(settings))
    yield from database
    if any(each.status == "failing" for each in database):
        return
    try:
        app = deployment.application(settings)
    except CommandError as error:
        yield Finding("start", "failing", error.what, " | ".join(error.next_steps))
        return
    yield from _parts(app)


def is_alive(kind: str) -> bool:
    """Whether a process of this kind on this machine gave a sign within the last half minute.

    A database that is away proves nothing against the process, so it counts as alive then.
    """
    address = config.load().host.database_url.replace("+psycopg2", "", 1)
    try:
        connection = psycopg2.connect(address, connect_timeout=5)
    except psycopg2.OperationalError:
        return True
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT FROM torg_heartbeat WHERE kind = %s"
                " AND starts_with(process, %s || ':')"
                " AND seen_at > clock_timestamp() - interval '30 seconds')",
                (kind, socket.gethostname()),
            )
            return bool(cursor.fetchone()[0])
    finally:
        connection.close()


def _parts(app: Any) -> Iterator[Finding]:
    from torg import health, plugins

    for part in health.readiness(app).parts:
        if part.name == "database":
            continue
        detail = part.detail or f"{part.milliseconds:.0f} ms"
        mend = "" if part.status == "ok" else _MENDS.get(part.name, "see the log of the web server")
        yield Finding(part.name, part.status, detail, mend)
    for plugin in plugins.registry(app).plugins.values():
        if plugin.reason:
            status = "ok" if plugin.state == "disabled" else "degraded"
            yield Finding(f"plugin {plugin.name}", status, f"{plugin.state}: {plugin.reason}")


def _database(settings: Settings) -> Iterator[Finding]:
    """The server, its answer time, its clock against ours and the rights of our role."""
    url = settings.host.database_url
    if not url:
        error = deployment.no_database()
        yield Finding("database", "failing", error.where, error.next_steps[0])
        return
    started = time.perf_counter()
    try:
        connection = psycopg2.connect(url.replace("+psycopg2", "", 1), connect_timeout=5)
    except psycopg2.OperationalError as error:
        away = deployment.database_away(OperationalError("", {}, error), settings)
        yield Finding("database", "failing", f"{away.where}: {away.why}", away.next_steps[0])
        return
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT clock_timestamp(), current_setting('server_version'), current_user,"
                " (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
            )
            moment, version, role, superuser = cursor.fetchone()
    finally:
        connection.close()
    milliseconds = (time.perf_counter() - started) * 1000
    yield Finding("database", "ok", f"PostgreSQL {version} as {role}, {milliseconds:.0f} ms")
    if superuser:
        mend = "use a role that owns the database and is no superuser"
        yield Finding("database role", "degraded", f"{role} is a superuser", mend)
    yield _clock(moment)


def _clock(moment: datetime) -> Finding:
    apart = abs((datetime.now(UTC) - moment).total_seconds())
    if apart > _CLOCK_SECONDS:
        detail = f"this machine and the database are {apart:.0f} s apart"
        return Finding("clock", "degraded", detail, "switch time synchronisation on (NTP)")
    return Finding("clock", "ok", "agrees with the database")


def _disk(settings: Settings) -> Finding:
    folder = settings.host.data_dir
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1024**3:.1f} GiB free in {folder}"
    if free < _DISK_FAILURE_BYTES:
        return Finding("disk", "failing", detail, "make room before the database stops")
    if free < _DISK_WARNING_BYTES:
        return Finding("disk", "degraded", detail, "make room soon")
    return Finding("disk", "ok", detail)


def _line(finding: Finding) -> str:
    text = f"{_MARKS[finding.status]} {finding.name:<14} {finding.detail}"
    return f"{text}\n       {'':<14} Next: {finding.mend}" if finding.mend else text
