"""The routes of accounts, below `/api/v1/auth`."""

from torg_auth.routes import (
    account,
    api_keys,
    changes,
    external_identities,
    personal,
    phones,
    registration,
    roles,
    sign_in,
    social,
    staff,
    verification,
)
from torg_auth.routes.blueprint import blueprint

__all__ = [
    "account",
    "api_keys",
    "blueprint",
    "changes",
    "external_identities",
    "personal",
    "phones",
    "registration",
    "roles",
    "sign_in",
    "social",
    "staff",
    "verification",
]
