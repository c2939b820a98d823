"""Signatures of webhooks in the manner of Standard Webhooks: HMAC-SHA256 over id, time and body.

Pure. Source: the specification of standardwebhooks.com, 2026-08: `webhook-id`,
`webhook-timestamp` (seconds), `webhook-signature: v1,<base64>` (several, separated by blanks, while
a secret is being replaced); the secret is `whsec_` and base64.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

from torg_ledger.payments import WebhookRefusedError

TOLERANCE_SECONDS = 300
_PREFIX = "whsec_"


def sign(secret: str, event_id: str, sent_at: datetime, body: bytes) -> dict[str, str]:
    """The headers of a signed call."""
    seconds = str(int(sent_at.timestamp()))
    return {
        "webhook-id": event_id,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{_digest(secret, event_id, seconds, body)}",
    }


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """The id of a call that is authentic and fresh.

    Args:
        secret: `whsec_…`.
        headers: of the request; names in any case.
        body: exactly the bytes that were sent.
        now: aware; the clock that judges the age.

    Raises:
        WebhookRefusedError: a header is missing, the signature is wrong, or it is too old or from
            the future by more than `TOLERANCE_SECONDS`.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    try:
        event_id, seconds, signatures = (
            lowered[f"webhook-{part}"] for part in ("id", "timestamp", "signature")
        )
    except KeyError:
        raise WebhookRefusedError(reason="a signature header is missing") from None
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 12):
        raise WebhookRefusedError(reason="the timestamp is no number of seconds")
    expected = f"v1,{_digest(secret, event_id, seconds, body)}".encode()
    # Every one is compared, in constant time, whatever stands before it.
    offered = signatures.encode("utf-8", "surrogatepass").split(b" ")
    fits = [hmac.compare_digest(each, expected) for each in offered]
    if not any(fits):
        raise WebhookRefusedError(reason="the signature is wrong")
    if abs(now.timestamp() - int(seconds)) > TOLERANCE_SECONDS:
        raise WebhookRefusedError(reason="the signature is too old")
    return event_id


def secret_from(key: str, purpose: str) -> str:
    """A webhook secret derived from the server's own key."""
    digest = hmac.new(key.encode(), purpose.encode(), hashlib.sha256).digest()
    return _PREFIX + base64.b64encode(digest).decode()


def _digest(secret: str, event_id: str, seconds: str, body: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = secret.encode()
    message = f"{event_id}.{seconds}.".encode("utf-8", "surrogatepass") + body
    return base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
