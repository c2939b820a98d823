"""The routes, below `/api/v1/shop`."""

from torg_shop.routes import (
    administration_categories,
    administration_products,
    catalogue,
    exchange,
    media,
)
from torg_shop.routes.blueprint import blueprint

__all__ = [
    "administration_categories",
    "administration_products",
    "blueprint",
    "catalogue",
    "exchange",
    "media",
]
