"""Products, stock and tags: entered, changed, taken out. Every change is told to the cache."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from torg import etag
from torg.db import session
from torg.errors import NotFoundError
from torg_shop.errors.catalogue import (
    CategoryUnknownError,
    SkuTakenError,
    StockPromisedError,
    TagTakenError,
)
from torg_shop.models.catalogue import Category, Product, ProductTag, StockLevel, Tag
from torg_shop.services import freshness

_STOCK: Select[*tuple[Any, ...]] = select(
    StockLevel.product_id,
    StockLevel.on_hand,
    StockLevel.reserved,
    (StockLevel.on_hand - StockLevel.reserved).label("available"),
)


def version(row: Any) -> str:
    """The tag of what is shown of a product or category, for If-Match."""
    return etag.of([row.id, row.updated_at])


def create(given: Mapping[str, Any]) -> int:
    """Enter a product.

    Raises:
        CategoryUnknownError: it names none.
        SkuTakenError: there is one of this SKU.
    """
    values = _columns(given)
    made: int | None = session.scalar(
        insert(Product).values(**values).on_conflict_do_nothing().returning(Product.id)
    )
    if made is None:
        raise SkuTakenError(sku=values["sku"])
    session.execute(insert(StockLevel).values(product_id=made, on_hand=given.get("on_hand", 0)))
    _put_tags(made, given.get("tags", ()))
    freshness.changed()
    return made


def change(product_id: int, given: Mapping[str, Any]) -> None:
    """Change a product; what is not given stays.

    Raises:
        NotFoundError: there is none.
        PreconditionFailedError: the caller has seen another state.
        CategoryUnknownError, SkuTakenError: as when it is created.
    """
    lock(product_id)
    values = _columns(given)
    if "sku" in values and _is_taken(values["sku"], product_id):
        raise SkuTakenError(sku=values["sku"])
    session.execute(
        update(Product)
        .where(Product.id == product_id)
        .values(**values, updated_at=func.clock_timestamp())
    )
    if "tags" in given:
        session.execute(delete(ProductTag).where(ProductTag.product_id == product_id))
        _put_tags(product_id, given["tags"])
    freshness.changed()


def remove(product_id: int) -> None:
    """Take a product out of the catalogue; orders keep what they say of it.

    Raises:
        NotFoundError: there is none.
        PreconditionFailedError: the caller has seen another state.
    """
    change(product_id, {"is_active": False})


def lock(product_id: int) -> Any:
    """The product, locked; If-Match is checked under the lock.

    Raises:
        NotFoundError: there is none, or it was removed.
        PreconditionFailedError: the caller has seen another state.
    """
    row = session.execute(
        select(Product.id, Product.updated_at)
        .where(Product.id == product_id, Product.is_active)
        .with_for_update(key_share=True)
    ).one_or_none()
    if row is None:
        raise NotFoundError
    etag.require_match(version(row))
    return row


def touch(product_id: int) -> None:
    """Say that something a product shows has changed."""
    session.execute(
        update(Product).where(Product.id == product_id).values(updated_at=func.clock_timestamp())
    )
    freshness.changed()


def stock(product_id: int) -> Any:
    """How many there are.

    Raises:
        NotFoundError: there is no such product.
    """
    return _stock(_STOCK.where(StockLevel.product_id == product_id))


def stock_version(row: Any) -> str:
    """The tag of what is shown of stock, for If-Match."""
    return etag.of([row.product_id, row.on_hand, row.reserved])


def set_stock(product_id: int, on_hand: int) -> Any:
    """Say how many there are.

    Raises:
        NotFoundError: there is no such product.
        PreconditionFailedError: the caller has seen another number.
        StockPromisedError: fewer than are promised.
    """
    asked = _STOCK.where(StockLevel.product_id == product_id)
    row = _stock(asked.with_for_update())
    etag.require_match(stock_version(row))
    if row.reserved > on_hand:
        raise StockPromisedError(reserved=row.reserved)
    session.execute(
        update(StockLevel).where(StockLevel.product_id == product_id).values(on_hand=on_hand)
    )
    freshness.changed()
    return _stock(asked)


def _stock(asked: "Select[*tuple[Any, ...]]") -> Any:
    row = session.execute(asked).one_or_none()
    if row is None:
        raise NotFoundError
    return row


def create_tag(name: str) -> int:
    """Enter a tag.

    Raises:
        TagTakenError: there is one of this name.
    """
    made: int | None = session.scalar(
        insert(Tag)
        .values(name=name)
        .on_conflict_do_update(
            index_elements=["name"], set_={"is_active": True}, where=~Tag.is_active
        )
        .returning(Tag.id)
    )
    if made is None:
        raise TagTakenError(name=name)
    freshness.changed()
    return made


def rename_tag(tag_id: int, name: str) -> None:
    """Give a tag another name on all products.

    Raises:
        NotFoundError: there is none.
        TagTakenError: another one is called so.
    """
    _lock_tag(tag_id)
    if session.scalar(select(Tag.id).where(Tag.name == name, Tag.id != tag_id)) is not None:
        raise TagTakenError(name=name)
    session.execute(
        update(Tag).where(Tag.id == tag_id).values(name=name, updated_at=func.clock_timestamp())
    )
    freshness.changed()


def remove_tag(tag_id: int) -> None:
    """Take a tag off all products.

    Raises:
        NotFoundError: there is none.
    """
    _lock_tag(tag_id)
    session.execute(update(Tag).where(Tag.id == tag_id).values(is_active=False))
    session.execute(delete(ProductTag).where(ProductTag.tag_id == tag_id))
    freshness.changed()


def tag_ids(names: Iterable[str]) -> dict[str, int]:
    """The ids of tags by name; those there are not yet are made."""
    wanted = sorted(set(names))
    if not wanted:
        return {}
    # In one order, so that two imports never wait for each other in a circle.
    made = insert(Tag).values([{"name": name} for name in wanted])
    session.execute(
        made.on_conflict_do_update(
            index_elements=["name"], set_={"is_active": True}, where=~Tag.is_active
        )
    )
    found = session.execute(select(Tag.name, Tag.id).where(Tag.name.in_(wanted)))
    return {row.name: row.id for row in found}


def _lock_tag(tag_id: int) -> None:
    asked = select(Tag.id).where(Tag.id == tag_id, Tag.is_active).with_for_update()
    if session.scalar(asked) is None:
        raise NotFoundError


def _put_tags(product_id: int, names: Iterable[str]) -> None:
    ids = tag_ids(names)
    if ids:
        rows = [{"product_id": product_id, "tag_id": each} for each in sorted(ids.values())]
        session.execute(insert(ProductTag).values(rows).on_conflict_do_nothing())


def _columns(given: Mapping[str, Any]) -> dict[str, Any]:
    names = ("name", "description", "sku", "attributes", "category_id", "is_active", "popularity")
    values = {name: given[name] for name in names if name in given}
    if "price" in given:
        values["price_minor"], values["currency"] = given["price"].minor, given["price"].currency
    if values.get("category_id") is not None:
        require_category(values["category_id"])
    return values


def require_category(category_id: int) -> None:
    """Hold a category so that it is not removed meanwhile.

    Raises:
        CategoryUnknownError: there is none.
    """
    asked = select(Category.id).where(Category.id == category_id, Category.is_active)
    if session.scalar(asked.with_for_update(read=True)) is None:
        raise CategoryUnknownError(category_id=category_id)


def _is_taken(sku: str, by_other_than: int) -> bool:
    asked = select(Product.id).where(Product.sku == sku, Product.id != by_other_than)
    return session.scalar(asked) is not None
