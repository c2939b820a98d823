"""Promises 1 to 3: listed, filtered, searched, shown; the tree; constant statements."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from torg.db import session, unit_of_work
from torg.prepared import row_maker
from torg_shop.domain import trees
from torg_shop.domain.slugs import slug_of

API = "/api/v1/shop"


def euro(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def get(shop, path, **query):
    answer = shop.app.test_client().get(f"{API}/{path}", query_string=query)
    assert answer.status_code == 200, answer.json
    return answer.json


def skus(page) -> list[str]:
    return [item["sku"] for item in page["items"]]


@pytest.fixture(scope="module")
def goods(shop, staff):
    """Five products in a tree of three levels."""
    top = staff.make("categories", name="Кухня")
    middle = staff.make("categories", name="Kettles", parent_id=top["id"])
    low = staff.make("categories", name="Whistling", parent_id=middle["id"])
    other = staff.make("categories", name="Books")
    for sku, name, price, category, tags, colour, held in (
        ("K1", "Red kettle", "10.00", low, ["new", "loud"], "red", 3),
        ("K2", "Blue kettle", "20.00", middle, ["new"], "blue", 0),
        ("K3", "Красный чайник", "30.00", top, ["loud"], "red", 1),
        ("B1", "A novel about tea", "5.00", other, [], "white", 9),
        ("B2", "Cookbook", "20.00", other, ["new"], "white", 2),
    ):
        staff.product(
            sku=sku,
            name=name,
            price=euro(price),
            category_id=category["id"],
            tags=tags,
            attributes={"colour": colour, "pages": 100, "hard": True},
            on_hand=held,
        )
    return {"top": top["id"], "middle": middle["id"], "low": low["id"], "other": other["id"]}


def test_a_category_includes_what_is_below_it(shop, goods):
    found = {name: sorted(skus(get(shop, "products", category=goods[name]))) for name in goods}
    assert found == {
        "top": ["K1", "K2", "K3"],
        "middle": ["K1", "K2"],
        "low": ["K1"],
        "other": ["B1", "B2"],
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"price_min": "20.00", "price_max": "30.00"}, ["B2", "K2", "K3"]),
        ({"price_max": "9.99"}, ["B1"]),
        ({"tags": "new"}, ["B2", "K1", "K2"]),
        ({"tags": ["new", "loud"]}, ["K1"]),
        ({"tag": "new", "tags": "loud"}, ["K1"]),
        ({"attributes": "colour:red"}, ["K1", "K3"]),
        ({"attribute": "colour:red"}, ["K1", "K3"]),
        ({"attributes": ["pages:100", "hard:true", "colour:blue"]}, ["K2"]),
        ({"in_stock": "false"}, ["K2"]),
        ({"sku": "B1"}, ["B1"]),
        ({"search": "kettles"}, ["K1", "K2"]),
        ({"search": "чайники"}, ["K3"]),
        ({"search": "cookb"}, ["B2"]),
        ({"search": "nothing like it"}, []),
    ],
)
def test_filters_and_search_find_these_and_no_others(shop, goods, query, expected):
    assert sorted(skus(get(shop, "products", **query))) == expected


def test_what_comes_with_a_product_may_be_asked_for_and_nothing_else(shop, goods):
    asked = get(shop, "products", embed="category,tags,media")
    assert asked["items"] == get(shop, "products")["items"]
    assert {"category", "tags", "media"} <= {*asked["items"][0]}
    refused = shop.app.test_client().get("/api/v1/shop/products?embed=category,owner")
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "?embed")
    assert "media" in refused.json["errors"][0]["message"]


@pytest.mark.parametrize("word", ["price", "name", "created_at", "popularity", "-price", "-name"])
def test_every_sort_pages_through_each_product_once(shop, goods, word):
    seen, cursor = [], None
    while cursor is not None or not seen:
        page = get(shop, "products", sort=word, limit=2, **({"cursor": cursor} if cursor else {}))
        seen += page["items"]
        cursor = page["next_cursor"]
    assert len({item["id"] for item in seen}) == len(seen)
    if word.endswith("price"):
        prices = [float(item["price"]["amount"]) for item in seen]
        assert prices == sorted(prices, reverse=word.startswith("-"))


def test_the_card_shows_path_tags_characteristics_and_similar(shop, goods):
    (listed,) = get(shop, "products", sku="K1")["items"]
    card = get(shop, f"products/{listed['id']}")
    assert [each["name"] for each in card["category_path"]] == ["Кухня", "Kettles", "Whistling"]
    assert card["tags"] == ["loud", "new"]
    assert card["attributes"] == {"colour": "red", "pages": 100, "hard": True}
    assert card["in_stock"] is True
    assert {each["sku"] for each in card["similar"]} >= {"K2", "K3"}
    assert "K1" not in {each["sku"] for each in card["similar"]}
    similar = get(shop, f"products/{listed['id']}/similar", limit=1)
    assert similar["items"] == card["similar"][:1]


def test_without_orders_what_is_popular_is_recommended(shop, goods):
    (listed,) = get(shop, "products", sku="B1")["items"]
    found = get(shop, "recommendations", product_id=listed["id"], limit=3)
    assert found["basis"] == "popular"
    assert found["items"][0]["sku"] == "B2"  # of its own category first
    assert len(found["items"]) == 3


def test_the_tree_holds_each_category_once_with_counts(shop, goods):
    roots = {each["name"]: each for each in get(shop, "categories")["items"]}
    assert (roots["Кухня"]["product_count"], roots["Books"]["product_count"]) == (3, 2)
    (kettles,) = roots["Кухня"]["children"]
    assert (kettles["product_count"], kettles["children"][0]["product_count"]) == (2, 1)
    assert roots["Кухня"]["slug"] == "kukhnya"


def test_unknown_products_are_404_for_everybody(shop):
    client = shop.app.test_client()
    for path in ("products/99999999", f"products/{2**70}", "products/99999999/similar"):
        assert client.get(f"{API}/{path}").status_code == 404


@pytest.fixture(scope="module")
def uncached(make_shop):
    return make_shop(cache_seconds=0)


class TestStatements:
    """A list of 50 with category, tags and pictures costs at most three, however many there are."""

    @pytest.mark.parametrize("number", [1, 1000])
    def test_of_a_list_are_constant(self, uncached, number, count_queries):
        with unit_of_work(app=uncached.app):
            session.execute(
                text(
                    "INSERT INTO shop_product (name, sku, price_minor, currency)"
                    " SELECT 'Thing ' || n, 'T' || n, n, 'EUR' FROM generate_series(1, :n) n"
                    " ON CONFLICT DO NOTHING"
                ),
                {"n": number},
            )
        client = uncached.app.test_client()
        client.set_cookie("past", "ready-answers")
        for query in ("limit=50", "limit=50&search=thing", "sort=-price&price_min=0.00"):
            with count_queries() as count:
                page = client.get(f"{API}/products?{query}").json
            assert len(page["items"]) == min(number, 50)
            assert count.total <= 3, count.statements

    def test_of_the_tree_is_one(self, uncached, count_queries):
        client = uncached.app.test_client()
        client.set_cookie("past", "ready-answers")
        with count_queries() as count:
            client.get(f"{API}/categories")
        assert count.total == 1, count.statements


@st.composite
def forests(draw):
    """Rows of a forest, parents in any place, and how many products each has."""
    number = draw(st.integers(0, 25))
    parents = [draw(st.one_of(st.none(), st.integers(0, n - 1))) if n else None
               for n in range(number)]  # fmt: skip
    counts = draw(st.lists(st.integers(0, 9), min_size=number, max_size=number))
    order = draw(st.permutations(range(number)))
    return parents, counts, order


_row = row_maker(("id", "parent_id", "name", "slug", "position", "product_count"))


@given(forests())
def test_a_nested_tree_counts_like_a_naive_walk(forest):
    parents, counts, order = forest
    rows = [_row((n, parents[n], f"c{n}", f"c{n}", 0, counts[n])) for n in order]

    def below(node: int) -> int:
        return counts[node] + sum(below(n) for n, up in enumerate(parents) if up == node)

    seen = {}
    waiting = list(trees.nested(rows))
    while waiting:
        node = waiting.pop()
        assert node["id"] not in seen
        seen[node["id"]] = node["product_count"]
        assert all(parents[child["id"]] == node["id"] for child in node["children"])
        waiting += node["children"]
    assert seen == {n: below(n) for n in range(len(parents))}


def test_slugs_are_plain_words():
    assert slug_of("Чайники и кружки, №1") == "chayniki-i-kruzhki-no1"
    assert slug_of("日本") == "category"
