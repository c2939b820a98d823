"""The catalogue of the demo."""

from torg.demo import Demo
from torg_shop.generating import generate

_PRODUCTS = 300


def fill(demo: Demo) -> None:
    """Three hundred products with pictures in three levels of categories."""
    generate(demo.random, _PRODUCTS)
    demo.show("Find a product", "curl '{base_url}/api/v1/shop/products?search=kettle&sort=price'")
    demo.show("See the categories", "curl '{base_url}/api/v1/shop/categories'")
