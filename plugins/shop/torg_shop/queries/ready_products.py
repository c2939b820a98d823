"""Products as lists show them: texts that the database keeps ready, joined to one.

Owns what has to be added to a kept text: price, stock and the links of pictures. What the text is
made of, and when, stands in the migration `shop_0007`.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import BigInteger, Select, Text, bindparam, cast, func, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY

from torg import storage
from torg.money_field import MoneyField
from torg.prepared import Prepared
from torg_shop.models.catalogue import Product, ProductReady, StockLevel
from torg_shop.queries.products import ProductListing

_BETWEEN = b"\x1f"


def _of_product(column: Any, table: Any) -> Any:
    """A column of a row beside the product, looked up for the rows of the page alone."""
    return select(column).where(table.product_id == Product.id).scalar_subquery()


_COLUMNS: Select[*tuple[Any, ...]] = select(
    Product.id,
    Product.price_minor,
    Product.currency,
    # A text that is not there, which the proof reports, is made for this one answer.
    func.coalesce(
        _of_product(ProductReady.json, ProductReady),
        func.shop_ready_json(literal_column("shop_product"), type_=Text),
    ).label("json"),
    _of_product(StockLevel.on_hand > StockLevel.reserved, StockLevel).label("in_stock"),
).where(Product.is_active)
_ANY_OF = Prepared(
    _COLUMNS.where(
        Product.id == func.any(cast(bindparam("ids", type_=ARRAY(BigInteger)), ARRAY(BigInteger)))
    )
)


def page(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A page of what is for sale, in one statement; its items are finished JSON."""
    found = ProductListing.page(_COLUMNS, arguments)
    return {**found, "items": _joined(found["items"])}


def among(product_ids: list[int]) -> orjson.Fragment:
    """Those of the products that are for sale, in the order of the ids."""
    place = {each: number for number, each in enumerate(product_ids)}
    rows = _ANY_OF.rows({"ids": product_ids}) if product_ids else []
    return _joined(sorted(rows, key=lambda row: place[row.id]))


def _joined(rows: Iterable[Any]) -> orjson.Fragment:
    """A JSON array of the rows. Bytes are joined: one letter that is not Latin doubles a text."""
    items = [
        f'{row.json},"price":{_price(row.price_minor, row.currency)},'
        f'"in_stock":{"true" if row.in_stock else "false"}}}'.encode()
        for row in rows
    ]
    # What is between two separators is a key; an address (RFC 3986) holds nothing to be escaped.
    pieces = b",".join(items).split(_BETWEEN)
    url_of = storage.linker()
    pieces[1::2] = [f'"{url_of(key.decode())}"'.encode() for key in pieces[1::2]]
    return orjson.Fragment(b"[%b]" % b"".join(pieces))


@lru_cache(maxsize=16384)
def _price(minor: int, currency: str) -> str:
    return orjson.dumps(MoneyField.dump_columns(minor, currency)).decode()
