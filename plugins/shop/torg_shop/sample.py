"""The catalogue of the demo, and a year of orders."""

from torg import contracts
from torg.demo import Demo
from torg_shop.generating import generate
from torg_shop.generating_orders import generate_orders

_PRODUCTS, _ORDERS, _BUYERS = 300, 600, 50


def fill(demo: Demo) -> None:
    """Three hundred products with pictures in three levels of categories; orders of a year."""
    generate(demo.random, _PRODUCTS)
    buyers = [each.id for each in contracts.require("users", ">=1,<2").page(0, _BUYERS)]
    if buyers:
        generate_orders(demo.random, _ORDERS, demo.now, buyers)
    demo.show("Find a product", "curl '{base_url}/api/v1/shop/products?search=kettle&sort=price'")
    demo.show("See what sells", "curl '{base_url}/api/v1/shop/products?sort=-popularity&limit=5'")
    demo.show("See the categories", "curl '{base_url}/api/v1/shop/categories'")
