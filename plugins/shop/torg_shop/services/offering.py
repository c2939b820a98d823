"""The contract `catalogue` 1.0 over this shop's own lists, cards, tree and export."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import orjson

from torg import cache, config
from torg.errors import NotFoundError
from torg.money import Money
from torg_catalogue import (
    MOST_AT_ONCE,
    Card,
    Catalogue,
    Category,
    Export,
    Offer,
    Page,
    Picture,
    Wanted,
)
from torg_shop.domain import trees
from torg_shop.domain.formats import CONTENT_TYPES
from torg_shop.queries import categories, products
from torg_shop.services import exporting, freshness
from torg_shop.settings import ShopSettings


class ShopCatalogue(Catalogue):
    """`torg_catalogue.Catalogue`, kept in PostgreSQL."""

    def page(self, wanted: Wanted) -> Page:
        """Products for sale, in one statement."""
        if not 1 <= wanted.limit <= MOST_AT_ONCE:
            message = f"limit is 1 to {MOST_AT_ONCE}, not {wanted.limit}"
            raise ValueError(message)
        arguments: dict[str, Any] = {"limit": wanted.limit, "cursor": wanted.cursor}
        for name in ("category", "price_min", "price_max"):
            if (value := getattr(wanted, name)) is not None:
                arguments[name] = value
        if wanted.sort:
            arguments["sort"] = wanted.sort
        found = products.offers(arguments)
        return Page([_offer(row) for row in found["items"]], found["next_cursor"])

    def card(self, product_id: int) -> Card:
        """One product with all that its page shows."""
        row = products.find(product_id)
        if row is None or not row.is_active:
            raise NotFoundError
        return Card(
            offer=_offer(row),
            sku=row.sku,
            attributes=row.attributes,
            category_path=tuple(each.name for each in categories.path(row.category_id)),
            pictures=tuple(
                Picture(each["url"], each["thumbnail_url"], each["alt"]) for each in row.media
            ),
            in_stock=row.in_stock,
        )

    def categories(self) -> Sequence[Category]:
        """The tree."""
        tree: Any = trees.nested(categories.tree())
        return list[Category](tree)

    def export(self, wanted: Literal["xlsx", "csv"], identity_id: int) -> Export:
        """The whole catalogue as a file, or the job that writes it."""
        kind = CONTENT_TYPES[wanted]
        job_id = exporting.left_to_a_job(wanted, identity_id)
        if job_id is not None:
            return Export(None, kind, job_id)
        return Export(exporting.spooled(wanted), kind)

    def kept(self, name: str, question: Mapping[str, Any], fill: Callable[[], bytes]) -> bytes:
        """The bytes that `fill` made, until anything of the catalogue changes."""
        seconds = config.plugin_settings("shop", ShopSettings).cache_seconds
        if seconds == 0:
            return fill()
        asked = orjson.dumps(dict(question), default=str, option=orjson.OPT_SORT_KEYS)
        key = f"shop:kept:{name}:{hashlib.sha256(asked).hexdigest()}"
        body = cache.remember(key, lambda: fill().decode(), tags=(freshness.TAG,), seconds=seconds)
        return str(body).encode()


def _offer(row: Any) -> Offer:
    return Offer(
        row.id,
        row.name,
        row.description,
        Money(row.price_minor, row.currency),
        row.category_name,
        row.tag_names or (),
        row.created_at,
    )
