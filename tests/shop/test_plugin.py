"""The plugin as the host sees it: tables and models, texts, demo, command."""

import time
from datetime import UTC, datetime
from random import Random

from click.testing import CliRunner
from sqlalchemy import text

from torg import migrate
from torg.db import session, unit_of_work
from torg.demo import Demo
from torg_shop import commands, sample


def test_tables_and_models_agree(shop):
    assert migrate.check(shop.app, ["shop"]).drift.get("shop", []) == []


def test_the_demo_shows_three_hundred_products_with_pictures(fresh):
    demo = Demo("shop", Random(1), datetime.now(UTC), "http://127.0.0.1:8000")
    started = time.monotonic()
    with unit_of_work(app=fresh.app):
        sample.fill(demo)
    print(f"the demo took {time.monotonic() - started:.1f} s")
    assert demo.tries
    client = fresh.app.test_client()
    page = client.get("/api/v1/shop/products?limit=100&include_total=true").json
    assert page["total"] == 300
    assert all(each["media"] and each["tags"] and each["category"] for each in page["items"])
    shown = client.get(page["items"][0]["media"][0]["thumbnail_url"].split("8000", 1)[1])
    assert shown.content_type == "image/webp"
    shown.close()
    roots = client.get("/api/v1/shop/categories").json["items"]
    assert sum(root["product_count"] for root in roots) == 300
    assert all(inner["children"] for root in roots for inner in root["children"])


def test_generate_adds_to_what_is_there(fresh):
    with fresh.app.app_context():
        for number in (5, 7):
            words = ["generate", "--yes", "--products", str(number)]
            said = CliRunner().invoke(commands.group, words)
            assert said.exit_code == 0, said.output
    with unit_of_work("read", fresh.app):
        assert session.scalar(text("SELECT count(*) FROM shop_product")) == 12
        assert session.scalar(text("SELECT count(*) FROM shop_category")) == 36
