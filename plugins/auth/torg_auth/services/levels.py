"""The verification level of an account, worked out from what is confirmed, in one place."""

from sqlalchemy import text

from torg.db import session
from torg.identity import bump_access

_RENEW = text(
    "UPDATE auth_user u SET verification_level = w.level FROM ("
    " SELECT v.id, CASE"
    "  WHEN EXISTS (SELECT FROM auth_verification_request r WHERE r.user_id = v.id"
    "   AND r.status = 'approved' AND r.expires_at > clock_timestamp()) THEN 3"
    "  WHEN v.phone IS NOT NULL THEN 2"
    "  WHEN v.email_verified_at IS NOT NULL THEN 1 ELSE 0 END AS level"
    " FROM auth_user v WHERE v.id = :user_id) w"
    " WHERE u.id = w.id AND u.verification_level <> w.level RETURNING u.id"
)


def renew_level(user_id: int) -> None:
    """Let the level be what is confirmed now; it counts from the next request on."""
    if session.execute(_RENEW, {"user_id": user_id}).scalar() is not None:
        bump_access(user_id)
