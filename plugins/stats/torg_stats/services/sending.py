"""Reports by mail: the largest numbers and a link to all of them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from torg import config, contracts
from torg.db import session
from torg.errors import TorgError
from torg.i18n import gettext, use_locale
from torg_stats import emails
from torg_stats.domain.figures import written
from torg_stats.models import Report
from torg_stats.services import catalogue, reports
from torg_stats.services.answering import Answer
from torg_stats.services.tables import money_of


def send_report(report_id: int, occasion: str) -> None:
    """Queue the mail of a report, once for an occasion; nothing when it is deleted meanwhile."""
    found = session.execute(
        select(*Report.__table__.columns).where(Report.id == report_id, Report.is_active)
    ).one_or_none()
    contacts = {} if found is None else contracts.require("users").contacts([found.owner_id])
    if found is None or found.owner_id not in contacts:
        return
    period = reports.period_of(found.question)
    facts: dict[str, Any] = {
        "name": found.name,
        "first": period.first.isoformat(),
        "last": (period.end - timedelta(days=1)).isoformat(),
        "zone": period.zone,
        "rows": [],
        "more": 0,
        "problem": "",
        "link": f"{config.settings().host.base_url}/api/v1/stats/reports/{found.id}",
    }
    with use_locale(contacts[found.owner_id].locale):
        try:
            # A statement that fails ends a transaction; the mail is still to be queued.
            with session.begin_nested():
                facts |= _rows(reports.answered(found))
        except TorgError as error:
            # A right that was taken away, a plugin that was switched off: the owner reads why.
            facts["problem"] = _problem(found.question, error)
    emails.tell(found.owner_id, facts, key=f"{report_id}:{occasion}")


def _problem(question: Mapping[str, Any], error: TorgError) -> str:
    """Why there are no numbers, in the reader's language."""
    present = catalogue.metrics()
    gone = [name for name in question["metric"] if name not in present]
    if gone:
        return gettext("Nobody counts {names} any more.", names=", ".join(gone))
    return error.message(gettext(error.detail))


def _rows(answer: Answer) -> dict[str, Any]:
    rows = [
        [
            ", ".join([gettext(each.metric.title), *each.names]),
            " ".join(filter(None, (written(each.total, money_of(each)) or "–", each.currency))),
        ]
        for each in answer.series[: emails.MOST_LINES]
    ]
    return {"rows": rows, "more": len(answer.series) - len(rows) + answer.left_out}
