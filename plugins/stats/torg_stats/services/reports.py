"""Kept reports: written down, and sent by mail when they are due or asked for."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from torg import contracts, outbox
from torg.db import database_now, session
from torg.errors import NotFoundError
from torg_stats.domain.periods import Period, today_in
from torg_stats.domain.reports import next_due
from torg_stats.errors import ReportsFullError
from torg_stats.models import Report
from torg_stats.services import answering, asking
from torg_stats.services.asking import Question, Viewer

MOST_REPORTS = 100
AT_ONCE = 50
# One at a time for each person: else several at once would each find room for the last one.
_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('stats.report', :owner_id))")


def create(owner: Viewer, words: Mapping[str, Any]) -> int:
    """Keep a report; returns its id.

    Raises:
        QuestionRefusedError: the question cannot be answered.
        ReportsFullError: he keeps as many as he may.
    """
    question_of(words["question"])
    session.execute(_ALONE, {"owner_id": owner.id})
    kept = select(func.count(Report.id)).where(Report.owner_id == owner.id, Report.is_active)
    if (session.scalar(kept) or 0) >= MOST_REPORTS:
        raise ReportsFullError(most=MOST_REPORTS)
    due = next_due(words["schedule"], words["question"]["tz"], database_now())
    made = insert(Report).values(owner_id=owner.id, due_at=due, **words).returning(Report.id)
    report_id: int = session.scalars(made).one()
    return report_id


def change(owner: Viewer, report_id: int, words: Mapping[str, Any]) -> None:
    """Change what is given; it is due anew by its schedule.

    Raises:
        NotFoundError: it is not his.
        QuestionRefusedError: the question cannot be answered.
    """
    report = locked(owner, report_id)
    question = words.get("question", report.question)
    question_of(question)
    schedule = words.get("schedule", report.schedule)
    due = next_due(schedule, question["tz"], database_now())
    session.execute(
        update(Report)
        .where(Report.id == report_id, Report.owner_id == owner.id)
        .values(**words, due_at=due, updated_at=func.clock_timestamp())
    )


def remove(owner: Viewer, report_id: int) -> None:
    """Take one's report away; it is sent no more.

    Raises:
        NotFoundError: it is not his.
    """
    locked(owner, report_id)
    session.execute(
        update(Report)
        .where(Report.id == report_id, Report.owner_id == owner.id)
        .values(is_active=False, updated_at=func.clock_timestamp())
    )


def locked(owner: Viewer, report_id: int) -> Any:
    """One's report, locked.

    Raises:
        NotFoundError: it is not his.
    """
    asked = select(*Report.__table__.columns).where(
        Report.id == report_id, Report.owner_id == owner.id, Report.is_active
    )
    found = session.execute(asked.with_for_update()).one_or_none()
    if found is None:
        raise NotFoundError
    return found


def question_of(words: Mapping[str, Any]) -> Question:
    """The question about the days before today.

    Raises:
        QuestionRefusedError: it cannot be answered.
    """
    asking.require_zone(words["tz"])
    period = period_of(words)
    return asking.question({**words, "from_": period.first, "to": period.end}, period.end)


def period_of(words: Mapping[str, Any]) -> Period:
    """The whole days before today."""
    end = today_in(words["tz"], database_now())
    return Period(end - timedelta(days=words["days"]), end, words["tz"])


def answered(report: Any) -> answering.Answer:
    """The report's answer for its owner, with the rights that he has now.

    Raises:
        QuestionRefusedError, NotYourFiguresError: it cannot be answered any more.
    """
    permissions = contracts.require("users", ">=1.1,<2").permissions(report.owner_id)
    return answering.answer(question_of(report.question), Viewer(report.owner_id, permissions))


def send_now(report_id: int) -> None:
    """Queue a report's mail for this moment."""
    occasion = database_now().isoformat()
    outbox.enqueue("stats.send_report", {"report_id": report_id, "occasion": occasion})


def due() -> list[Any]:
    """Some reports whose time has come, locked, and moved on to their next time."""
    now = database_now()
    asked = (
        select(*Report.__table__.columns)
        .where(Report.schedule != "none", Report.due_at <= now, Report.is_active)
        .order_by(Report.due_at)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    found = list(session.execute(asked))
    for each in found:
        following = next_due(each.schedule, each.question["tz"], now)
        session.execute(update(Report).where(Report.id == each.id).values(due_at=following))
    return found
