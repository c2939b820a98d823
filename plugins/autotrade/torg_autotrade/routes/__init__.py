"""The routes, below `/api/v1/autotrade`."""

from torg_autotrade.routes import catalogue, dealers, promotions, suppliers, trading
from torg_autotrade.routes.blueprint import blueprint

__all__ = ["blueprint", "catalogue", "dealers", "promotions", "suppliers", "trading"]
