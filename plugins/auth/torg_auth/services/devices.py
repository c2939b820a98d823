"""Telling the owner of an account that it was opened on a device not seen before."""

import flask
from sqlalchemy import text

from torg.config import settings
from torg.db import session
from torg_auth.change_emails import NEW_DEVICE
from torg_auth.models import SecurityEventKind
from torg_auth.queries import people
from torg_auth.services import tokens
from torg_auth.services.callers import DEVICE_COOKIE, Caller
from torg_auth.services.mailing import tell_owner
from torg_auth.services.record import record

_SEEN = text(
    "SELECT count(*) > 0 AS ever, coalesce(bool_or(place = :place AND device_label = :label"
    " AND last_used_at > clock_timestamp() - make_interval(days => :days)), false) AS seen"
    " FROM auth_session WHERE user_id = :user_id"
)


def is_new(user_id: int, caller: Caller) -> bool:
    """Whether the account was used before, but never on such a device; asked before a session.

    A device is recognised by the mark that it keeps; a program without one by what it calls itself,
    at the same place.
    """
    mark = tokens.read_device(caller.device)
    if mark is not None and mark[0] == user_id:
        return False
    values = {
        "user_id": user_id,
        "place": caller.place,
        "label": caller.device_label,
        "days": tokens.DEVICE_DAYS,
    }
    found = session.execute(_SEEN, values).one()
    return bool(found.ever and not found.seen)


def tell(user_id: int, session_id: int, caller: Caller) -> None:
    """Note a new device, and let its owner know."""
    record(SecurityEventKind.NEW_DEVICE, caller, user_id=user_id, session_id=session_id)
    # An address that was never confirmed may be a stranger's.
    if people.is_confirmed(user_id):
        tell_owner(NEW_DEVICE, user_id, caller, key=str(session_id))


def keep_mark(mark: str) -> None:
    """Have the device that signs in keep its mark, as a cookie of the present address."""

    @flask.after_this_request
    def set_cookie(response: flask.Response) -> flask.Response:
        response.set_cookie(
            DEVICE_COOKIE,
            mark,
            max_age=tokens.DEVICE_DAYS * 86400,
            path=flask.request.path,
            secure=settings().host.base_url.startswith("https:"),
            httponly=True,
            samesite="Strict",
        )
        return response
