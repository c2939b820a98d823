"""Entering and changing the catalogue: who may, what is refused, what If-Match guards."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from torg import openapi
from torg.db import session, unit_of_work

API = "/api/v1/shop"


def test_only_staff_may_enter_any_administration_route(shop):
    client = shop.app.test_client()
    stranger = shop.person().headers
    tried = 0
    for path, methods in openapi.document(shop.app)["paths"].items():
        if "/shop/admin/" not in path:
            continue
        address = path
        while "{" in address:
            address = address[: address.index("{")] + "1" + address[address.index("}") + 1 :]
        for method in methods:
            if method in ("get", "post", "put", "patch", "delete"):
                assert client.open(address, method=method).status_code == 401
                assert client.open(address, method=method, headers=stranger).status_code == 403
                tried += 1
    assert tried >= 15


def test_a_change_of_a_state_not_seen_is_refused(staff):
    made = staff.product()
    path = f"products/{made['id']}"
    seen = staff.call("GET", path).headers["ETag"]
    changed = staff.call("PATCH", path, {"name": "Another"}, **{"If-Match": seen})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != seen
    assert staff.call("GET", path).headers["ETag"] == changed.headers["ETag"]
    stale = {"If-Match": seen}
    assert staff.call("PATCH", path, {"name": "Third"}, **stale).status_code == 412
    assert staff.call("DELETE", path, **stale).status_code == 412
    assert staff.call("GET", path).json["name"] == "Another"
    assert staff.call("DELETE", path).status_code == 204
    assert staff.call("DELETE", path).status_code == 404
    assert staff.call("GET", path).json["is_active"] is False


def test_a_sku_a_slug_and_a_tag_belong_to_one(staff):
    staff.product(sku="ONLY")
    again = {"name": "x", "sku": "ONLY", "price": {"amount": "1.00", "currency": "EUR"}}
    assert staff.call("POST", "products", again).json["code"] == "sku_taken"
    staff.make("categories", name="A", slug="alone")
    other = staff.make("categories", name="B")
    taken = staff.call("POST", "categories", {"name": "C", "slug": "alone"})
    assert (taken.status_code, taken.json["code"]) == (409, "slug_taken")
    path = f"categories/{other['id']}"
    assert staff.call("PATCH", path, {"slug": "alone"}).json["code"] == "slug_taken"
    tag = staff.make("tags", name="lonely")
    assert staff.call("POST", "tags", {"name": "lonely"}).json["code"] == "tag_taken"
    assert staff.call("DELETE", f"tags/{tag['id']}").status_code == 204
    assert staff.make("tags", name="lonely")["id"] == tag["id"]


def test_a_category_is_never_below_itself(staff):
    top = staff.make("categories", name="Top")
    low = staff.make("categories", name="Low", parent_id=top["id"])
    for category, parent in ((top, low), (top, top)):
        answer = staff.call("PATCH", f"categories/{category['id']}", {"parent_id": parent["id"]})
        assert (answer.status_code, answer.json["code"]) == (409, "category_cycle")


def circles(shop, guarded: bool) -> int:
    """Two categories are put below each other at the same time; how often both succeed."""
    if not guarded:
        with unit_of_work(app=shop.app):
            session.execute(text("ALTER TABLE shop_category DISABLE TRIGGER shop_category_tree"))
    with unit_of_work(app=shop.app):
        rows = session.execute(
            text(
                "INSERT INTO shop_category (name, slug) SELECT 'c', 'c' || :g || '-' || n"
                " FROM generate_series(1, 20) n RETURNING id"
            ),
            {"g": guarded},
        )
        ids = [row.id for row in rows]
    both = 0
    for one, two in zip(ids[::2], ids[1::2], strict=True):
        done = []
        meeting = threading.Barrier(2)

        def move(what: int, where: int, done=done, meeting=meeting) -> None:
            try:
                with unit_of_work(app=shop.app):
                    session.execute(text("SELECT 1"))
                    meeting.wait(10)
                    session.execute(
                        text("UPDATE shop_category SET parent_id = :w WHERE id = :i"),
                        {"w": where, "i": what},
                    )
                    if not guarded:
                        meeting.wait(10)
                done.append(what)
            except IntegrityError:
                return  # the one that came second

        threads = [threading.Thread(target=move, args=pair) for pair in ((one, two), (two, one))]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        both += len(done) == 2
    return both


def test_two_moves_at_once_never_close_a_circle(make_shop):
    assert circles(make_shop(), guarded=True) == 0


def test_without_the_trigger_they_would(make_shop):
    assert circles(make_shop(), guarded=False) > 0


def test_a_category_in_use_stays(staff):
    top = staff.make("categories", name="Used")
    made = staff.product(category_id=top["id"])
    path = f"categories/{top['id']}"
    assert staff.call("DELETE", path).json["code"] == "category_in_use"
    staff.call("PATCH", f"products/{made['id']}", {"category_id": None})
    assert staff.call("DELETE", path).status_code == 204
    unknown = staff.call("PATCH", f"products/{made['id']}", {"category_id": top["id"]})
    assert (unknown.status_code, unknown.json["code"]) == (422, "category_unknown")


def test_stock_that_somebody_else_has_counted_meanwhile_is_not_overwritten(staff):
    path = f"stock/{staff.product(on_hand=5)['id']}"
    seen = {"If-Match": staff.call("GET", path).headers["ETag"]}
    changed = staff.call("PUT", path, {"on_hand": 7}, **seen)
    assert changed.headers["ETag"] == staff.call("GET", path).headers["ETag"]
    stale = staff.call("PUT", path, {"on_hand": 9}, **seen)
    assert (stale.status_code, stale.headers["ETag"]) == (412, changed.headers["ETag"])
    assert staff.call("GET", path).json["on_hand"] == 7
    with ThreadPoolExecutor(2) as pool:
        fresh = {"If-Match": changed.headers["ETag"]}
        put = partial(staff.call, "PUT", path, **fresh)
        answers = list(pool.map(put, [{"on_hand": 11}, {"on_hand": 12}]))
    assert sorted(each.status_code for each in answers) == [200, 412]


def test_stock_never_falls_below_what_is_promised(shop, staff):
    made = staff.product(on_hand=5)
    path = f"stock/{made['id']}"
    with unit_of_work(app=shop.app):
        session.execute(
            text("UPDATE shop_stock_level SET reserved = 3 WHERE product_id = :i"),
            {"i": made["id"]},
        )
    assert staff.call("GET", path).json["available"] == 2
    refused = staff.call("PUT", path, {"on_hand": 2})
    assert (refused.status_code, refused.json["reserved"]) == (409, 3)
    assert staff.call("PUT", path, {"on_hand": 3}).json["available"] == 0
    assert staff.call("GET", f"products/{made['id']}").json["in_stock"] is False
    assert staff.call("PUT", "stock/99999999", {"on_hand": 1}).status_code == 404


def test_characteristics_that_cannot_be_kept_are_refused(staff):
    price = {"amount": "1.00", "currency": "EUR"}
    wrong = (
        [], {"a": None}, {"a": []}, {"a": "x" * 501}, {"": 1}, {"a\0": 1},
        {"a": 2**60}, {str(n): n for n in range(51)},
    )  # fmt: skip
    for attributes in wrong:
        body = {"name": "x", "sku": "wrong", "price": price, "attributes": attributes}
        answer = staff.call("POST", "products", body)
        assert answer.status_code in (400, 422), attributes


def test_staff_lists_categories_flat_and_tags(make_shop, make_staff):
    staff = make_staff(make_shop())
    top = staff.make("categories", name="Kitchen")
    low = staff.make("categories", name="Kettles", parent_id=top["id"])
    staff.make("tags", name="new")
    assert staff.call("GET", "categories").json["items"] == [top, low]
    assert staff.call("GET", f"categories?parent_id={top['id']}").json["items"] == [low]
    page = staff.call("GET", "categories?limit=1&sort=-name").json
    assert page["items"] == [top]
    rest = staff.call("GET", f"categories?limit=1&sort=-name&cursor={page['next_cursor']}").json
    assert (rest["items"], rest["next_cursor"]) == ([low], None)
    assert [each["name"] for each in staff.call("GET", "tags").json["items"]] == ["new"]
    assert staff.call("DELETE", f"categories/{low['id']}").status_code == 204
    assert staff.call("GET", "categories").json["items"] == [top]
