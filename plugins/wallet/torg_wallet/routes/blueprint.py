"""The one blueprint that the wallet's routes hang on."""

from torg.blueprint import Blueprint

blueprint = Blueprint(
    "wallet", description="Accounts, statements, deposits, payouts, bonus points."
)
