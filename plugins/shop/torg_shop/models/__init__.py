"""The tables of the shop."""

from torg_shop.models.carts import Cart, CartLine, CartStart
from torg_shop.models.catalogue import (
    BoughtTogether,
    Category,
    Product,
    ProductReady,
    ProductTag,
    StockLevel,
    Tag,
)
from torg_shop.models.coupons import Coupon, CouponUse
from torg_shop.models.media import Media
from torg_shop.models.orders import Order, OrderEvent, OrderLine, Reservation
from torg_shop.models.payments import Payment

_CATALOGUE = (
    *(Category, Tag, Product, ProductReady, ProductTag, StockLevel, BoughtTogether),
    Media,
)
_TRADING = (
    *(Cart, CartLine, CartStart, Coupon, Order, OrderLine, OrderEvent, CouponUse),
    *(Reservation, Payment),
)
MODELS = (*_CATALOGUE, *_TRADING)
