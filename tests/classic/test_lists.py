"""Lists: bounded, walked by `Link` without gap or double, one statement however long, kept."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from torg import cache, db

NEXT = re.compile(r'<([^>]+)>; rel="next"')


def walk(stall, headers, address, body=None):
    """The ids of every page, and how many pages there were."""
    ids, pages = [], 0
    while address is not None:
        method = "GET" if body is None else "POST"
        answer = stall.client.open(address, method=method, json=body, headers=headers)
        assert answer.status_code == 200, answer.get_data()[:300]
        ids += [each["id"] for each in answer.json]
        pages += 1
        link = answer.headers.get("Link")
        assert pages < 100
        address = None
        if link is not None:
            parts = urlsplit(NEXT.fullmatch(link)[1])
            address = f"{parts.path}?{parts.query}"
    return ids, pages


@pytest.fixture(scope="module")
def crowded(make_stall):
    """A shop of 2,500 products of five prices."""
    stall = make_stall()
    stall.made = [
        number for price in range(5) for number in stall.products(500, price=1000 + price)
    ]
    stall.anna = stall.person()
    return stall


@pytest.mark.parametrize(("limit", "pages"), [(None, 3), (1000, 3), (700, 4), (2500 // 5, 5)])
def test_link_walks_over_2500_products_without_gap_or_double(crowded, limit, pages):
    query = "" if limit is None else f"?limit={limit}"
    ids, walked = walk(crowded, crowded.anna.headers, f"/api/products/{query}")
    assert walked == pages
    assert ids == sorted(crowded.made, reverse=True)


@pytest.mark.parametrize("sort", ["price", "-price,name", "-created_at", "popularity"])
def test_link_walks_in_any_order(crowded, sort):
    ids, walked = walk(crowded, {}, "/products?limit=999", {"sort": sort, "price_min": 10.01})
    assert walked == 3
    assert len(ids) == 2000
    assert set(ids) == set(crowded.made[500:])


def test_a_walk_loses_nothing_while_products_are_added_and_removed(make_stall):
    stall = make_stall()
    made = stall.products(30)
    anna = stall.person()
    first = stall.client.get("/api/products/?limit=10", headers=anna.headers)
    added = stall.products(5)
    gone = made[0]
    stall.work(lambda: remove(gone))
    parts = urlsplit(NEXT.fullmatch(first.headers["Link"])[1])
    rest, _ = walk(stall, anna.headers, f"{parts.path}?{parts.query}")
    seen = [each["id"] for each in first.json] + rest
    assert seen == sorted(set(made) - {gone}, reverse=True)
    assert not set(added) & set(seen)


def remove(product):
    db.session.execute(
        text("UPDATE shop_product SET is_active = false WHERE id = :id"), {"id": product}
    )
    cache.invalidate("shop.catalogue")


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "1e3"])
def test_no_array_is_longer_than_a_thousand(crowded, limit):
    for method, address in (("GET", "/api/products/"), ("POST", "/products")):
        answer = crowded.client.open(
            f"{address}?limit={limit}", method=method, headers=crowded.anna.headers
        )
        assert answer.status_code == 422
        assert answer.json["errors"][0]["pointer"] == "?limit"


def test_a_cursor_of_another_question_is_refused(crowded):
    first = crowded.client.post("/products?limit=5", json={"sort": "price"})
    parts = urlsplit(NEXT.fullmatch(first.headers["Link"])[1])
    for body in ({"sort": "-price"}, {"sort": "price", "price_min": 1}):
        answer = crowded.client.post(f"{parts.path}?{parts.query}", json=body)
        assert answer.status_code in {400, 422}
        assert answer.content_type == "application/problem+json"


def test_statements_are_as_many_for_one_row_as_for_a_thousand(make_stall, count_queries):
    stall = make_stall(sections={"shop": {"cache_seconds": 0}})
    stall.products(1100)
    anna = stall.person()
    counts = {}
    for limit in (1, 1000):
        for method, address in (("GET", "/api/products/"), ("POST", "/products")):
            # Once before, so that both find everything prepared alike.
            for _ in range(2):
                with count_queries() as count:
                    answer = stall.client.open(
                        f"{address}?limit={limit}", method=method, headers=anna.headers
                    )
                assert len(answer.json) == limit
            counts[address, limit] = [each for each in count.statements if "shop_" in each]
    assert {key: len(each) for key, each in counts.items()} == dict.fromkeys(counts, 1)


def test_a_kept_list_is_byte_equal_and_asks_the_database_nothing(crowded, count_queries):
    def asked(address):
        with count_queries() as count:
            answer = crowded.client.get(address, headers=crowded.anna.headers)
        return answer, [each for each in count.statements if "shop_" in each]

    crowded.work(lambda: cache.invalidate("shop.catalogue"))
    first, statements = asked("/api/products/?limit=50")
    again, none = asked("/api/products/?limit=50")
    assert (len(statements), none) == (1, [])
    assert again.get_data() == first.get_data()
    assert again.headers["Link"] == first.headers["Link"]


def test_kept_cards_and_categories_are_byte_equal_and_end_with_any_change(fresh, count_queries):
    (product,) = fresh.products(1)
    fresh.set_up_category("Kitchen")
    fresh.work(lambda: cache.invalidate("shop.catalogue"))
    for address in (f"/product?id={product}", "/categories"):
        first = fresh.client.get(address)
        with count_queries() as count:
            again = fresh.client.get(address)
        assert [each for each in count.statements if "shop_" in each] == []
        assert (again.status_code, again.get_data()) == (200, first.get_data())
    fresh.work(lambda: remove(product))
    assert fresh.client.get(f"/product?id={product}").status_code == 404


def test_a_kept_list_ends_with_any_change_of_the_catalogue(make_stall):
    stall = make_stall()
    anna = stall.person()
    (product,) = stall.products(1)
    stall.client.get("/api/products/", headers=anna.headers)
    boss = stall.person(role="manager")
    shown = stall.client.get(f"/api/v1/shop/admin/products/{product}", headers=boss.headers)
    changed = stall.client.patch(
        f"/api/v1/shop/admin/products/{product}",
        json={"price": {"amount": "20.01", "currency": "EUR"}},
        headers={**boss.headers, "If-Match": shown.headers["ETag"]},
    )
    assert changed.status_code == 200, changed.json
    (seen,) = stall.client.get("/api/products/", headers=anna.headers).json
    assert seen["price"] == 20.01


def test_who_may_is_asked_before_what_is_kept(crowded):
    crowded.client.get("/api/products/", headers=crowded.anna.headers)
    assert crowded.client.get("/api/products/").status_code == 401


def test_many_readers_at_once_get_the_same_bytes(crowded):
    crowded.work(lambda: cache.invalidate("shop.catalogue"))

    def read(_number):
        answer = crowded.client.get("/api/products/?limit=300", headers=crowded.anna.headers)
        return answer.status_code, answer.get_data()

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(read, range(24)))
    assert len(answers) == 1
    assert len(json.loads(answers.pop()[1])) == 300
