"""Promise 8: what is kept equals what would be made anew, after every kind of change."""

import io

import pytest
from PIL import Image

from torg import jobs as torg_jobs
from torg.db import unit_of_work
from torg_shop.services import freshness

PATHS = ("products?limit=50", "categories", "tags", "recommendations?limit=5")


def bodies(shop, product_id: int, headers=None) -> list[bytes]:
    client = shop.app.test_client()
    client.set_cookie("past", "ready-answers") if headers == "fresh" else None
    sent = headers if isinstance(headers, dict) else {}
    paths = (*PATHS, f"products/{product_id}", f"products/{product_id}/similar")
    answers = [client.get(f"/api/v1/shop/{path}", headers=sent) for path in paths]
    # A refusal names its request, so no two are the same.
    return [each.data if each.status_code == 200 else b"404" for each in answers]


def webp() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (20, 20), "blue").save(written, "PNG")
    return written.getvalue()


CHANGES = {
    "price": lambda s, p, c, t: s.call(
        "PATCH", f"products/{p}", {"price": {"amount": "77.00", "currency": "EUR"}}
    ),
    "create": lambda s, p, c, t: s.product(category_id=c),
    "tags": lambda s, p, c, t: s.call("PATCH", f"products/{p}", {"tags": ["cached", "more"]}),
    "attributes": lambda s, p, c, t: s.call("PATCH", f"products/{p}", {"attributes": {"x": 2}}),
    "category renamed": lambda s, p, c, t: s.call("PATCH", f"categories/{c}", {"name": "Renamed"}),
    "category created": lambda s, p, c, t: s.make("categories", name="More", parent_id=c),
    "tag renamed": lambda s, p, c, t: s.call("PATCH", f"tags/{t}", {"name": "tag renamed"}),
    "tag removed": lambda s, p, c, t: s.call("DELETE", f"tags/{t}"),
    "stock": lambda s, p, c, t: s.call("PUT", f"stock/{p}", {"on_hand": 1}),
    "picture": lambda s, p, c, t: s.client.post(
        f"/api/v1/shop/admin/products/{p}/media",
        data={"image": (io.BytesIO(webp()), "p")},
        headers=s.headers,
    ),
    "bulk": lambda s, p, c, t: s.client.post(
        "/api/v1/shop/admin/products/import",
        data={"file": (io.BytesIO(b"sku,name,price,currency\nBULK,b,1.00,EUR\n"), "t.csv")},
        headers=s.headers,
    ),
    "delete": lambda s, p, c, t: s.call("DELETE", f"products/{p}"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_after_every_kind_of_change_nothing_old_is_shown(shop, staff, kind):
    category = staff.make("categories", name="Cached")["id"]
    tag = staff.make("tags", name=f"tag of {kind}")["id"]
    made = staff.product(category_id=category, tags=[f"tag of {kind}"])["id"]
    torg_jobs.run_due(shop.app)
    before = bodies(shop, made)
    assert bodies(shop, made) == before  # the ready answers
    assert bodies(shop, made, "fresh") == before  # those in Redis
    CHANGES[kind](staff, made, category, tag)
    torg_jobs.run_due(shop.app)
    kept = [bodies(shop, made), bodies(shop, made, "fresh"), bodies(shop, made, staff.headers)]
    with unit_of_work(app=shop.app):
        freshness.changed()
    anew = bodies(shop, made, "fresh")
    assert kept == [anew] * 3
    assert anew != before


def test_without_redis_answers_are_right(make_app, make_shop, torg_environment):
    """Nothing is kept, everything is served."""
    app = make_app(["shop"], redis_url="redis://127.0.0.1:1/0")
    client = app.test_client()
    for path in PATHS:
        first = client.get(f"/api/v1/shop/{path}")
        assert first.status_code == 200
        assert client.get(f"/api/v1/shop/{path}").data == first.data


def test_reads_are_counted_as_hits_and_misses(shop):
    from torg import metrics

    def count(outcome: str) -> float:
        found = metrics.registry.get_sample_value(
            "torg_cache_reads_total", {"cache": "shop", "outcome": outcome}
        )
        return found or 0.0

    client = shop.app.test_client()
    client.set_cookie("past", "ready-answers")
    with unit_of_work(app=shop.app):
        freshness.changed()
    hits, misses = count("hit"), count("miss")
    for _ in range(3):
        client.get("/api/v1/shop/categories")
    assert (count("hit") - hits, count("miss") - misses) == (2, 1)
