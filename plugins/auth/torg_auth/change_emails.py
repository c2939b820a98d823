"""The mails about changes, devices and verification. Their words stand in `templates/`.

As with all codes and links, nothing secret waits in the queue: `complete` works it out.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from torg.config import plugin_settings, settings
from torg.mail import MailTemplate
from torg_auth.emails import with_code
from torg_auth.settings import AuthSettings
from torg_auth.signing import signed

UNDO_USE = "undo change"


def undo_link(change_id: int, nonce: str) -> str:
    """The link that takes a change back, once."""
    page = plugin_settings("auth", AuthSettings).undo_url or (
        f"{settings().host.base_url}/api/v1/auth/me/changes/undo"
    )
    return f"{page}?{urlencode({'token': signed(UNDO_USE, [change_id, nonce])})}"


def _with_undo_link(facts: Mapping[str, Any]) -> dict[str, Any]:
    undo = facts["undo"]
    return {"link": undo_link(undo["id"], undo["nonce"]) if undo else ""}


CONFIRM_CHANGE = MailTemplate(
    "auth.confirm_change",
    sample={
        "change": {"kind": "email", "account": "anna", "new": "anna@new.example"},
        "code": "482913",
        "minutes": 15,
    },
    urgent=True,
    complete=with_code,
)
CHANGE_UNDO = MailTemplate(
    "auth.change_undo",
    sample={
        "change": {
            "kind": "email",
            "account": "anna",
            "old": "anna@example.org",
            "new": "an…@new.example",
        },
        "at": "2026-03-01T12:30:00Z",
        "device": "Firefox on Linux",
        "address": "192.0.2.7",
        "hours": 72,
        "link": "https://market.example/api/v1/auth/me/changes/undo?token=sample",
    },
    complete=_with_undo_link,
)
NEW_DEVICE = MailTemplate(
    "auth.new_device",
    sample={"at": "2026-03-01T12:30:00Z", "device": "Firefox on Linux", "address": "192.0.2.7"},
)
VERIFICATION_DECIDED = MailTemplate(
    "auth.verification_decided",
    sample={
        "decision": {"status": "approved", "until": "2027-03-01T12:30:00Z"},
        "level": 3,
        "reason": "All pages are readable.",
    },
)

CHANGE_TEMPLATES = (CONFIRM_CHANGE, CHANGE_UNDO, NEW_DEVICE, VERIFICATION_DECIDED)
