"""The routes of accounts, below `/api/v1/auth`."""

from torg_auth.routes import account, registration, sign_in, staff
from torg_auth.routes.blueprint import blueprint

__all__ = ["account", "blueprint", "registration", "sign_in", "staff"]
