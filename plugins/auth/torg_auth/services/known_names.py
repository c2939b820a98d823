"""Usernames that this process has read within the last second.

Busy lists name the same few people again and again. Only requests that merely read look here; what
writes, a job or a mail reads the database. A username that changed is new here at once in the
process that changed it, and within `SECONDS` in every other.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from flask import current_app

from torg import db
from torg_auth.queries import people

SECONDS = 1.0
_MOST = 10_000
_EXTENSION = "torg_auth.known_names"
_now = time.monotonic


@dataclass
class _Known:
    until: float = 0.0
    names: dict[int, str] = field(default_factory=dict)


def names(ids: Collection[int]) -> Mapping[int, str]:
    """Usernames by id; unknown ids are absent. At most one statement."""
    if not db.is_autocommitting():
        return people.names(ids)
    known = _known()
    found = {each: known.names[each] for each in ids if each in known.names}
    missing = [each for each in ids if each not in found]
    if missing:
        read = people.names(missing)
        if len(known.names) + len(read) <= _MOST:
            known.names.update(read)
        found |= read
    return found


def forget() -> None:
    """A username changes: once that is committed, read all anew. Call it inside the change."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Flask's way
    db.after_commit(lambda: app.extensions.pop(_EXTENSION, None))


def _known() -> _Known:
    # A new object each second, so that a thread that still fills the old one does no harm.
    found: _Known | None = current_app.extensions.get(_EXTENSION)
    now = _now()
    if found is None or found.until <= now:
        found = current_app.extensions[_EXTENSION] = _Known(now + SECONDS)
    return found
