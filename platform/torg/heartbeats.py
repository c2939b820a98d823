"""Signs of life: each worker and scheduler process keeps one row fresh.

Owns the table and its three verbs. Processes call `beat` every few seconds; `torg.health` and
`torg doctor` read `latest`. The database's clock alone decides how old a sign is.
"""

import os
import socket
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from torg.db import Base, session

BEAT_SECONDS = 5.0
GONE_SECONDS = 3600.0  # rows of processes that were killed and never came back


class HeartbeatRow(Base):
    """One living process."""

    __tablename__ = "torg_heartbeat"

    process: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


@dataclass(frozen=True, slots=True)
class Sign:
    """The freshest sign of life of one kind of process."""

    kind: str
    processes: int
    age_seconds: float


def process_name() -> str:
    """A name that no other living process has: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


def beat(kind: str, process: str | None = None) -> None:
    """Say that this process lives, in the present unit of work.

    Args:
        kind: "worker" or "scheduler".
        process: its name; `process_name()` by default.
    """
    session.execute(_BEAT, {"process": process or process_name(), "kind": kind})
    session.execute(_SWEEP, {"gone": GONE_SECONDS})


def leave(process: str | None = None) -> None:
    """Take the sign away at an orderly end."""
    session.execute(_LEAVE, {"process": process or process_name()})


def latest(fresh_seconds: float) -> dict[str, Sign]:
    """By kind: the age of the freshest sign, and how many processes are fresh."""
    rows: Any = session.execute(_LATEST, {"fresh": fresh_seconds}).all()
    return {kind: Sign(kind, processes, float(age)) for kind, processes, age in rows}


_BEAT = text(
    """
    INSERT INTO torg_heartbeat (process, kind) VALUES (:process, :kind)
    ON CONFLICT (process) DO UPDATE SET kind = excluded.kind, seen_at = clock_timestamp()
    """
)
_SWEEP = text(
    "DELETE FROM torg_heartbeat WHERE seen_at < clock_timestamp() - make_interval(secs => :gone)"
)
_LEAVE = text("DELETE FROM torg_heartbeat WHERE process = :process")
_LATEST = text(
    """
    SELECT kind,
           count(*) FILTER (WHERE seen_at > clock_timestamp() - make_interval(secs => :fresh)),
           min(extract(epoch FROM clock_timestamp() - seen_at))
    FROM torg_heartbeat GROUP BY kind
    """
)
