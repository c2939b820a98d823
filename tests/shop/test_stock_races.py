"""Four hundred buyers of a hundred things: a hundred are sold. Without the guard more would be."""

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from torg import db
from torg_shop.services import orders, stock

STOCK, BUYERS, CONNECTIONS, KILLS = 100, 400, 16, 20
SCRIPT = Path(__file__).parents[1] / "support" / "buyers_crowd.py"
_CARTS = text(
    "WITH made AS (INSERT INTO shop_cart (owner_id) SELECT unnest(CAST(:people AS bigint[]))"
    " RETURNING id) INSERT INTO shop_cart_line"
    " (cart_id, product_id, quantity, seen_price_minor, seen_currency)"
    " SELECT id, :product_id, 1, 1000, 'EUR' FROM made"
)
_PEOPLE = text(
    "INSERT INTO torg_identity (is_active) SELECT true FROM generate_series(1, :number)"
    " RETURNING id"
)
_UNGUARDED = text(
    "UPDATE shop_stock_level SET reserved = :seen + :quantity WHERE product_id = :product_id"
    " AND :seen + :quantity <= on_hand"
)


@pytest.fixture
def crowd(shop, staff):
    """`(product, people)`: everybody has the same thing in his cart."""
    product = staff.product(on_hand=STOCK)

    def make() -> list[int]:
        people = list(db.session.execute(_PEOPLE, {"number": BUYERS}).scalars())
        db.session.execute(_CARTS, {"people": people, "product_id": product["id"]})
        return people

    return product, shop.work(make)


def buy(shop: Any, buyer_id: int) -> bool:
    """Whether this buyer got one; a dead connection is no sale."""
    try:
        shop.work(lambda: orders.place(buyer_id))
    except Exception:
        return False
    return True


def buy_all(shop, people) -> int:
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return sum(pool.map(lambda each: buy(shop, each), people))


def counted(shop, product) -> tuple[int, int]:
    """How many orders there are, and how many things are set aside."""

    def ask() -> Any:
        return db.session.execute(
            text(
                "SELECT (SELECT count(*) FROM shop_order_line WHERE product_id = :id) AS orders,"
                " reserved FROM shop_stock_level WHERE product_id = :id"
            ),
            {"id": product["id"]},
        ).one()

    return tuple(shop.work(ask))


def test_hundred_of_four_hundred_buyers_get_the_hundred(shop, crowd):
    product, people = crowd
    assert buy_all(shop, people) == STOCK
    assert counted(shop, product) == (STOCK, STOCK)


def test_killed_connections_neither_oversell_nor_lose_stock(shop, crowd):
    product, people = crowd
    over = threading.Event()

    killed = []

    def kill_some() -> None:
        while not over.wait(0.05):
            killed.extend(shop.work(lambda: db.session.execute(_KILL).all()))

    killer = threading.Thread(target=kill_some)
    killer.start()
    try:
        buy_all(shop, people)
    finally:
        over.set()
        killer.join()
    assert killed
    placed, reserved = counted(shop, product)
    assert placed == reserved <= STOCK
    buy_all(shop, people)
    assert counted(shop, product) == (STOCK, STOCK)


def test_killed_processes_neither_oversell_nor_lose_stock(shop, crowd, torg_environment, tmp_path):
    product, people = crowd
    assert people == [*range(people[0], people[0] + BUYERS)]
    url = shop.app.config["SQLALCHEMY_DATABASE_URI"]
    words = (url, torg_environment.redis_url, tmp_path, CONNECTIONS, KILLS, people[0], people[-1])
    said = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, words)], capture_output=True, text=True, timeout=150
    )
    assert said.stderr == ""
    outcome = json.loads(said.stdout)
    assert outcome["killed"] == KILLS
    # Who was killed after his order was made finds his cart empty when he tries again.
    assert {*outcome["told"]} <= {"sold", "out_of_stock", "cart_empty"}
    assert outcome["told"]["sold"] + outcome["told"].get("cart_empty", 0) == STOCK
    assert counted(shop, product) == (STOCK, STOCK)


_KILL = text(
    "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
    " AND query LIKE '%shop_%' ORDER BY random() LIMIT 1) victim"
)


def test_without_the_guard_the_same_crowd_oversells(shop, crowd, monkeypatch):
    product, people = crowd

    def look_then_write(wanted: Any) -> set[int]:
        ((product_id, quantity),) = wanted.items()
        asked = text("SELECT reserved, on_hand FROM shop_stock_level WHERE product_id = :id")
        row = db.session.execute(asked, {"id": product_id}).one()
        time.sleep(0.003)
        if row.reserved + quantity > row.on_hand:
            return {product_id}
        values = {"seen": row.reserved, "quantity": quantity, "product_id": product_id}
        db.session.execute(_UNGUARDED, values)
        return set()

    monkeypatch.setattr(stock, "set_aside", look_then_write)
    sold = buy_all(shop, people)
    assert sold > STOCK
    assert counted(shop, product)[0] == sold
