"""Runs of the market's jobs: chunk after chunk, each a transaction, until nothing is left.

A run may be killed anywhere: what was committed is done, its row says how far it came, and a repeat
with the same key goes on there. Any number of runs may overlap. A chunk that fails is done again in
pieces, so that the one dealer who cannot be served is found, and recorded.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from torg.db import database_now, in_transaction, is_retryable, session
from torg.errors import TorgError
from torg_autotrade.queries import supplying as supply_queries
from torg_autotrade.services import reviewing, selling, supplying
from torg_autotrade.services.market_context import Context, Outcome, RefusedError, settings

Result = TypeVar("Result")
Transaction = Callable[[Callable[[], Any]], Any]
KINDS = ("sales", "supply", "review")

_log = structlog.get_logger(__name__)
_STEPS = {"sales": selling.step, "supply": supplying.step, "review": reviewing.step}
_SLOTS = {"supply": supplying.SLOT_SECONDS, "review": reviewing.SLOT_SECONDS}
_PROBLEMS = (SQLAlchemyError, TorgError, ValueError, TypeError, ArithmeticError)
_MOST_TRIES = 100
_BEGIN = text("""
INSERT INTO autotrade_run AS r (kind, key, part, parts, now_at)
VALUES (:kind, :key, :part, :parts, :now)
ON CONFLICT (kind, key) DO UPDATE SET updated_at = clock_timestamp()
RETURNING id, cursor, now_at, seen, dealt, failed, finished_at
""")
_ADVANCE = text("""
UPDATE autotrade_run
   SET cursor = :cursor, seen = seen + :seen, dealt = dealt + :dealt, failed = failed + :failed,
       updated_at = clock_timestamp(),
       finished_at = CASE WHEN :is_last THEN clock_timestamp() END
 WHERE id = :id
""")


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did.

    Attributes:
        seen: offers or dealers looked at.
        dealt: deals made, or suppliers chosen anew.
        failed: dealers that stood aside.
        decisions: what a dry run would do.
        is_complete: whether a dry run has looked at all that waits.
    """

    kind: str
    now: datetime
    seen: int = 0
    dealt: int = 0
    failed: int = 0
    decisions: tuple[dict[str, Any], ...] = ()
    is_complete: bool = True

    def after(self, outcome: "Outcome", failed: int) -> "Report":
        """The report with one more chunk counted."""
        seen, dealt = self.seen + outcome.seen, self.dealt + outcome.dealt
        return replace(self, seen=seen, dealt=dealt, failed=self.failed + failed)


def inline(work: Callable[[], Result]) -> Result:
    """Do a chunk inside the caller's own unit of work, for whoever fills in data as a whole."""
    with session.begin_nested():
        return work()


def run(
    kind: str,
    *,
    now: datetime | None = None,
    key: str | None = None,
    part: int = 0,
    parts: int = 1,
    only: int | None = None,
    is_told: bool = True,
    transaction: Transaction = in_transaction,
) -> Report:
    """Run a job to its end.

    Args:
        kind: "sales", "supply" or "review".
        now: the moment that decides; None is the database's clock.
        key: makes it resumable: a repeat goes on where it stopped, and one that finished does
            nothing.
        part, parts: this share of the work: dealers by id, offers by model.
        only: one offer or dealer alone.
        is_told: whether people are told by mail.
        transaction: how a chunk is committed.
    """
    begun = transaction(lambda: _begun(kind, now, key, part, parts))
    report = Report(kind, begun.now_at, begun.seen, begun.dealt, begun.failed)
    if begun.finished_at is not None:
        return report
    context = Context(
        run_id=begun.id,
        now=begun.now_at,
        cursor=begun.cursor,
        limit=_limit(kind),
        is_moved=now is not None,
        part=part,
        parts=parts,
        only=only,
        is_told=is_told,
    )
    while True:
        failed_before = len(context.excluded)
        outcome = _chunk(kind, context, transaction)
        report = report.after(outcome, len(context.excluded) - failed_before)
        context.cursor = outcome.cursor
        if outcome.is_last:
            return report


def rehearse(kind: str, *, now: datetime | None = None, most: int = 1000) -> Report:
    """What the next run would do, with its decisions; nothing is locked and nothing written.

    Offers share the stock, and what one chunk sells is not there for the next one: so of offers
    one chunk is shown, and of dealers, who do not depend on each other, as many as give `most`
    decisions.
    """
    limit = most if kind == "sales" else settings().dealers_at_once
    context = Context(
        run_id=None, now=now or database_now(), cursor=0, limit=limit, is_moved=True, is_dry=True
    )
    report = Report(kind, context.now, is_complete=False)
    while not report.is_complete and len(report.decisions) < most:
        outcome = _STEPS[kind](context)
        context.cursor = outcome.cursor
        report = replace(
            report,
            seen=report.seen + outcome.seen,
            dealt=report.dealt + outcome.dealt,
            failed=len(context.excluded),
            decisions=(*report.decisions, *outcome.decisions),
            is_complete=outcome.is_last,
        )
    return report


def _limit(kind: str) -> int:
    return settings().offers_at_once if kind == "sales" else settings().dealers_at_once


def _begun(kind: str, now: datetime | None, key: str | None, part: int, parts: int) -> Any:
    moment = now or database_now()
    if key is None:
        number = session.execute(text("SELECT gen_random_uuid()::text")).scalar_one()
        key = f"once:{number}"
    asked = {"kind": kind, "key": key[:255], "part": part, "parts": parts, "now": moment}
    return session.execute(_BEGIN, asked).one()


def _chunk(kind: str, context: Context, transaction: Transaction) -> Outcome:
    try:
        return _tried(kind, context, transaction)
    except _PROBLEMS as error:
        if isinstance(error, SQLAlchemyError) and is_retryable(error):
            raise
        if context.limit == 1:
            return _passed_over(kind, context, transaction, error)
        _log.warning("autotrade_chunk_failed", kind=kind, cursor=context.cursor, error=str(error))
    # One at a time until the culprit has been found, then in full chunks again.
    usual, context.limit = context.limit, 1
    outcome = Outcome(context.cursor, 0, 0, is_last=False)
    excluded = len(context.excluded)
    for _ in range(usual):
        single = _chunk(kind, context, transaction)
        context.cursor = single.cursor
        outcome = Outcome(
            single.cursor,
            outcome.seen + single.seen,
            outcome.dealt + single.dealt,
            single.is_last,
        )
        if single.is_last or len(context.excluded) > excluded:
            break
    context.limit = usual
    return outcome


def _tried(kind: str, context: Context, transaction: Transaction) -> Outcome:
    """Do a chunk, again without those whom the ledger refuses."""

    def work() -> Outcome:
        outcome = _STEPS[kind](context)
        supply_queries.record_failures(context.errors, context.now)
        asked = {
            "id": context.run_id,
            "cursor": outcome.cursor,
            "seen": outcome.seen,
            "dealt": outcome.dealt,
            "failed": len(context.errors),
            "is_last": outcome.is_last,
        }
        session.execute(_ADVANCE, asked)
        return outcome

    for _ in range(_MOST_TRIES):
        try:
            outcome: Outcome = transaction(work)
        except RefusedError:
            continue
        context.errors.clear()
        return outcome
    raise RefusedError


def _passed_over(
    kind: str, context: Context, transaction: Transaction, error: Exception
) -> Outcome:
    """One offer or dealer alone has failed: record it on the dealer, and leave it for this run."""
    message = f"{kind}: {type(error).__name__}: {getattr(error, 'orig', None) or error}"
    _log.error("autotrade_dealer_failed", kind=kind, cursor=context.cursor, error=message)

    def work() -> Outcome:
        if kind == "sales":
            return _sale_passed_over(context, message)
        rows = supply_queries.dealers(
            kind,
            cursor=context.cursor,
            limit=1,
            slot=int(context.now.timestamp()) // _SLOTS[kind],
            currency=settings().currency,
            part=context.part,
            parts=context.parts,
            only=context.only,
            excluded=context.excluded,
            lock=False,
        )
        if not rows:
            return Outcome(context.cursor, 0, 0, is_last=True)
        context.fail(rows[0].id, message)
        supply_queries.record_failures(context.errors, context.now)
        return Outcome(rows[0].id, 1, 0, is_last=False)

    outcome: Outcome = transaction(work)
    context.errors.clear()
    return outcome


def _sale_passed_over(context: Context, message: str) -> Outcome:
    """Let the dealer who would have sold stand aside; the offer is tried again without him."""
    trial = replace(context, is_dry=True, is_moved=True)
    outcome = selling.step(trial)
    dealers = [each["dealer_id"] for each in outcome.decisions if "dealer_id" in each]
    for dealer_id in dealers:
        context.fail(dealer_id, message)
    supply_queries.record_failures(context.errors, context.now)
    # Without a dealer to blame the offer itself is passed over.
    cursor = context.cursor if dealers else outcome.cursor
    return Outcome(cursor, 0, 0, is_last=outcome.seen == 0)
