"""The picture of a person: cleaned, kept in the storage, replaced and removed."""

from typing import Any

from sqlalchemy import select, update

from torg import outbox, storage
from torg.db import session
from torg_auth.domain.avatars import CONTENT_TYPE, LARGEST_BYTES, NoPictureError, cleaned
from torg_auth.errors import PictureMissingError, PictureRefusedError
from torg_auth.models import User
from torg_auth.queries.profiles import Profile
from torg_auth.services import profiles

_AREA = "auth.avatar"


def replace(user_id: int, content: bytes) -> Profile:
    """Show this picture from the commit on; the one before leaves the storage afterwards.

    Raises:
        PictureRefusedError: it is no picture that can be shown.
    """
    try:
        picture = cleaned(content)
    except NoPictureError as error:
        raise PictureRefusedError from error
    _set(user_id, storage.put(picture, CONTENT_TYPE, _AREA))
    return profiles.show(user_id)


def remove(user_id: int) -> None:
    """Show no picture from the commit on; harmless when there is none."""
    _set(user_id, None)


def _set(user_id: int, key: str | None) -> None:
    before: str | None = session.scalar(
        select(User.avatar_key).where(User.id == user_id).with_for_update(key_share=True)
    )
    session.execute(update(User).where(User.id == user_id).values(avatar_key=key))
    if before is not None:
        # A job and no mere action after the commit: a face must not stay because a process died.
        outbox.enqueue("auth.remove_file", {"key": before}, key=before)


def remove_file(key: str) -> None:
    """Take a file that no row names any more out of the storage; harmless when it is gone."""
    storage.delete(key)


def content_of(upload: Any, encoded: bytes | None) -> bytes:
    """The bytes of whichever of the two was sent.

    Raises:
        PictureMissingError: none, or both.
    """
    if (upload is None) == (encoded is None):
        raise PictureMissingError
    if encoded is not None:
        return encoded
    # One byte more than may be shows that there was more.
    content: bytes = upload.stream.read(LARGEST_BYTES + 1)
    return content
