"""Background work: each handler runs in a transaction of its own and may run more than once."""

from typing import Any

from torg.jobs import Job, JobRun

from torg_guestbook import services


def _count_words(payload: dict[str, Any], _run: JobRun) -> dict[str, Any]:
    return {"words": services.count_words(payload["note_id"])}


COUNT_WORDS = Job("guestbook.count_words", _count_words)
