"""The tables of the market."""

from torg_autotrade.models import market, trading

MODELS = (*market.MODELS, *trading.MODELS)
