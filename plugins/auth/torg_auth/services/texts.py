"""Text messages: counted and queued with what they tell of, worded and sent by a job.

How a message leaves is `torg_auth.text_transport`'s.
"""

from typing import Any

import structlog
from flask import current_app
from sqlalchemy import insert, select, text, update
from sqlalchemy.sql import func

from torg import outbox
from torg.config import plugin_settings, settings
from torg.db import session
from torg.i18n import gettext, use_locale
from torg.jobs import GiveUpError
from torg_auth.change_emails import undo_link
from torg_auth.domain.codes import CODE_USE, Purpose, code_of
from torg_auth.models import OneTimeCode, User
from torg_auth.models_changes import PendingChange, TextMessage
from torg_auth.settings import AuthSettings
from torg_auth.signing import keys
from torg_auth.text_transport import (
    TextMessage as Outgoing,
)
from torg_auth.text_transport import (
    TextRefusedError,
    TextTransport,
    open_transport,
)

SEND = "auth.send_text"
_EXTENSION = "torg_auth.texts"
# Any number that nothing else of this database uses: messages are counted one after another.
_COUNT_LOCK = 7_205_759_403_792_811
_CODE_TEXT = (
    "{code} is your code for {site_name}, account {username}. It is good for {minutes} minutes."
    " Tell it to nobody."
)
_UNDO_TEXT = "{site_name}: the account {username} was changed. Not you? Undo it: {link}"
_TOLD_TEXT = "{site_name}: the account {username} was changed. Not you? Ask for a new password."
WORDS = (_CODE_TEXT, _UNDO_TEXT, _TOLD_TEXT)

_log = structlog.get_logger(__name__)


def queue_code(user_id: int, phone: str, code_id: int) -> bool:
    """Let a code be sent, unless number, account or deployment had enough of them.

    The caller is told nothing of it, or he could learn what others do with a number.
    """
    if not _may_send(user_id, phone):
        return False
    _queue(user_id, phone, code_id=code_id)
    return True


def queue_notice(user_id: int, phone: str, change_id: int) -> None:
    """Tell an owner that his account was changed. Not limited: a thief could fill the limit."""
    _queue(user_id, phone, change_id=change_id)


def _queue(user_id: int, phone: str, **subject: int) -> None:
    message_id: int = session.execute(
        insert(TextMessage)
        .values(user_id=user_id, phone=phone, **subject)
        .returning(TextMessage.id)
    ).scalar_one()
    outbox.enqueue(SEND, {"message_id": message_id}, key=str(message_id))


_COUNTS = text(
    "SELECT count(*) FILTER (WHERE phone = :phone AND recent) AS number_hourly,"
    " count(*) FILTER (WHERE phone = :phone) AS number_daily,"
    " count(*) FILTER (WHERE user_id = :user_id AND recent) AS account_hourly,"
    " count(*) FILTER (WHERE user_id = :user_id) AS account_daily,"
    " count(*) AS total FROM ("
    "  SELECT phone, user_id, created_at > clock_timestamp() - interval '1 hour' AS recent"
    "  FROM auth_text_message"
    "  WHERE change_id IS NULL AND created_at > clock_timestamp() - interval '1 day') t"
)


def _may_send(user_id: int, phone: str) -> bool:
    chosen = plugin_settings("auth", AuthSettings)
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _COUNT_LOCK})
    sent = session.execute(_COUNTS, {"phone": phone, "user_id": user_id}).one()
    if sent.total >= chosen.sms_daily_total:
        _log.warning("text_messages_used_up", limit=chosen.sms_daily_total)
        return False
    hourly = max(sent.number_hourly, sent.account_hourly)
    daily = max(sent.number_daily, sent.account_daily)
    return bool(hourly < chosen.sms_hourly and daily < chosen.sms_daily)


def send(message_id: int) -> dict[str, Any]:
    """Word a queued message in its reader's language and hand it over.

    Raises:
        TextError: the provider cannot be reached; tried again later.
        GiveUpError: it will never take the message.
    """
    message = session.execute(
        select(
            TextMessage.phone,
            TextMessage.sent_at,
            TextMessage.code_id,
            TextMessage.change_id,
            User.id.label("user_id"),
            User.username,
            User.locale,
        )
        .join(User, User.id == TextMessage.user_id)
        .where(TextMessage.id == message_id)
    ).one_or_none()
    if message is None or message.sent_at is not None:
        return {"skipped": "nothing to send"}
    with use_locale(message.locale):
        words = _code_words(message) if message.change_id is None else _notice_words(message)
    if words is None:
        return {"skipped": "its code is over"}
    session.execute(
        update(TextMessage)
        .where(TextMessage.id == message_id)
        .values(sent_at=func.clock_timestamp())
    )
    try:
        _transport().send(Outgoing(f"torg-{message_id}", message.phone, words))
    except TextRefusedError as error:
        raise GiveUpError(str(error)) from error
    return {"sent": True}


def _code_words(message: Any) -> str | None:
    issued = session.execute(
        select(OneTimeCode.purpose, OneTimeCode.key_id, OneTimeCode.nonce).where(
            OneTimeCode.id == message.code_id,
            OneTimeCode.closed_at.is_(None),
            OneTimeCode.expires_at > func.clock_timestamp(),
        )
    ).one_or_none()
    key = keys(CODE_USE).find(issued.key_id) if issued is not None else None
    if issued is None or key is None:
        return None
    return gettext(
        _CODE_TEXT,
        code=code_of(key.secret, Purpose(issued.purpose), message.user_id, issued.nonce),
        site_name=settings().host.site_name,
        username=message.username,
        minutes=plugin_settings("auth", AuthSettings).code_minutes,
    )


def _notice_words(message: Any) -> str:
    nonce = session.scalar(
        select(PendingChange.undo_nonce).where(PendingChange.id == message.change_id)
    )
    facts = {"site_name": settings().host.site_name, "username": message.username}
    if nonce is None:
        return gettext(_TOLD_TEXT, **facts)
    return gettext(_UNDO_TEXT, link=undo_link(message.change_id, nonce), **facts)


def _transport() -> TextTransport:
    kept: TextTransport | None = current_app.extensions.get(_EXTENSION)
    if kept is None:
        chosen = plugin_settings("auth", AuthSettings)
        kept = open_transport(
            chosen.sms_url,
            chosen.sms_secret.get_secret_value(),
            chosen.sms_timeout_seconds,
            settings().host.mail_url,
        )
        current_app.extensions[_EXTENSION] = kept
    return kept
