"""The mails of accounts, each with a sample for its preview. Their words stand in `templates/`.

A code and its link are worked out from the deployment's key when the mail is rendered, so that
neither is ever written down in the queue.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from torg.config import plugin_settings, settings
from torg.mail import MailTemplate
from torg_auth.domain.codes import CODE_USE, Purpose, code_of, link_use
from torg_auth.settings import AuthSettings
from torg_auth.signing import keys, signed


def with_code(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Add `code` and `minutes` to the facts of an issued code.

    Raises:
        LookupError: the key that made the code is no longer among the accepted ones.
    """
    issued = facts["issued"]
    purpose = Purpose(issued["purpose"])
    key = keys(CODE_USE).find(issued["key_id"])
    if key is None:
        message = f"the key {issued['key_id']} that made this code is not accepted any more"
        raise LookupError(message)
    return {
        "code": code_of(key.secret, purpose, issued["user_id"], issued["nonce"]),
        "minutes": plugin_settings("auth", AuthSettings).code_minutes,
    }


def _with_code_and_link(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Add `link`, too: it does what the code does."""
    issued = facts["issued"]
    token = signed(link_use(Purpose(issued["purpose"])), [issued["id"], issued["nonce"]])
    page = plugin_settings("auth", AuthSettings).confirm_url or (
        f"{settings().host.base_url}/api/v1/auth/verify-email"
    )
    return {**with_code(facts), "link": f"{page}?{urlencode({'token': token})}"}


CONFIRM_EMAIL = MailTemplate(
    "auth.confirm_email",
    sample={
        "code": "482913",
        "minutes": 15,
        "link": "https://market.example/api/v1/auth/verify-email?token=sample",
    },
    urgent=True,
    complete=_with_code_and_link,
)
RESET_PASSWORD = MailTemplate(
    "auth.reset_password",
    sample={"code": "482913", "minutes": 15},
    urgent=True,
    complete=with_code,
)
ALREADY_REGISTERED = MailTemplate(
    "auth.already_registered", sample={"account": "anna", "confirmed": True, "closed": False}
)
PASSWORD_CHANGED = MailTemplate(
    "auth.password_changed",
    sample={"at": "2026-03-01T12:30:00Z", "device": "Firefox on Linux", "address": "192.0.2.7"},
)
TOKEN_REUSED = MailTemplate(
    "auth.token_reused",
    sample={"at": "2026-03-01T12:30:00Z", "device": "Firefox on Linux", "address": "192.0.2.7"},
)

PROFILE_CREATED = MailTemplate("auth.profile_created", sample={})
STATUS_CHANGED = MailTemplate(
    "auth.status_changed", sample={"text": "Back on Monday", "at": "2026-03-01T12:30:00Z"}
)

TEMPLATES = (
    CONFIRM_EMAIL,
    RESET_PASSWORD,
    ALREADY_REGISTERED,
    PASSWORD_CHANGED,
    TOKEN_REUSED,
    PROFILE_CREATED,
    STATUS_CHANGED,
)
CODE_MAILS = {Purpose.CONFIRM_EMAIL: CONFIRM_EMAIL, Purpose.RESET_PASSWORD: RESET_PASSWORD}
