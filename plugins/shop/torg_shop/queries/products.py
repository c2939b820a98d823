"""Lists of products: what they may be filtered, searched and sorted by, and their columns.

One statement tells everything a page shows: categories, tags and pictures come with their product.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    and_,
    bindparam,
    cast,
    func,
    or_,
    select,
)
from sqlalchemy import (
    Text as SqlText,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by, array

from torg import storage
from torg.filters import Filter, above, amount_at_least, amount_at_most, below, equals
from torg.listing import Listing
from torg.prepared import Prepared, widened
from torg.schemas import Boolean, Id, List, Text, Timestamp
from torg_shop.models.catalogue import Category, Product, ProductTag, StockLevel, Tag
from torg_shop.models.media import Media

_MOST_TAGS_ASKED, _MOST_ATTRIBUTES_ASKED = 10, 10
_FREE = StockLevel.on_hand > StockLevel.reserved


def is_below(category_id: Any) -> ColumnElement[bool]:
    """Whether a product is in this category or one below it."""
    tree = select(Category.id).where(Category.id == category_id).cte("below", recursive=True)
    tree = tree.union(select(Category.id).join(tree, Category.parent_id == tree.c.id))
    return Product.category_id.in_(select(tree.c.id))


def _has_tags(names: list[str]) -> ColumnElement[bool]:
    """Every one of the tags is on it."""
    return and_(
        *(
            Product.id.in_(
                select(ProductTag.product_id)
                .join(Tag, Tag.id == ProductTag.tag_id)
                .where(Tag.name == name, Tag.is_active)
            )
            for name in names
        )
    )


def _has_attributes(given: list[str]) -> ColumnElement[bool]:
    """`name:value`; a value that reads as a number or a truth matches as that too."""
    return and_(*(_has_attribute(*each.split(":", 1)) for each in given))


def _has_attribute(name: str, value: str) -> ColumnElement[bool]:
    meant: list[Any] = [value]
    if value in ("true", "false"):
        meant.append(value == "true")
    try:
        number = float(value)
    except ValueError:
        pass
    else:
        if abs(number) < 2**53:
            meant.append(int(number) if number.is_integer() else number)
    return or_(*(Product.attributes.contains({name: each}) for each in meant))


def _is_free(wanted: bool) -> ColumnElement[bool]:
    free = Product.id.in_(select(StockLevel.product_id).where(_FREE))
    return free if wanted else ~free


def _tags_asked(description: str) -> Filter:
    word = Text(maximum=60, example="new")
    field = List(word, maximum=_MOST_TAGS_ASKED, minimum=1, description=description)
    return Filter(field, _has_tags)


def _attributes_asked(description: str) -> Filter:
    pair = Text(maximum=561, pattern="[^:]{1,60}:.{0,500}", example="colour:red")
    field = List(pair, maximum=_MOST_ATTRIBUTES_ASKED, minimum=1, description=description)
    return Filter(field, _has_attributes)


class ProductListing(Listing):
    """Products; the newest first unless asked otherwise."""

    key = Product.id
    sorts = {  # noqa: RUF012 - declared so by the host
        "price": Product.price_minor,
        "name": Product.name,
        "created_at": Product.created_at,
        "popularity": Product.popularity,
    }
    default_sort = "-id"
    filters = {  # noqa: RUF012 - declared so by the host
        "category": Filter(Id(description="This category and all below it."), is_below),
        "price_min": amount_at_least(Product.price_minor, Product.currency),
        "price_max": amount_at_most(Product.price_minor, Product.currency),
        "currency": equals(Text(maximum=3, pattern="[A-Z]{3}", example="EUR"), Product.currency),
        "sku": equals(Text(maximum=64, example="KET-1"), Product.sku),
        "tags": _tags_asked("Has this tag; given more than once, all of them."),
        "attributes": _attributes_asked("`name:value`; given more than once, all of them."),
        "tag": _tags_asked("The same as `tags`."),
        "attribute": _attributes_asked("The same as `attributes`."),
        "in_stock": Filter(Boolean(), _is_free),
        "created_after": above(Timestamp(), Product.created_at),
        "created_before": below(Timestamp(), Product.created_at),
    }
    search = Product.search
    # All of these come with every product anyhow, so that asking for them costs nothing more.
    embeds = ("category", "tags", "media")


_TAGS = (
    select(func.array_agg(aggregate_order_by(Tag.name, Tag.name), type_=ARRAY(SqlText)))
    .join(ProductTag, ProductTag.tag_id == Tag.id)
    .where(ProductTag.product_id == Product.id, Tag.is_active)
    .correlate(Product)
    .scalar_subquery()
)
# Rows of texts: the driver reads arrays several times as fast as JSON.
_PICTURE = array(
    [
        cast(Media.id, SqlText),
        Media.kind,
        Media.alt,
        cast(Media.position, SqlText),
        Media.key,
        Media.thumbnail_key,
    ]
)
_PICTURES = (
    select(
        func.array_agg(
            aggregate_order_by(_PICTURE, Media.position, Media.id),
            type_=ARRAY(SqlText, dimensions=2),
        )
    )
    .where(Media.product_id == Product.id, Media.is_active)
    .correlate(Product)
    .scalar_subquery()
)
COLUMNS: Select[*tuple[Any, ...]] = (
    select(
        Product.id,
        Product.name,
        Product.description,
        Product.sku,
        Product.price_minor,
        Product.currency,
        Product.category_id,
        Category.name.label("category_name"),
        cast(Product.attributes, SqlText).label("attributes_json"),
        func.coalesce(_FREE, False).label("in_stock"),
        Product.popularity,
        Product.created_at,
        Product.updated_at,
        Product.is_active,
        _TAGS.label("tag_names"),
        _PICTURES.label("pictures"),
    )
    .outerjoin(Category, Category.id == Product.category_id)
    .outerjoin(StockLevel, StockLevel.product_id == Product.id)
)
SHOWN = COLUMNS.where(Product.is_active)
_OFFERED: Select[*tuple[Any, ...]] = SHOWN.with_only_columns(
    *(
        SHOWN.selected_columns[name]
        for name in (
            *("id", "name", "description", "price_minor", "currency"),
            *("category_name", "created_at", "tag_names"),
        )
    ),
    maintain_column_froms=True,
)
_ONE = Prepared(COLUMNS.where(Product.id == bindparam("product_id", type_=BigInteger)))
_MOST_ID = 2**63 - 1


def offers(arguments: Mapping[str, Any]) -> Any:
    """A page, as long as `limit` says, with only what names and prices products; one statement."""
    return ProductListing.page(_OFFERED, arguments)


def find(product_id: int) -> Any | None:
    """One product, removed or not; None when there is none."""
    rows = _ONE.rows({"product_id": product_id}) if product_id <= _MOST_ID else []
    return shown(rows)[0] if rows else None


def shown(rows: list[Any]) -> list[Any]:
    """The rows with category, tags and pictures as the schema shows them."""
    url_of = storage.linker()

    def facts(row: Any) -> tuple[Any, ...]:
        category = None
        if row.category_id is not None:
            category = {"id": row.category_id, "name": row.category_name}
        pictures = [_picture(each, url_of) for each in row.pictures or ()]
        return category, row.tag_names or [], orjson.loads(row.attributes_json), pictures

    return widened(rows, ("category", "tags", "attributes", "media"), facts)


def _picture(columns: list[Any], url_of: Callable[[str], str]) -> dict[str, Any]:
    number, kind, alt, position, key, thumbnail = columns
    url = url_of(key)
    return {
        "id": int(number),
        "kind": kind,
        "alt": alt,
        "position": int(position),
        "url": url,
        "thumbnail_url": url if thumbnail is None else url_of(thumbnail),
    }
