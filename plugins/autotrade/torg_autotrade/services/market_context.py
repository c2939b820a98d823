"""What every run and service needs to know: the ledger, the currency, where a run stands."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from torg import config, contracts
from torg.db import database_now
from torg_autotrade.settings import AutotradeSettings
from torg_ledger import Ledger

SOURCE = "autotrade"
MOST_ERROR = 500


def settings() -> AutotradeSettings:
    """The section `[autotrade]`."""
    return config.plugin_settings("autotrade", AutotradeSettings)


def ledger() -> Ledger:
    """Who keeps the money."""
    found: Ledger = contracts.require("ledger", ">=1.1,<2")
    return found


@dataclass
class Context:
    """One run, as its chunks see it.

    Attributes:
        run_id: the row that keeps its progress; None for a dry run.
        now: the moment that decides. By default each chunk reads the database's clock under its
            locks; simulations bring a moment of their own (`is_moved`).
        is_moved: see there.
        cursor: the last id that was dealt with.
        limit: how many at once.
        part, parts: which share of the work is this run's.
        only: one offer or dealer alone.
        is_dry: whether everything is decided and nothing changed.
        is_told: whether people are told by mail.
        excluded: dealers that failed in this run and stand aside.
        refused: offers whose money the ledger would not give.
        errors: what to record, by dealer.
    """

    run_id: int | None
    now: datetime
    cursor: int
    limit: int
    is_moved: bool = False
    part: int = 0
    parts: int = 1
    only: int | None = None
    is_dry: bool = False
    is_told: bool = True
    excluded: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    errors: dict[int, str] = field(default_factory=dict)

    def look_at_clock(self) -> None:
        """Read the clock under the locks of a chunk, so that its moments follow one another."""
        if not self.is_moved:
            self.now = database_now()

    def fail(self, dealer_id: int, message: str) -> None:
        """Let a dealer stand aside for the rest of the run, and remember why."""
        self.excluded.add(dealer_id)
        self.errors[dealer_id] = message[:MOST_ERROR]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one chunk.

    Attributes:
        cursor: the last id that was dealt with.
        seen: offers or dealers looked at.
        dealt: deals made, or suppliers chosen anew.
        is_last: whether there was no more.
        decisions: what a dry run shows.
        dealers: whose deals these are; to find who failed.
    """

    cursor: int
    seen: int
    dealt: int
    is_last: bool
    decisions: list[dict[str, Any]] = field(default_factory=list)


class RefusedError(Exception):
    """The ledger refused part of a chunk: the chunk is rolled back and done again without it."""
