"""The routes of the wallet, below `/api/v1/wallet`. None of them writes a balance."""

from torg_wallet.routes import accounts, administration, bonus, payments
from torg_wallet.routes.blueprint import blueprint

__all__ = ["accounts", "administration", "blueprint", "bonus", "payments"]
