"""Pictures of products: cleaned, kept in the storage, shown small by a job, removed for good.

A client may also send a picture straight to the bucket, by a signed form for one file, and then
say that it is there: it is fetched, drawn anew like any other, and what was sent is removed. A form
that was never used, or a file nobody asked for again, is removed two hours later.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from torg import config, outbox, storage
from torg.db import database_now, session
from torg.errors import NotFoundError
from torg_shop.domain import pictures
from torg_shop.errors.catalogue import (
    PictureUnreadableError,
    TooManyPicturesError,
    UploadUnknownError,
)
from torg_shop.models.media import Media
from torg_shop.services import catalogue, freshness
from torg_shop.settings import ShopSettings

AREA, UPLOADS = "shop.media", "shop.upload"
_UPLOADS_KEPT = timedelta(hours=2)


def add(product_id: int, content: bytes, given: Mapping[str, Any]) -> int:
    """Show this picture of a product from the commit on.

    Raises:
        NotFoundError: there is no such product.
        PictureUnreadableError: it is no picture that can be shown.
        TooManyPicturesError: it has enough.
    """
    catalogue.lock(product_id)
    number: Any = session.scalar(
        select(func.count()).select_from(Media).where(_is_shown_of(product_id))
    )
    if number >= config.plugin_settings("shop", ShopSettings).pictures:
        raise TooManyPicturesError(number=number)
    try:
        picture = pictures.cleaned(content)
    except pictures.UnreadableError as error:
        raise PictureUnreadableError from error
    key = storage.put(picture, pictures.CONTENT_TYPE, AREA)
    values = {"position": number, **given, "product_id": product_id, "key": key}
    made: Any = session.scalar(insert(Media).values(values).returning(Media.id))
    outbox.enqueue("shop.make_thumbnail", {"media_id": made})
    catalogue.touch(product_id)
    return int(made)


def place_for(product_id: int, content_type: str) -> storage.UploadLink | None:
    """Where a picture of a product may be sent without passing through the host.

    Returns:
        None when the storage takes none, such as a disk.

    Raises:
        NotFoundError: there is no such product.
    """
    catalogue.lock(product_id)
    made = storage.upload_link(UPLOADS, content_type, pictures.LARGEST_BYTES)
    if made is not None:
        later = database_now() + _UPLOADS_KEPT
        outbox.enqueue("shop.remove_file", {"key": made.key}, key=made.key, run_at=later)
    return made


def add_sent(product_id: int, key: str, given: Mapping[str, Any]) -> int:
    """Show a picture that was sent to the place `place_for` gave; each is used once.

    Raises:
        UploadUnknownError: no file waits under this key.
        NotFoundError, PictureUnreadableError, TooManyPicturesError: as for `add`.
    """
    # Other areas hold other people's files: only what came by such a form is ever looked up.
    if not key.startswith(f"{UPLOADS}/"):
        raise UploadUnknownError
    try:
        sent = storage.get(key)
    except storage.FileMissingError as error:
        raise UploadUnknownError from error
    made = add(product_id, sent.content, given)
    # The key of the job makes the second of two that use one file fail, also at the same time.
    if outbox.enqueue("shop.remove_file", {"key": key}, key=f"used:{key}") is None:
        raise UploadUnknownError
    return made


def change(product_id: int, media_id: int, given: Mapping[str, Any]) -> None:
    """Describe or move a picture.

    Raises:
        NotFoundError: the product has none of this id.
    """
    catalogue.lock(product_id)
    done: Any = session.execute(
        update(Media)
        .where(Media.id == media_id, _is_shown_of(product_id))
        .values(**given, updated_at=func.clock_timestamp())
    )
    if done.rowcount == 0:
        raise NotFoundError
    catalogue.touch(product_id)


def remove(product_id: int, media_id: int) -> None:
    """Show a picture no longer; its files leave the storage after the commit.

    Raises:
        NotFoundError: the product has none of this id.
    """
    catalogue.lock(product_id)
    row = session.execute(
        update(Media)
        .where(Media.id == media_id, _is_shown_of(product_id))
        .values(is_active=False, updated_at=func.clock_timestamp())
        .returning(Media.key, Media.thumbnail_key)
    ).one_or_none()
    if row is None:
        raise NotFoundError
    for key in filter(None, row):
        # A job: a file must not stay because a process died after the commit.
        outbox.enqueue("shop.remove_file", {"key": key}, key=key)
    catalogue.touch(product_id)


def make_thumbnail(media_id: int) -> None:
    """Make the small form of a picture; harmless when it is there or the picture is gone."""
    row = session.execute(
        select(Media.key, Media.product_id)
        .where(Media.id == media_id, Media.is_active, Media.thumbnail_key.is_(None))
        .with_for_update()
    ).one_or_none()
    if row is None:
        return
    small = pictures.cleaned(storage.get(row.key).content, pictures.THUMBNAIL_SIDE)
    key = storage.put(small, pictures.CONTENT_TYPE, AREA)
    session.execute(update(Media).where(Media.id == media_id).values(thumbnail_key=key))
    freshness.changed()


def _is_shown_of(product_id: int) -> Any:
    return (Media.product_id == product_id) & Media.is_active
