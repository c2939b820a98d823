"""The verification level as it is at this very moment."""

#: SQL over `auth_user u`: an approval whose end has come counts no more, even if no job has
#: noticed yet.
LEVEL_NOW = (
    "CASE WHEN u.verification_level < 3 OR EXISTS ("
    " SELECT FROM auth_verification_request r WHERE r.user_id = u.id"
    " AND r.status = 'approved' AND r.expires_at > clock_timestamp()) THEN u.verification_level"
    " WHEN u.phone IS NOT NULL THEN 2"
    " WHEN u.email_verified_at IS NOT NULL THEN 1 ELSE 0 END AS verification_level"
)
