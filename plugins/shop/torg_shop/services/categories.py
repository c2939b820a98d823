"""The tree of categories: grown, moved, pruned; a trigger of the database keeps it a tree."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from torg import etag
from torg.db import session
from torg.errors import NotFoundError
from torg_shop.domain.slugs import slug_of
from torg_shop.errors.catalogue import CategoryCycleError, CategoryInUseError, SlugTakenError
from torg_shop.models.catalogue import Category, Product
from torg_shop.services import freshness
from torg_shop.services.catalogue import require_category, version


def create(given: Mapping[str, Any]) -> int:
    """Enter a category; without a slug it gets one from its name.

    Raises:
        CategoryUnknownError: the parent is none.
        SlugTakenError: the slug is another's.
    """
    values = dict(given)
    if values.get("parent_id") is not None:
        require_category(values["parent_id"])
    if values.get("slug") is None:
        values["slug"] = _free_slug(values["name"])
    made: int | None = session.scalar(
        insert(Category).values(**values).on_conflict_do_nothing().returning(Category.id)
    )
    if made is None:
        raise SlugTakenError(slug=values["slug"])
    freshness.changed()
    return made


def change(category_id: int, given: Mapping[str, Any]) -> None:
    """Change or move a category.

    Raises:
        NotFoundError: there is none.
        PreconditionFailedError: the caller has seen another state.
        CategoryUnknownError: the new parent is none.
        CategoryCycleError: it would be below itself.
        SlugTakenError: the slug is another's.
    """
    _lock(category_id)
    if given.get("parent_id") is not None:
        require_category(given["parent_id"])
    try:
        session.execute(
            update(Category)
            .where(Category.id == category_id)
            .values(**given, updated_at=func.clock_timestamp())
        )
    except IntegrityError as error:
        broken = getattr(getattr(error.orig, "diag", None), "constraint_name", "")
        if broken in ("shop_category_tree", "ck_shop_category_parent"):
            raise CategoryCycleError from error
        if broken == "uq_shop_category_slug":
            raise SlugTakenError(slug=given["slug"]) from error
        raise
    freshness.changed()


def remove(category_id: int) -> None:
    """Take out a category that nothing is in.

    Raises:
        NotFoundError: there is none.
        PreconditionFailedError: the caller has seen another state.
        CategoryInUseError: it has products or categories.
    """
    _lock(category_id)
    is_used = or_(
        select(Product.id).where(Product.category_id == category_id, Product.is_active).exists(),
        select(Category.id).where(Category.parent_id == category_id, Category.is_active).exists(),
    )
    if session.scalar(select(is_used)):
        raise CategoryInUseError
    session.execute(update(Category).where(Category.id == category_id).values(is_active=False))
    freshness.changed()


def _lock(category_id: int) -> None:
    row = session.execute(
        select(Category.id, Category.updated_at)
        .where(Category.id == category_id, Category.is_active)
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFoundError
    etag.require_match(version(row))


def _free_slug(name: str) -> str:
    plain = slug_of(name)
    taken = set(session.scalars(select(Category.slug).where(Category.slug.startswith(plain))))
    number = 2
    slug = plain
    while slug in taken:
        slug, number = f"{plain}-{number}", number + 1
    return slug
