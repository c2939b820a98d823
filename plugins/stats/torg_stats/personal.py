"""What statistics keep about a person: his reports."""

from typing import Any

from sqlalchemy import delete, select

from torg.clock import format_moment
from torg.db import session
from torg_stats.models import Report


def export(identity_id: int) -> dict[str, Any]:
    """His reports, those he took away among them."""
    rows = session.scalars(select(Report).where(Report.owner_id == identity_id).order_by(Report.id))
    return {
        "reports": [
            {
                "name": each.name,
                "question": each.question,
                "schedule": each.schedule,
                "created_at": format_moment(each.created_at),
            }
            for each in rows
        ]
    }


def erase(identity_id: int) -> None:
    """Delete them; sums keep no person but as the key of a group, which his own plugin forgets."""
    session.execute(delete(Report).where(Report.owner_id == identity_id))
