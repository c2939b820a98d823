"""The tables of the wallet as mapped classes, by what they are about."""

from torg_wallet.models import bonus, ledger, payments

MODELS = (*ledger.MODELS, *payments.MODELS, *bonus.MODELS)
