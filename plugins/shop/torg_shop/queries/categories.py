"""Categories and tags as they are read."""

from typing import Any

from sqlalchemy import BigInteger, Select, bindparam, func, select, text

from torg.filters import equals
from torg.listing import Listing
from torg.prepared import Prepared
from torg.schemas import Id
from torg_shop.models.catalogue import Category, Product, Tag

_COUNTS = (
    select(Product.category_id, func.count().label("number"))
    .where(Product.is_active)
    .group_by(Product.category_id)
    .subquery()
)
_TREE = Prepared(
    select(
        Category.id,
        Category.parent_id,
        Category.name,
        Category.slug,
        Category.position,
        func.coalesce(_COUNTS.c.number, 0).label("product_count"),
    )
    .outerjoin(_COUNTS, _COUNTS.c.category_id == Category.id)
    .where(Category.is_active)
    .order_by(Category.position, Category.name, Category.id)
)
_PATH = Prepared(
    text(
        "WITH RECURSIVE above AS ("
        " SELECT id, parent_id, name, 0 AS height FROM shop_category WHERE id = :category_id"
        " UNION ALL SELECT c.id, c.parent_id, c.name, a.height + 1"
        " FROM shop_category c JOIN above a ON c.id = a.parent_id)"
        " SELECT id, name FROM above ORDER BY height DESC"
    ),
    *("id", "name"),
)
_ONE = Prepared(
    select(
        Category.id,
        Category.parent_id,
        Category.name,
        Category.slug,
        Category.position,
        Category.updated_at,
    ).where(Category.id == bindparam("category_id", type_=BigInteger), Category.is_active)
)


class TagListing(Listing):
    """Tags by name."""

    key = Tag.id
    sorts = {"name": Tag.name}  # noqa: RUF012 - declared so by the host
    default_sort = "name"


class CategoryListing(Listing):
    """Categories as staff see them, one beside the other."""

    key = Category.id
    sorts = {"name": Category.name, "position": Category.position}  # noqa: RUF012 - declared so
    default_sort = "id"
    filters = {"parent_id": equals(Id(), Category.parent_id)}  # noqa: RUF012 - declared so


FLAT: Select[*tuple[Any, ...]] = select(
    Category.id,
    Category.parent_id,
    Category.name,
    Category.slug,
    Category.position,
    Category.updated_at,
).where(Category.is_active)
TAGS: Select[*tuple[Any, ...]] = select(Tag.id, Tag.name).where(Tag.is_active)

MANAGED_TAGS: Select[*tuple[Any, ...]] = TAGS.add_columns(Tag.updated_at)


def tree() -> list[Any]:
    """Every category with the number of its own products, siblings in order."""
    return _TREE.rows()


def path(category_id: int | None) -> list[Any]:
    """The category and those above it, the root first."""
    return [] if category_id is None else _PATH.rows({"category_id": category_id})


def find(category_id: int) -> Any | None:
    """One category; None when there is none."""
    rows = _ONE.rows({"category_id": category_id}) if category_id < 2**63 else []
    return rows[0] if rows else None
