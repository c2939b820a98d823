"""The catalogue: listed, filtered, searched, shown."""


def test_an_empty_shop_lists_nothing(shop):
    answer = shop.app.test_client().get("/api/v1/shop/products")
    assert (answer.status_code, answer.json) == (200, {"items": [], "next_cursor": None})
