"""The one blueprint that all modules of routes hang on."""

from torg.blueprint import Blueprint

blueprint = Blueprint(
    "autotrade", description="A market of cars: catalogue, dealers, suppliers, offers, deals."
)
CATALOGUE, DEALER = "autotrade.catalogue.manage", "autotrade.dealer.own"
OFFER, DEALS = "autotrade.offer.own", "autotrade.deal.read_own"
ALL_DEALS, TICK = "autotrade.deal.read_all", "autotrade.tick.run"
