"""Forgetting what has served: sessions long over, codes long closed, changes long made."""

from sqlalchemy import text

from torg.db import session

# Sessions stay for a while after their end, so that a place counts as known and a stolen token that
# turns up late is still recognised as a used one.
_SESSIONS = text(
    "DELETE FROM auth_session WHERE id IN (SELECT id FROM auth_session"
    " WHERE greatest(last_used_at, coalesce(revoked_at, expires_at))"
    "  < clock_timestamp() - interval '180 days' ORDER BY id LIMIT 5000) RETURNING id"
)
_CODES = text(
    "DELETE FROM auth_one_time_code WHERE id IN (SELECT id FROM auth_one_time_code"
    " WHERE expires_at < clock_timestamp() - interval '7 days' ORDER BY id LIMIT 5000) RETURNING id"
)
# Former addresses and numbers are nobody's business once nothing can be undone any more.
_CHANGES = text(
    "DELETE FROM auth_pending_change WHERE id IN (SELECT id FROM auth_pending_change"
    " WHERE greatest(created_at, undo_until) < clock_timestamp() - interval '7 days'"
    " ORDER BY id LIMIT 5000) RETURNING id"
)
_TEXTS = text(
    "DELETE FROM auth_text_message WHERE id IN (SELECT id FROM auth_text_message"
    " WHERE created_at < clock_timestamp() - interval '7 days' ORDER BY id LIMIT 5000) RETURNING id"
)


def forget_old() -> int:
    """Delete a bounded number of each and return how many rows went."""
    statements = (_SESSIONS, _CODES, _CHANGES, _TEXTS)
    return sum(len(session.execute(statement).all()) for statement in statements)
