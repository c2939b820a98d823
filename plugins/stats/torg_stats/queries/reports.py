"""Kept reports as their owner sees them."""

from typing import Any

from sqlalchemy import Row, select

from torg.db import session
from torg.errors import NotFoundError
from torg.listing import Listing
from torg_stats.models import Report


class ReportListing(Listing):
    """Reports; the newest first unless asked otherwise."""

    key = Report.id
    sorts = {"name": Report.name, "created_at": Report.created_at}  # noqa: RUF012 - declared so by the host
    default_sort = "-id"


_COLUMNS = select(
    Report.id,
    Report.name,
    Report.question,
    Report.schedule,
    Report.due_at,
    Report.is_active,
    Report.created_at,
    Report.updated_at,
).where(Report.is_active)


def page(arguments: dict[str, Any], owner_id: int) -> Any:
    """A page of somebody's reports."""
    return ReportListing.page(_COLUMNS.where(Report.owner_id == owner_id), arguments)


def show(report_id: int, owner_id: int) -> Row[Any]:
    """One report.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    asked = _COLUMNS.where(Report.id == report_id, Report.owner_id == owner_id)
    found = session.execute(asked).one_or_none()
    if found is None:
        raise NotFoundError
    return found
