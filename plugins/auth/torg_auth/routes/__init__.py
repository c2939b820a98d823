"""The routes of accounts, below `/api/v1/auth`."""

from torg_auth.routes import (
    account,
    api_keys,
    personal,
    registration,
    roles,
    sign_in,
    social,
    staff,
)
from torg_auth.routes.blueprint import blueprint

__all__ = [
    "account",
    "api_keys",
    "blueprint",
    "personal",
    "registration",
    "roles",
    "sign_in",
    "social",
    "staff",
]
