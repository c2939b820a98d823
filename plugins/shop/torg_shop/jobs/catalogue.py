"""Background work of the catalogue: small pictures, files that go, long exports."""

from datetime import timedelta
from typing import Any

from torg import i18n, outbox, storage
from torg.db import database_now
from torg.jobs import Job, JobRun
from torg.schedules import Schedule
from torg_shop.queries import export
from torg_shop.services import exporting, importing, media, popularity, recommendations

Payload = dict[str, Any]
_EXPORT_KEPT = timedelta(days=2)


def make_thumbnail(payload: Payload, _run: JobRun) -> None:
    """Make the small form of a picture."""
    media.make_thumbnail(payload["media_id"])


def remove_file(payload: Payload, _run: JobRun) -> None:
    """Take a file that no row names any more out of the storage."""
    storage.delete(payload["key"])


def export_all(payload: Payload, run: JobRun) -> Payload:
    """Write the catalogue into the storage, for the one who asked."""
    total = export.count()
    key, number = exporting.stored(
        payload["format"], lambda done: run.progress(min(done, total), total)
    )
    run.progress(total, total)
    outbox.enqueue("shop.remove_file", {"key": key}, key=key, run_at=database_now() + _EXPORT_KEPT)
    return {"file": key, "rows": number}


def import_table(payload: Payload, run: JobRun) -> Payload:
    """Take in the table that somebody has sent; taken in twice, it is still the same."""
    rows = importing.read(storage.get(payload["key"]).content)
    with i18n.use_locale(payload["locale"]):
        report = importing.run_apart(
            rows, dry_run=payload["dry_run"], told=lambda done: run.progress(done, len(rows))
        )
    return {**report.shown(), "dry_run": payload["dry_run"]}


def find_bought_together(_payload: Payload, _run: JobRun) -> Payload:
    """Reckon anew which products are bought together."""
    return {"pairs": recommendations.rebuild()}


def count_popularity(_payload: Payload, _run: JobRun) -> Payload:
    """Count anew how well each product sells."""
    return {"changed": popularity.rebuild()}


JOBS = (
    Job("shop.count_popularity", count_popularity, priority=outbox.BULK),
    Job("shop.find_bought_together", find_bought_together, priority=outbox.BULK),
    Job("shop.make_thumbnail", make_thumbnail),
    Job("shop.remove_file", remove_file, priority=outbox.BULK),
    Job("shop.export", export_all, limit_seconds=1800),
    Job("shop.import", import_table, limit_seconds=1800, max_attempts=3),
)
SCHEDULES = (
    Schedule("shop.count_popularity", "shop.count_popularity", cron="15 * * * *"),
    Schedule("shop.find_bought_together", "shop.find_bought_together", cron="30 3 * * *"),
)
