"""The one blueprint that all modules of routes hang on."""

from torg.blueprint import Blueprint

blueprint = Blueprint("shop", description="A shop: catalogue, search, stock, carts, orders.")
CATALOGUE, STOCK = "shop.catalogue.manage", "shop.stock.manage"
ORDER, ORDERS, COUPONS = "shop.order.own", "shop.order.manage", "shop.coupon.manage"
