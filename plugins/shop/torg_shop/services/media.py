"""Pictures of products: cleaned, kept in the storage, shown small by a job, removed for good."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from torg import config, outbox, storage
from torg.db import session
from torg.errors import NotFoundError
from torg_shop.domain import pictures
from torg_shop.errors.catalogue import PictureUnreadableError, TooManyPicturesError
from torg_shop.models.media import Media
from torg_shop.services import catalogue, freshness
from torg_shop.settings import ShopSettings

AREA = "shop.media"


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
