"""What nobody needs any more: the rows of runs that are over."""

from sqlalchemy import text

from torg.db import session

_FORGET = text("""
DELETE FROM autotrade_run WHERE id IN (
    SELECT id FROM autotrade_run
     WHERE updated_at < clock_timestamp() - make_interval(days => :days)
     ORDER BY id LIMIT 50000)
RETURNING id
""")


def forget_runs(days: int = 30) -> int:
    """Delete runs that nobody touched for so many days; returns how many."""
    return len(session.execute(_FORGET, {"days": days}).all())
