"""The literal shapes, word for word, at the literal addresses."""

import io
import json
from decimal import Decimal

import pytest
import python_calamine
from sqlalchemy import text

from torg import cache, db
from torg.clock import parse_moment

PASSWORD = "a fine long sentence"
SHAPE = ["id", "name", "description", "category_name", "price", "created_at", "tags"]


def exact(answer):
    """The answer's JSON with every number as it was written."""
    return json.loads(answer.get_data(), parse_float=Decimal)


def raw_price(answer) -> str:
    """The text of the first price in an answer."""
    return answer.get_data(as_text=True).partition('"price":')[2].split(",")[0].split("}")[0]


@pytest.mark.parametrize("slash", ["", "/"])
def test_registering_and_signing_in_answer_word_for_word(stall, slash):
    name = f"anna{len(slash)}"
    body = {"username": name, "email": f"{name}@people.example", "password": PASSWORD}
    made = stall.client.post(f"/api/register{slash}", json=body)
    assert (made.status_code, made.json) == (201, {"message": "User registered successfully."})
    opened = stall.client.post(f"/api/login{slash}", json={"username": name, "password": PASSWORD})
    assert opened.status_code == 200
    assert list(opened.json) == ["token"]
    assert opened.headers["Cache-Control"] == "no-store"


def test_the_token_works_at_every_other_address_and_at_the_ordinary_ones(stall):
    anna = stall.person()
    for address in ("/api/products/", "/api/products/export/", "/cart", "/api/v1/auth/me"):
        answer = stall.client.get(address, headers=anna.headers)
        assert answer.status_code == 200, (address, answer.get_data()[:300])
        answer.close()


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_list_is_a_bare_array_of_the_seven_members(stall, slash):
    anna = stall.person()
    root = stall.set_up_category("Kitchen")
    (product,) = stall.products(1, price=1999)
    stall.work(lambda: move(product, root))
    listed = stall.client.get(f"/api/products{slash}", headers=anna.headers)
    assert listed.status_code == 200
    first = exact(listed)[0]
    assert list(first) == SHAPE
    assert first["id"] == product
    assert (first["category_name"], first["tags"]) == ("Kitchen", ["loud", "new"])
    assert first["price"] == Decimal("19.99")
    assert parse_moment(first["created_at"])


def move(product, category):
    db.session.execute(
        text("UPDATE shop_product SET category_id = :category WHERE id = :product"),
        {"category": category, "product": product},
    )
    cache.invalidate("shop.catalogue")


@pytest.mark.parametrize(
    ("minor", "currency", "written"),
    [
        (1999, "EUR", "19.99"),
        (1990, "EUR", "19.90"),
        (7, "EUR", "0.07"),
        (0, "EUR", "0.00"),
        (1500, "JPY", "1500"),
        (1999, "KWD", "1.999"),
        (9999999999999, "EUR", "99999999999.99"),
        (10**18 - 1, "EUR", "9999999999999999.99"),
        (10**18 - 1, "KWD", "999999999999999.999"),
        (29, "USD", "0.29"),
    ],
)
def test_a_price_is_exact_whatever_its_size_and_currency(stall, minor, currency, written):
    anna = stall.person()
    (product,) = stall.products(1, price=minor, currency=currency)
    assert raw_price(stall.client.get("/api/products/?limit=1", headers=anna.headers)) == written
    assert raw_price(stall.client.post("/products?limit=1", json={})) == written
    assert raw_price(stall.client.get(f"/product?id={product}")) == written


def test_the_export_is_a_workbook_of_all_products(fresh):
    anna = fresh.person()
    fresh.products(30)
    for address in ("/api/products/export/", "/api/products/export"):
        answer = fresh.client.get(address, headers=anna.headers)
        assert answer.status_code == 200
        assert answer.mimetype.endswith("spreadsheetml.sheet")
        assert "products.xlsx" in answer.headers["Content-Disposition"]
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(answer.get_data()))
        rows = book.get_sheet_by_index(0).to_python()
        assert len(rows) == 31
        assert dict(zip(rows[0], rows[1], strict=True))["price"] == 19.99
        answer.close()


def test_a_long_export_is_left_to_a_job(make_stall):
    stall = make_stall(sections={"shop": {"export_rows": 2}})
    anna = stall.person()
    stall.products(3)
    answer = stall.client.get("/api/products/export/", headers=anna.headers)
    assert answer.status_code == 202
    job = stall.client.get(answer.headers["Location"], headers=anna.headers)
    assert job.status_code == 200


def test_signing_in_is_needed_for_lists_and_export(stall):
    for address in ("/api/products/", "/api/products/export/"):
        answer = stall.client.get(address)
        assert answer.status_code == 401
        assert answer.content_type == "application/problem+json"


def test_products_are_found_by_category_price_and_order(fresh):
    kitchen, kettles = fresh.set_up_category("Kitchen"), None
    kettles = fresh.set_up_category("Kettles", kitchen)
    cheap, dear = fresh.products(2, price=1000), fresh.products(2, price=5000)
    yen = fresh.products(1, price=30, currency="JPY")
    for product in (*cheap, *dear, *yen):
        fresh.work(lambda product=product: move(product, kettles))
    (elsewhere,) = fresh.products(1, price=1000)

    def found(**body):
        answer = fresh.client.post("/products", json=body)
        assert answer.status_code == 200, answer.json
        return [each["id"] for each in answer.json]

    assert elsewhere in found()
    assert set(found(category=kitchen)) == {*cheap, *dear, *yen}
    assert set(found(category=kitchen, price_min=10, price_max=10)) == set(cheap)
    assert set(found(category=kitchen, price_min=10.01)) == {*dear, *yen}
    assert set(found(category=kettles, price_max=49.99, sort="price")) == {*cheap, *yen}
    assert found(category=kettles, sort="-price")[:2] == dear[::-1]
    assert found(category=999_999) == []
    assert fresh.client.post("/products").status_code == 200


def test_the_card_shows_pictures_price_and_characteristics(stall):
    kitchen = stall.set_up_category("Kitchen")
    (product,) = stall.products(1)
    stall.work(lambda: move(product, stall_child(stall, kitchen)))
    card = stall.client.get(f"/product?id={product}").json
    assert list(card)[:7] == SHAPE
    assert card["categories"] == ["Kitchen", "Kettles"]
    assert (card["characteristics"], card["pictures"], card["in_stock"]) == ({}, [], True)
    assert card["currency"] == "EUR"
    assert stall.client.get("/product?id=999999999").status_code == 404


def stall_child(stall, parent):
    made = "INSERT INTO shop_category (name, slug, parent_id) VALUES ('Kettles', :slug, :parent)"
    values = {"slug": f"kettles-of-{parent}", "parent": parent}
    return db.session.scalar(text(f"{made} RETURNING id"), values)


def test_categories_are_nested_each_once(fresh):
    kitchen = fresh.set_up_category("Kitchen")
    kettles = fresh.set_up_category("Kettles", kitchen)
    whistling = fresh.set_up_category("Whistling", kettles)
    (product,) = fresh.products(1)
    fresh.work(lambda: move(product, whistling))
    for address in ("/categories", "/categories/"):
        (root,) = fresh.client.get(address).json
        assert list(root) == ["id", "name", "product_count", "children"]
        assert (root["name"], root["product_count"]) == ("Kitchen", 1)
        assert root["children"][0]["children"][0] == {
            "id": whistling, "name": "Whistling", "product_count": 1, "children": [],
        }  # fmt: skip


def test_categories_of_any_depth_are_shown(fresh):
    chain = (
        "INSERT INTO shop_category (id, name, slug, parent_id) OVERRIDING SYSTEM VALUE"
        " SELECT 1000 + n, 'Level ' || n, 'level-' || n, nullif(999 + n, 1000)"
        " FROM generate_series(1, 300) n"
    )
    fresh.work(lambda: db.session.execute(text(chain)))
    (product,) = fresh.products(1)
    fresh.work(lambda: move(product, 1300))
    for address in ("/categories", "/api/v1/shop/categories"):
        found = fresh.client.get(address).json
        nodes, depth = found if isinstance(found, list) else found["items"], 0
        while nodes:
            ((node,), depth) = nodes, depth + 1
            assert (node["name"], node["product_count"]) == (f"Level {depth}", 1)
            nodes = node["children"]
        assert depth == 300
