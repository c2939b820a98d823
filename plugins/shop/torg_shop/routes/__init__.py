"""The routes, below `/api/v1/shop`."""

from torg_shop.routes import catalogue
from torg_shop.routes.blueprint import blueprint

__all__ = ["blueprint", "catalogue"]
