"""All routes of the plugin, by what they are about."""

from torg_classic.routes import accounts, carts, catalogue
from torg_classic.routes.blueprint import blueprint

__all__ = ["accounts", "blueprint", "carts", "catalogue"]
