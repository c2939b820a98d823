"""The history of a person's status, and all that accounts keep about him."""

from typing import Any

from sqlalchemy import select, text

from torg.db import session
from torg_auth.models_personal import StatusChange


def status_changes(user_id: int) -> Any:
    """The object rule of the history: one's own changes."""
    return select(StatusChange.id, StatusChange.text, StatusChange.created_at).where(
        StatusChange.user_id == user_id
    )


# Never a password's, token's, code's or key's hash: they are not about the person, and an export
# ends up in mailboxes and clouds.
_PARTS = {
    "account": "SELECT id, username, coalesce(email, claimed_email) AS email, email_verified_at,"
    " phone, phone_verified_at, display_name, about, country, locale, time_zone,"
    " verification_level, wants_announcements, status_text, created_at, updated_at"
    " FROM auth_user WHERE id = :id",
    "roles": "SELECT r.name, ur.is_active, ur.created_at, ur.updated_at FROM auth_user_role ur"
    " JOIN auth_role r ON r.id = ur.role_id WHERE ur.user_id = :id ORDER BY r.name",
    "sessions": "SELECT id, device_label, address, created_at, last_used_at, expires_at,"
    " revoked_at, revoked_because FROM auth_session WHERE user_id = :id"
    " ORDER BY id DESC LIMIT 10000",
    "api_keys": "SELECT id, name, prefix, scopes, created_at, expires_at, revoked_at"
    " FROM auth_api_key WHERE user_id = :id ORDER BY id",
    "external_identities": "SELECT provider, subject, email, created_at"
    " FROM auth_external_identity WHERE user_id = :id ORDER BY id",
    "status_history": "SELECT text, created_at FROM auth_user_status_change WHERE user_id = :id"
    " ORDER BY id DESC LIMIT 10000",
    "changes": "SELECT kind, old_value, CASE WHEN kind <> 'password' THEN new_value END"
    " AS new_value, created_at, applied_at, undone_at FROM auth_pending_change"
    " WHERE user_id = :id ORDER BY id DESC LIMIT 10000",
    "text_messages": "SELECT phone, created_at, sent_at FROM auth_text_message WHERE user_id = :id"
    " ORDER BY id DESC LIMIT 10000",
    "verification_requests": "SELECT id, level, status, reason, created_at, decided_at,"
    " expires_at FROM auth_verification_request WHERE user_id = :id ORDER BY id",
    "security_events": "SELECT id, kind, address, device_label, details, created_at"
    " FROM auth_security_event WHERE user_id = :id ORDER BY id DESC LIMIT 10000",
}


def everything_about(user_id: int) -> dict[str, list[dict[str, Any]]]:
    """What accounts keep about a person, newest first where lists may be long."""
    return {
        part: [dict(row) for row in session.execute(text(statement), {"id": user_id}).mappings()]
        for part, statement in _PARTS.items()
    }


_OF_VERIFICATION = text(
    "SELECT d.storage_key FROM auth_verification_document d"
    " JOIN auth_verification_request r ON r.id = d.request_id"
    " WHERE r.user_id = :id AND d.storage_key IS NOT NULL"
)


def document_files(user_id: int) -> list[str]:
    """Keys of the stored documents of a person."""
    return [row.storage_key for row in session.execute(_OF_VERIFICATION, {"id": user_id})]
