"""The routes, below `/api/v1/shop`."""

from torg_shop.routes import (
    administration_categories,
    administration_products,
    carts,
    catalogue,
    coupons,
    exchange,
    media,
    orders,
    payments,
)
from torg_shop.routes.blueprint import blueprint

__all__ = [
    "administration_categories",
    "administration_products",
    "blueprint",
    "carts",
    "catalogue",
    "coupons",
    "exchange",
    "media",
    "orders",
    "payments",
]
