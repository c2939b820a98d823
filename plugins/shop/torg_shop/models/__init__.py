"""The tables of the shop."""

from torg_shop.models.catalogue import (
    BoughtTogether,
    Category,
    Product,
    ProductTag,
    StockLevel,
    Tag,
)
from torg_shop.models.media import Media

MODELS = (Category, Tag, Product, ProductTag, StockLevel, BoughtTogether, Media)
